"""The matrix of who sees what: one cell for each principal and column.

Cells are what is exported and compared. Two exports are compared by what they say, as nothing else
is left of the lakes that they were made of: where rows or masks differ and the outcome does not,
the cell counts as gained, since more may show.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lakeveil.core.access.changing.changes import LakeState
from lakeveil.core.access.changing.exposure import Exposure, Gain
from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.deciding.decision import Outcome
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.tags import Expression, matches

_RANK = {Outcome.HIDDEN: 0, Outcome.MASKED: 1, Outcome.VISIBLE: 2}

CellKey = tuple[str, TableName, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What one principal sees of one column.

    `rows` is a row filter's text, or `TRUE` or `FALSE`; `masks` has one text for each mask, the one
    that shows most first. `tags` are the effective ones.
    """

    principal: str
    table: TableName
    column: str
    outcome: Outcome
    rows: str = "FALSE"
    masks: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> CellKey:
        """What tells it apart from the other cells of a matrix."""
        return self.principal, self.table, self.column


def cells(state: LakeState, *, now: float) -> Iterator[Cell]:
    """Every cell, hidden ones too, in order of principal, table and column's place."""
    for arn in sorted(state.principals):
        for name in sorted(state.tables):
            table = state.tables[name]
            decision = decide(state.principals[arn], table, state.policy, now=now)
            for column in decision.columns:
                yield Cell(
                    principal=arn,
                    table=name,
                    column=column.name,
                    outcome=column.outcome,
                    rows=column.rows.text(),
                    masks=tuple(f"{mask} where {rows.text()}" for mask, rows in column.masked),
                    grants=column.grants,
                    tags=table.tags.of_column(column.name),
                )


def compared(before: Iterable[Cell], after: Iterable[Cell]) -> Exposure:
    """Who sees more and who sees less in a later matrix; a cell it lacks counts as hidden."""
    earlier = {cell.key: cell for cell in before}
    later = {cell.key: cell for cell in after}
    gains, losses = [], []
    for key in sorted(earlier.keys() | later.keys()):
        one, other = earlier.get(key), later.get(key)
        gain = Gain(
            principal=key[0],
            table=key[1],
            column=key[2],
            before=one.outcome if one else Outcome.HIDDEN,
            after=other.outcome if other else Outcome.HIDDEN,
        )
        step = _RANK[gain.after] - _RANK[gain.before]
        shows_else = one and other and (one.rows, one.masks) != (other.rows, other.masks)
        if step > 0 or (step == 0 and shows_else):
            gains.append(gain)
        elif step < 0:
            losses.append(gain)
    return Exposure(gains=tuple(gains), losses=tuple(losses))


def protected(
    gains: Iterable[Gain], tags: Mapping[tuple[TableName, str], Mapping[str, str]], by: Expression
) -> list[Gain]:
    """The gains whose column's tags an expression matches.

    A column without tags on record cannot be told to be outside, so it counts as inside.
    """
    found = []
    for gain in gains:
        of_column = tags.get((gain.table, gain.column))
        if of_column is None or matches(by, of_column, frozenset(of_column)):
            found.append(gain)
    return found
