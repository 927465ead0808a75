"""How much of each table of a database somebody sees, in three numbers.

To who may not know everything of the account a table is told that they may know of, or that is
discoverable to them. Of the first the hidden columns are not counted: how many there are tells that
there are some.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lakeveil.core.access.explaining.whole_lake import WholeLake
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.indexing.lake_access import LakeAccess
from lakeveil.core.identity.principal import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSummary:
    """How many columns of a table somebody sees, masked, and not at all."""

    table: TableName
    visible: int
    masked: int
    hidden: int


def summaries(
    who: Principal,
    account: str,
    database: str,
    lake: WholeLake,
    *,
    now: float,
    everything: bool,
    discovers: bool,
) -> Iterator[TableSummary]:
    """The tables of a database for a principal, by name.

    `everything` is told to who may know all of the account; `discovers` says that the database is
    discoverable to the principal, who is then the one who asks.
    """
    access = LakeAccess(lake.index, lake.policy, [who], now=now)
    matrix = access.visible_counts()
    wanted = {
        name: place
        for place, name in enumerate(matrix.tables)
        if (name.account, name.database) == (account, database)
    }
    sizes = lake.index.sizes()
    for name in sorted(wanted):
        number, place = lake.index.number(name), wanted[name]
        visible, masked = int(matrix.visible[0, place]), int(matrix.masked[0, place])
        hidden = int(sizes[number]) - visible - masked
        open_to_all = discovers and name not in lake.secret and lake.index.governed(number)
        if not (everything or open_to_all):
            hidden = 0
            if not (visible or masked or _exists(access, who, name)):
                continue
        yield TableSummary(table=name, visible=visible, masked=masked, hidden=hidden)


def _exists(access: LakeAccess, who: Principal, name: TableName) -> bool:
    return access.exact.deferred(who, access.index.table(name), now=access.now).exists
