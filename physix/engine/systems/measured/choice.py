"""What a person says about the columns, on top of what was proposed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from physix.engine.systems.measured.names import canonical_unit
from physix.engine.systems.measured.table import Role, Roles, Table
from physix.errors import CsvError


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Columns by name or by label; what is not named keeps its proposed role.

    Attributes:
        rate: which column is the rate of which, `{"v": "height"}`.
        sigma: which column holds the standard deviation of which, `{"errU": "U"}`.
        first_order: states written `dx/dt`, whatever their names say.
        second_order: positions whose velocity is not in the file and is estimated.
        units: what a column is measured in, `{"x": "cm"}`; replaces what the file says.
    """

    time: str | None = None
    run: str | None = None
    states: Sequence[str] = ()
    inputs: Sequence[str] = ()
    ignore: Sequence[str] = ()
    rate: Mapping[str, str] = field(default_factory=dict)
    sigma: Mapping[str, str] = field(default_factory=dict)
    first_order: Sequence[str] = ()
    second_order: Sequence[str] = ()
    units: Mapping[str, str] = field(default_factory=dict)


def choose(table: Table, choice: Choice) -> dict[str, Role]:
    """Return the role of every column: the proposal, changed as told.

    Raises:
        CsvError: a name that no column has, or one column in two roles; all of them in one message.
    """
    faults: list[str] = []
    find = _Finder(table, faults)
    chosen = dict(table.roles)
    told: dict[str, Role] = {}

    def tell(name: str, role: Role) -> None:
        column = find(name)
        if column is None:
            return
        if column in told and told[column] != role:
            faults.append(f"Column {name!r} cannot be {told[column].kind} and {role.kind} at once.")
        told[column] = role

    if choice.time is not None:
        _give_way(chosen, "time")
        tell(choice.time, Role(kind="time"))
    if choice.run is not None:
        _give_way(chosen, "run")
        tell(choice.run, Role(kind="run"))
    for kind, pairs in (("rate", choice.rate), ("sigma", choice.sigma)):
        for name, of in pairs.items():
            owner = find(of)
            if owner is not None and kind == "rate":
                tell(name, Role(kind="rate", of=owner))
                chosen[owner] = _kept_state(chosen[owner])
            elif owner is not None:
                tell(name, Role(kind="sigma", of=owner))
    for name in choice.inputs:
        tell(name, Role(kind="input"))
    for name in choice.ignore:
        tell(name, Role(kind="ignore"))
    for name in choice.first_order:
        tell(name, Role(kind="state", order=1))
    for name in choice.second_order:
        tell(name, Role(kind="state", order=2))
    for name in choice.states:
        column = find(name)
        if column is not None and column not in told:
            told[column] = _kept_state(chosen[column])
    chosen.update(told)
    _settle(chosen, told)
    for name, unit in choice.units.items():
        column = find(name)
        if column is not None:
            chosen[column] = replace(chosen[column], unit=canonical_unit(unit) or "1")
    if faults:
        raise CsvError(" ".join(dict.fromkeys(faults)))
    return chosen


def _kept_state(role: Role) -> Role:
    return role if role.kind == "state" else Role(kind="state", order=1)


def _give_way(chosen: dict[str, Role], kind: str) -> None:
    for name, role in chosen.items():
        if role.kind == kind:
            chosen[name] = Role(kind="ignore")


def _settle(chosen: dict[str, Role], told: Mapping[str, Role]) -> None:
    """Let a changed role have its consequences for the columns that were proposed along with it."""
    for name, role in list(chosen.items()):
        if name in told or role.of is None:
            continue
        owner = chosen.get(role.of)
        if owner is not None and owner.kind == "state" and owner.order is None and role.kind == "rate":
            rivals = [n for n, r in told.items() if r.kind == "rate" and r.of == role.of]
            if rivals:
                chosen[name] = Role(kind="ignore")
        elif owner is not None and owner.kind != "state":
            # Of a column that is no state any more the uncertainty goes with it; a rate stands alone.
            gone = role.kind == "sigma" and owner.kind != "rate"
            chosen[name] = (
                Role(kind="ignore") if gone else role if role.kind == "sigma" else Role(kind="state", order=1)
            )
        elif owner is not None and owner.order is not None and role.kind == "rate":
            # Told to be of an order of its own, the position needs no rate; the rate stands alone or goes.
            chosen[name] = Role(kind="ignore") if owner.order == 2 else Role(kind="state", order=1)
    rated = {role.of for role in chosen.values() if role.kind == "rate"}
    for name, role in chosen.items():
        if role.kind == "state" and role.order is None and name not in rated:
            lost = any(told.get(n, Role(kind="time")).kind == "ignore" for n in told)
            chosen[name] = replace(role, order=2 if lost else 1)


class _Finder:
    """Finds columns by name or label and collects the names of those that are not there."""

    def __init__(self, table: Table, faults: list[str]) -> None:
        self._by_word: dict[str, str] = {}
        for column in reversed(table.columns):
            self._by_word[column.label.strip().lower()] = column.name
            self._by_word[column.name.lower()] = column.name
        for column in table.columns:
            self._by_word[column.label.strip()] = column.name
        for column in table.columns:
            self._by_word[column.name] = column.name
        self._names = ", ".join(column.name for column in table.columns[:20])
        self._faults = faults

    def __call__(self, word: str) -> str | None:
        plain = word.strip()
        found = self._by_word.get(plain) or self._by_word.get(plain.lower())
        if found is None:
            self._faults.append(f"There is no column {word[:40]!r}; the columns are: {self._names}.")
        return found


def all_roles(table: Table, given: Roles) -> dict[str, Role]:
    """Return given roles once every column has one: those not named keep their proposal.

    Raises:
        CsvError: a name that no column has.
    """
    unknown = [name for name in given if name not in table.roles]
    if unknown:
        names = ", ".join(column.name for column in table.columns[:20])
        raise CsvError(f"There is no column {unknown[0][:40]!r}; the columns are: {names}.")
    return {**table.roles, **given}
