"""Words that people write."""

from orders.exceptions import BadText


def text_check(value: object, *, what: str, limit: int, required: bool = False) -> str:
    """Return ``value`` without the white space around it, or refuse it with ``BadText``.

    >>> text_check("  after six, please ", what="The note", limit=1000)
    'after six, please'
    """
    if not isinstance(value, str):
        raise BadText(f"{what} must be text.")
    words = value.strip()
    # PostgreSQL stores no NUL, and UTF-8 has no lone surrogates.
    if "\x00" in words or any("\ud800" <= letter <= "\udfff" for letter in words):
        raise BadText(f"{what} holds characters that are no text. Write it again.")
    if len(words) > limit:
        raise BadText(f"{what} may have {limit} characters and has {len(words)}. Shorten it.")
    if required and not words:
        raise BadText(f"{what} is missing. Say why, in a few words.")
    return words
