"""Labels of an episode: what a run finds it by, and the tags and the note that people put on it. Pure.

A tag is a label without a value; the note is the label `note`. Those that an episode started with say
how it came to be, so they stay; whatever is put on it later may be changed and taken away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from physix.engine.texts import check_text
from physix.errors import BadInputError
from physix.limits import MAX_LABEL_NAME, MAX_LABEL_VALUE, MAX_LABELS

NOTE = "note"
_APART = "=,"  # what sets a name apart from its value, and names from each other


def check_labels(labels: Mapping[str, str]) -> None:
    """Refuse labels that a log cannot hold.

    Raises:
        BadInputError: there are too many, or one is too long or not valid Unicode.
    """
    if len(labels) > MAX_LABELS:
        raise BadInputError(f"{len(labels)} labels were given; at most {MAX_LABELS} are recorded.")
    for name, value in labels.items():
        check_text("name of a label", name, MAX_LABEL_NAME)
        check_text(f"label {name!r}", value, MAX_LABEL_VALUE)


def relabelled(labels: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """Return labels after some changes; None takes one away."""
    after = {**labels, **changes}
    return {name: value for name, value in after.items() if value is not None}


def labels_in(told: Iterable[str]) -> dict[str, str | None]:
    """Return the labels that a list is asked for: `name`, with any value (None), or `name=value`."""
    pairs = (one.partition("=") for one in told)
    return {name: value if apart else None for name, apart, value in pairs}


def changes_of(
    started: Mapping[str, str], labels: Mapping[str, str], wanted: Mapping[str, str | None]
) -> dict[str, str | None]:
    """Return what of the wanted changes changes anything.

    Args:
        started: the labels that the episode started with.
        labels: those it has now.
        wanted: new values by name; None takes a label away.

    Raises:
        BadInputError: a name or value will not do, one of `started` would change, or there would be too
            many.
    """
    for name, value in wanted.items():
        _check_name(name)
        if name in started and value != started[name]:
            raise BadInputError(
                f"The label {name!r} says how the episode came to be and stays {started[name]!r}; "
                "choose another name."
            )
        if value is not None and "\0" in value:
            raise BadInputError(f"The label {name!r} holds NUL, which no database has in a text.")
    check_labels(relabelled(labels, wanted))
    return {name: value for name, value in wanted.items() if labels.get(name) != value}


def _check_name(name: str) -> None:
    check_text("name of a label", name, MAX_LABEL_NAME)
    if not name or name != name.strip() or not name.isprintable() or any(mark in name for mark in _APART):
        raise BadInputError(
            f"The label {name!r} will not do: a name has 1 to {MAX_LABEL_NAME} printable characters, "
            "no = and no comma, and no space at either end."
        )
