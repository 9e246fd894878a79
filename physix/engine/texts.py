"""Text that a log can hold."""

from __future__ import annotations

from physix.errors import BadInputError


def check_text(what: str, text: str, limit: int) -> None:
    """Refuse what is too long or cannot be encoded; `what` names it in the message.

    Raises:
        BadInputError: it is no text, has more than `limit` characters, or is not valid Unicode.
    """
    if not isinstance(text, str):
        raise BadInputError(f"The {what} is a {type(text).__name__}; it must be text.")
    if len(text) > limit:
        raise BadInputError(f"The {what} has {len(text)} characters; at most {limit} are allowed.")
    if encodable(text) != text:
        raise BadInputError(f"The {what} is not valid Unicode: it holds an unpaired surrogate.")


def encodable(text: str) -> str:
    """Return text with a question mark for whatever UTF-8 has not."""
    return text.encode("utf-8", "replace").decode("utf-8")
