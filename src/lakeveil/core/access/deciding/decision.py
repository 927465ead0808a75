"""What a decision says: permissions, columns, rows, and the grants behind each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from lakeveil.core.access.grants import TableName
from lakeveil.core.access.masks import Mask
from lakeveil.core.access.permissions import NOTHING, Permission, Permissions
from lakeveil.core.access.rows import NONE, Rows

ADMINISTRATOR = "administrator"
"""Stands where a grant's id does: the right comes from being a data lake administrator."""
READ_ONLY_ADMINISTRATOR = "read-only-administrator"
OWNER = "owner"


class Outcome(Enum):
    """What becomes of a column."""

    VISIBLE = "visible"
    MASKED = "masked"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDecision:
    """One column: in which rows its value shows, and in which only a mask of it.

    `masked` has the mask that shows most first; rows that show more already are not repeated.
    A cell that none of them covers is NULL. `grants` are ids, or `OWNER`.
    """

    name: str
    visible: Rows = NONE
    masked: tuple[tuple[Mask, Rows], ...] = ()
    grants: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The most that some row shows."""
        if self.visible:
            return Outcome.VISIBLE
        return Outcome.MASKED if self.masked else Outcome.HIDDEN

    @property
    def rows(self) -> Rows:
        """The rows in which anything of it shows."""
        found = self.visible
        for _, rows in self.masked:
            found |= rows
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one principal may see of one table: every column in order, hidden ones too.

    `rows` are those that may be returned at all. `because` names the grants behind each
    permission. Without `DESCRIBE` the table does not exist for the principal.
    """

    table: TableName
    permissions: Permissions = NOTHING
    grantable: Permissions = NOTHING
    columns: tuple[ColumnDecision, ...] = ()
    rows: Rows = NONE
    because: Mapping[Permission, tuple[str, ...]] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        """Whether the principal may know that the table is there."""
        return Permission.DESCRIBE in self.permissions

    def shown(self) -> tuple[ColumnDecision, ...]:
        """The columns that are not hidden."""
        return tuple(c for c in self.columns if c.outcome is not Outcome.HIDDEN)

    @property
    def full_read(self) -> bool:
        """Whether every cell of the table is visible: what a whole file may be given out for."""
        return bool(self.columns) and all(column.visible.every for column in self.columns)
