"""What of a table somebody may read: what is decided, and no cell without the right to read data.

Lake Formation asks two of whoever reads: its own permissions, and the IAM action
`lakeformation:GetDataAccess` (developer guide, "Lake Formation permissions": without it services
get no data for a principal). The action takes no resource, so it is asked for on `*`. Every way to
data (query results, photos, credentials, metadata for an engine that reads itself) decides with
`decide_data`; names of what is visible are metadata, and those `decide` tells.
"""

from __future__ import annotations

from dataclasses import replace

from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.deciding.decision import ColumnDecision, Decision
from lakeveil.core.access.lake import Policy, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.rows import NONE
from lakeveil.core.identity.principal import Principal

DATA_ACCESS = "lakeformation:GetDataAccess"
_SELECT = frozenset({Permission.SELECT})


def may_read_data(who: Principal) -> bool:
    """Whether a principal's rights let it read any data at all."""
    return who.rights.allows(DATA_ACCESS, "*")


def decide_data(who: Principal, table: Table, policy: Policy, *, now: float) -> Decision:
    """What a principal may read of a table at a time (UTC seconds).

    Without the right to read data that is no cell, in full or masked, and no SELECT to hold or to
    pass on; what else is decided, such as that the table is there, stays.
    """
    decision = decide(who, table, policy, now=now)
    return decision if may_read_data(who) else without_data(decision)


def without_data(decision: Decision) -> Decision:
    """A decision with every cell hidden, and why it was not."""
    return replace(
        decision,
        permissions=decision.permissions - _SELECT,
        grantable=decision.grantable - _SELECT,
        columns=tuple(ColumnDecision(name=column.name) for column in decision.columns),
        rows=NONE,
        because={p: why for p, why in decision.because.items() if p is not Permission.SELECT},
    )
