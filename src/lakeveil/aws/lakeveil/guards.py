"""Name guards: GuardNames, ListNameGuards, LiftNameGuard."""

from __future__ import annotations

from collections.abc import Collection

from lakeveil.aws.lakeveil.shapes import Desks, Shape, catalog_of, first
from lakeveil.core.access.guards import NameGuard
from lakeveil.core.access.tags import fold
from lakeveil.flows import change_discovery
from lakeveil.flows.change_access import Call, looking
from lakeveil.flows.look_at_guards import name_guards


def guard_names(call: Call, params: Shape, desks: Desks) -> Shape:
    """GuardNames: says which columns it closes."""
    account = catalog_of(params, call.who.account)
    made = change_discovery.guard_names(
        params["Pattern"], params["TagKey"], account=account, call=call, desk=desks.access
    )
    return {"Guard": _guard_shape(made, _closed_by(made, account, call, desks))}


def list_name_guards(call: Call, params: Shape, desks: Desks) -> Shape:
    """ListNameGuards: at most a hundred, so there are no pages."""
    account = catalog_of(params, call.who.account)
    found = name_guards(call.who, account, lake=desks.access.lake)
    return {"Guards": [_guard_shape(one.guard, one.closes) for one in found]}


def lift_name_guard(call: Call, params: Shape, desks: Desks) -> Shape:
    """LiftNameGuard: says which columns inherit again."""
    account = catalog_of(params, call.who.account)
    guard = NameGuard(params["Pattern"], fold(params["TagKey"]))
    closed = _closed_by(guard, account, call, desks)
    change_discovery.lift_guard(
        guard.pattern, guard.key, account=account, call=call, desk=desks.access
    )
    return {"Guard": _guard_shape(guard, closed)}


def _closed_by(
    guard: NameGuard, account: str, call: Call, desks: Desks
) -> tuple[tuple[str, str], ...]:
    """What a guard alone keeps closed; nothing for who may not look at guards."""
    if not looking(call.who, desks.access).views(account):
        return ()
    return tuple(change_discovery.withheld_by(guard, account=account, lake=desks.access.lake))


def _guard_shape(guard: NameGuard, closes: Collection[tuple[str, str]]) -> Shape:
    return {
        "Pattern": guard.pattern,
        "TagKey": guard.key,
        "ColumnCount": len(closes),
        "Columns": [f"{table}.{column}" for table, column in first(list(closes))],
    }
