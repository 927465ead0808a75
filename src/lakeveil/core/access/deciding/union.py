"""The union of contributions, on its way to a decision."""

from __future__ import annotations

from collections import defaultdict

from lakeveil.core.access.deciding.contribution import Contribution, Shown
from lakeveil.core.access.deciding.decision import ColumnDecision, Decision
from lakeveil.core.access.lake import Table
from lakeveil.core.access.masks import Mask, fitted, less
from lakeveil.core.access.permissions import NOTHING, Permission
from lakeveil.core.access.rows import NONE, Rows


class Union:
    """Adds up what each grant allows. Mutable; lives as long as one decision takes."""

    def __init__(self) -> None:
        self.because: dict[Permission, list[str]] = defaultdict(list)
        self.grantable: set[Permission] = set()
        self.cells: dict[str, dict[Mask | None, Rows]] = defaultdict(dict)
        self.reasons: dict[str, list[str]] = defaultdict(list)

    def add(self, reason: str, part: Contribution) -> None:
        """Count a contribution; `reason` is its grant's id."""
        for permission in part.permissions:
            self.because[permission].append(reason)
        self.grantable |= part.grantable
        for column, shown in part.cells.items():
            held = self.cells[column]
            for mask, rows in shown.items():
                held[mask] = held.get(mask, NONE) | rows
            self.reasons[column].append(reason)

    def within(self, part: Contribution) -> Contribution | None:
        """A contribution cut down to what is summed up here; None where nothing is left."""
        cells: dict[str, Shown] = {}
        for column, shown in part.cells.items():
            cut: dict[Mask | None, Rows] = {}
            for mask, rows in shown.items():
                for other, others in self.cells.get(column, {}).items():
                    if both := rows & others:
                        seen = less(mask, other)
                        cut[seen] = cut.get(seen, NONE) | both
            if cut:
                cells[column] = cut
        permissions = part.permissions & frozenset(self.because)
        if not cells:
            permissions -= {Permission.SELECT}
        if not permissions:
            return None
        return Contribution(
            permissions=permissions,
            # A consumer's grants end with the consumer: nobody passes them on again.
            grantable=NOTHING,
            cells=cells,
        )

    def contribution(self) -> Contribution:
        """The sum as one contribution, reasons left out."""
        return Contribution(
            permissions=frozenset(self.because),
            grantable=frozenset(self.grantable),
            cells={column: dict(shown) for column, shown in self.cells.items()},
        )

    def decision(self, table: Table) -> Decision:
        """The sum as a decision about the table that it was summed up for."""
        columns = tuple(self._column(column.name, column.type) for column in table.columns)
        rows = NONE
        for column in columns:
            rows |= column.rows
        because = {p: tuple(reasons) for p, reasons in self.because.items()}
        if not rows:
            because.pop(Permission.SELECT, None)
        return Decision(
            table=table.name,
            permissions=frozenset(because),
            grantable=frozenset(self.grantable) & frozenset(because),
            columns=columns,
            rows=rows,
            because=because,
        )

    def _column(self, name: str, kind: str) -> ColumnDecision:
        shown = self.cells.get(name, {})
        visible = shown.get(None, NONE)
        by_mask: dict[Mask, Rows] = {}
        for mask, rows in shown.items():
            if mask is not None:
                fits = fitted(mask, kind)
                by_mask[fits] = by_mask.get(fits, NONE) | rows
        masked: list[tuple[Mask, Rows]] = []
        better = visible
        for mask in sorted(by_mask, key=lambda one: one.rank):
            if not better.covers(by_mask[mask]):
                masked.append((mask, by_mask[mask]))
                better |= by_mask[mask]
        return ColumnDecision(
            name=name,
            visible=visible,
            masked=tuple(masked),
            grants=tuple(self.reasons.get(name, ())),
        )
