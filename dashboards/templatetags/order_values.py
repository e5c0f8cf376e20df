"""Values of a frame in a template, marked so that the script can paint newer ones over them."""

from typing import Any

from django import template
from django.http import QueryDict
from django.templatetags.static import static
from django.utils.html import format_html, json_script
from django.utils.safestring import SafeString

from dashboards.words import HIDDEN, for_script, words_for

register = template.Library()

LABELS = {
    "client_username": "Client",
    "booster_username": "Booster",
    "status": "Status",
    "progress": "Progress",
    "actual_price": "Price",
    "booster_price": "Payout",
    "created_at": "Ordered",
    "message": "Last step",
    "disputed": "Dispute",
}


@register.simple_tag
def value(frame: dict[str, Any], field: str, kind: str = "text") -> SafeString:
    """Show a field of ``frame``; what is masked is called hidden, not 0."""
    if field in frame["masked"]:
        return format_html('<span data-field="{}" data-kind="{}" data-hidden>{}</span>', field, kind, HIDDEN)
    return format_html('<span data-field="{}" data-kind="{}">{}</span>', field, kind, words_for(kind, frame[field]))


@register.simple_tag
def words_for_script() -> SafeString:
    """Hand the words of this page to the script that paints newer values over them."""
    return json_script(for_script(), "words")


@register.simple_tag
def badge(status: str) -> SafeString:
    markup = '<span class="badge" data-field="status" data-kind="status" data-status="{}">{}</span>'
    return format_html(markup, status, status)


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw an icon of the sprite; the words beside it say what it means."""
    markup = '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>'
    return format_html(markup, static("dashboards/vendor/lucide/icons.svg"), name)


@register.filter
def label(field: str) -> str:
    """Return what a field is called."""
    return LABELS.get(field, field.replace("_", " ").capitalize())


@register.simple_tag(takes_context=True)
def query(context: template.Context, name: str, new: object) -> str:
    """Return the page's query string with ``name`` set to ``new``, or without it; other filters start on page 1."""
    found: QueryDict = context["request"].GET.copy()
    for old in [old for old in found if old == name or (old.endswith("-page") and not name.endswith("-page"))]:
        found.pop(old)
    if new:
        found[name] = str(new)
    return f"?{found.urlencode()}"
