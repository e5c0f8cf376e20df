"""Forms of every game's orders. They turn text into values; whether a value is allowed, the services say."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.core.validators import MaxValueValidator

from accounts.models import User
from dashboards.game_pages import game_choices
from dashboards.selectors import boosters
from orders.models import Status
from orders.money import prices_seen
from orders.options import Options
from orders.selectors import booster_wished
from realtime.history import Wanted


def seen_price() -> forms.DecimalField:
    """Return the hidden field for a price as the form shows it: it comes back with what is decided."""
    return forms.DecimalField(widget=forms.HiddenInput, required=False, max_digits=10, decimal_places=2)


def key_field() -> forms.CharField:
    """Return the hidden field that makes a post count once: a new key each time the form is shown."""
    return forms.CharField(widget=forms.HiddenInput, initial=lambda: str(uuid4()), required=False, strip=False)


class BoosterField(forms.ModelChoiceField):
    """One of those who can play an order; asked for when a form is shown or read, not at import."""

    def __init__(self, **options: Any) -> None:
        super().__init__(User.objects.none(), **options)

    def __deepcopy__(self, memo: dict[int, Any]) -> "BoosterField":
        made = super().__deepcopy__(memo)  # Django copies the declared fields into each form
        made.queryset = boosters()
        return made


class WishedField(BoosterField):
    """The same; whether somebody else can play, the service says: a form that is sent again was right before."""

    def to_python(self, value: Any) -> User | None:
        text = str(value or "")
        if text.isascii() and text.isdecimal() and 0 < int(text[:20]) < 2**63:
            return booster_wished(int(text))
        return super().to_python(value)

    def validate(self, value: Any) -> None:
        return forms.Field.validate(self, value)


class EmptyForm(forms.Form):
    """For a verb that needs no words."""


class KeyForm(forms.Form):
    idempotency_key = key_field()


class AssignForm(forms.Form):
    booster = BoosterField(empty_label="Choose a booster")


class DecisionForm(forms.Form):
    """What somebody decides about what he has before his eyes: the hidden values say what that was."""

    now: Mapping[str, str] = {}
    """The hidden values, where they are others by now."""

    def look_again(self, fresh: forms.Form) -> None:
        """Take the hidden values of ``fresh``: the page shows what they stand for, beside what was typed."""
        self.now = {field.name: str(field.value() or "") for field in fresh.hidden_fields()}
        self.data = dict(self.data.items()) | self.now


class RepriceForm(DecisionForm):
    actual_price = forms.DecimalField(label="Price for the client", max_digits=10, decimal_places=2)
    booster_price = forms.DecimalField(label="Payout for the booster", max_digits=10, decimal_places=2)
    reason = forms.CharField(widget=forms.TextInput, required=False)
    seen_actual_price = seen_price()
    seen_booster_price = seen_price()

    def seen(self) -> tuple[Decimal, Decimal] | None:
        return prices_seen(self.cleaned_data["seen_actual_price"], self.cleaned_data["seen_booster_price"])

    def look_again(self, fresh: forms.Form) -> None:
        super().look_again(fresh)
        for name in ("actual_price", "booster_price"):
            self[name].help_text = f"It is {fresh[name].value()} now."


class ReasonForm(forms.Form):
    reason = forms.CharField(widget=forms.TextInput, required=False)


class ResolveForm(DecisionForm):
    outcome = forms.ChoiceField(
        label="Decision",
        choices=[("", "Choose"), ("paid", "Pay out what is held"), ("refunded", "Refund the client for it")],
    )
    reason = forms.CharField(widget=forms.TextInput, required=False)
    dispute = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=1, max_value=2**63 - 1)


class UnsaidInput(forms.TextInput):
    """A line of text that is never written into a page, like a password."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


class AccountForm(forms.Form):
    """What opens a game account. What was typed is never written into a page again."""

    login = forms.CharField(
        label="Log-in", max_length=100, strip=False, widget=UnsaidInput(attrs={"autocomplete": "off"})
    )
    password = forms.CharField(
        label="Password", max_length=200, strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "off"})
    )
    remarks = forms.CharField(
        label="Region, second factor",
        max_length=500,
        required=False,
        strip=False,
        widget=UnsaidInput(attrs={"autocomplete": "off"}),
    )


class NoteForm(forms.Form):
    note = forms.CharField(
        label="Note for your booster", widget=forms.Textarea(attrs={"rows": 3, "maxlength": 1000}), required=False
    )


class TermsForm(forms.Form):
    """What an order says beside its way."""

    duo = forms.BooleanField(required=False, label="Duo", help_text="Play along with your booster.")
    streaming = forms.BooleanField(required=False, label="Streaming", help_text="Watch the games live.")
    turbo = forms.BooleanField(required=False, label="Turbo", help_text="Your order comes first.")
    booster = WishedField(required=False, empty_label="Any booster")
    note = forms.CharField(
        label="Note for your booster", widget=forms.Textarea(attrs={"rows": 2, "maxlength": 1000}), required=False
    )
    idempotency_key = key_field()

    def options(self) -> Options:
        return Options(**{name: self.cleaned_data[name] for name in ("duo", "streaming", "turbo")})


def _games() -> list[tuple[str, str]]:
    return [("", "Every game"), *((game.slug, game.name) for game in game_choices())]


class FilterForm(forms.Form):
    """Which orders a list shows; what does not fit filters nothing."""

    status = forms.ChoiceField(
        required=False,
        choices=[("", "Every status"), ("open", "Open"), *((status, status) for status in Status.values)],
    )
    booster = BoosterField(required=False, empty_label="Every booster", to_field_name="username")
    game = forms.ChoiceField(required=False, choices=_games)

    def criteria(self) -> dict[str, Any]:
        """Return the filters in force."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


Pairs = list[tuple[str, str]]
LAST_DAY = date(9998, 12, 31)  # the day after it must exist


def day_widget() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"})


class HistoryForm(forms.Form):
    """Which versions a history shows; what does not fit filters nothing. Days are those of UTC."""

    field = forms.ChoiceField(required=False, label="What")
    actor = forms.ChoiceField(required=False, label="Who")
    source = forms.ChoiceField(required=False, label="From where")
    since = forms.DateField(required=False, label="From", widget=day_widget())
    until = forms.DateField(required=False, label="To", widget=day_widget(), validators=[MaxValueValidator(LAST_DAY)])
    first = forms.IntegerField(required=False, min_value=1, max_value=2**62, widget=forms.HiddenInput)
    last = forms.IntegerField(required=False, min_value=1, max_value=2**62, widget=forms.HiddenInput)

    def __init__(self, data: Any, *, fields: Pairs, actors: Pairs, sources: Pairs) -> None:
        super().__init__(data)
        every = {"field": ("Everything", fields), "actor": ("Everybody", actors), "source": ("Everywhere", sources)}
        for name, (words, choices) in every.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [("", words), *choices]
            if not choices:
                del self.fields[name]

    def wanted(self) -> Wanted:
        """Return the filters in force."""
        self.is_valid()
        given = {name: value for name, value in self.cleaned_data.items() if value}
        for name, day_after in (("since", 0), ("until", 1)):
            if name in given:
                given[name] = datetime.combine(given[name] + timedelta(days=day_after), time(), UTC)
        return Wanted(**given)
