"""Taking away all that names somebody who goes, in the transaction in which they go.

Grants to them go, as does what they administer, own and created tags of; their requests for access
end; no trust policy can be met by whoever has their name next. The policy's version grows, so that
every process sees it with its next call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from lakeveil.adapters.lake.codec import (
    PRINCIPALS_IN_SETTINGS,
    resource_of,
    settings_of,
    settings_text,
)
from lakeveil.adapters.lake.snapshot import raise_policy_version
from lakeveil.adapters.tables.identity import identity_roles
from lakeveil.adapters.tables.lake import (
    lake_databases,
    lake_tables,
    lf_assignments,
    lf_expressions,
    lf_filters,
    lf_grants,
    lf_locations,
    lf_settings,
    lf_tags,
)
from lakeveil.adapters.tables.requests import access_requests
from lakeveil.core.access.explaining.access_requests import RequestState
from lakeveil.core.access.lake import LakeSettings
from lakeveil.core.identity import arns
from lakeveil.core.identity.departure import Departure, Leaver, Tie
from lakeveil.core.identity.trust import without
from lakeveil.errors import Conflict, UsageError

_AT_ONCE = 500
_NOBODY_ASKS = "whoever asked was deleted"
_OWNED = ((lake_databases, "owner"), (lake_tables, "owner"), (lf_tags, "created_by"))
_OF_ACCOUNTS = (
    lf_assignments,
    lf_tags,
    lf_expressions,
    lf_filters,
    lf_settings,
    lf_locations,
)


def standing_on(connection: sa.Connection, who: Leaver) -> Departure:
    """All that names somebody, as it is now."""
    ties: dict[Tie, Iterable[str]] = {
        Tie.GRANT: (f"g{number}" for number in _grants(connection, who)),
        Tie.ADMINISTRATOR: _settings(connection, who),
        Tie.DATABASE: (f"{r.account}/{r.name}" for r in _named(connection, lake_databases, who)),
        Tie.TABLE: (
            f"{r.account}/{r.database}.{r.name}" for r in _named(connection, lake_tables, who)
        ),
        Tie.TAG: (f"{r.account}/{r.key}" for r in _named(connection, lf_tags, who, "created_by")),
        Tie.REQUEST: _pending(connection, who),
        Tie.TRUST: (arns.role_arn(*place) for place in _trusts(connection, who)),
    }
    if who.account:
        of = {
            Tie.ONTOLOGY: lf_tags.c.key,
            Tie.EXPRESSION: lf_expressions.c.name,
            Tie.FILTER: lf_filters.c.name,
            Tie.LOCATION: lf_locations.c.location,
        }
        for tie, column in of.items():
            here = sa.select(column).where(column.table.c.account == who.account)
            ties[tie] = connection.scalars(here.order_by(column)).all()
    return Departure(id=who.id, ties={tie: tuple(named) for tie, named in ties.items()})


def depart(tx: sa.Connection, who: Leaver, *, now: float) -> Departure:
    """Take away all that names somebody who goes in this transaction; returns what that was.

    Raises:
        Conflict: an account still has data in its catalog.
    """
    if who.account:
        _refuse_with_data(tx, who.account)
    found = standing_on(tx, who)
    for place, trust in _trusts(tx, who).items():
        account, name = place
        tx.execute(
            sa.update(identity_roles)
            .where(identity_roles.c.account == account, identity_roles.c.name == name)
            .values(trust=trust)
        )
    _take_from_lake(tx, who, now)
    if found or who.account:
        raise_policy_version(tx)
    return found


def arrive(tx: sa.Connection, who: Leaver, *, now: float) -> Departure:
    """Take away what a newcomer would inherit; returns what that was.

    Nothing is left of who had the name before, unless a call of theirs, or about them, was under
    way while they went. A trust that names a newcomer is meant for it: it may be written first.

    Raises:
        Conflict: there is data in the catalog of an account that is new.
    """
    if who.account:
        _refuse_with_data(tx, who.account)
    ties = standing_on(tx, who).ties
    found = Departure(ties={tie: named for tie, named in ties.items() if tie is not Tie.TRUST})
    _take_from_lake(tx, who, now)
    if found or who.account:
        raise_policy_version(tx)
    return found


def _take_from_lake(tx: sa.Connection, who: Leaver, now: float) -> None:
    numbers = _grants(tx, who)
    for start in range(0, len(numbers), _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        tx.execute(sa.delete(lf_grants).where(lf_grants.c.id.in_(some)))
    for account, settings in _settings(tx, who).items():
        tx.execute(
            sa.update(lf_settings)
            .where(lf_settings.c.account == account)
            .values(settings_json=settings_text(settings))
        )
    for table, column in _OWNED:
        tx.execute(sa.update(table).where(_names(table.c[column], who)).values({column: ""}))
    _end_requests(tx, who, now)
    if who.account:
        for table in _OF_ACCOUNTS:
            tx.execute(sa.delete(table).where(table.c.account == who.account))


def _end_requests(tx: sa.Connection, who: Leaver, now: float) -> None:
    r = access_requests.c
    tx.execute(
        sa.update(access_requests)
        .where(_of_requests(who), r.state == RequestState.PENDING.value)
        .values(state=RequestState.WITHDRAWN.value, answered_at=now, answer=_NOBODY_ASKS)
    )
    # What was asked for before is not the next one's to read either.
    tx.execute(sa.update(access_requests).where(_names(r.requester, who)).values(requester=who.id))


def _refuse_with_data(tx: sa.Connection, account: str) -> None:
    for table, what in ((lake_databases, "databases"), (lake_tables, "tables")):
        if tx.execute(sa.select(table.c.name).where(table.c.account == account)).first():
            raise Conflict(
                f"account `{account}` has {what}",
                why="an account comes and goes empty",
                fix="drop its databases first; for a new account, choose another id",
            )


def _grants(connection: sa.Connection, who: Leaver) -> Sequence[int]:
    """The rows of the grants that go: to whoever goes, and all that an account gave or owns."""
    g = lf_grants.c
    query = sa.select(g.id, g.account, g.principal, g.resource_json).order_by(g.id)
    if not who.account:
        return [row.id for row in connection.execute(query.where(_names(g.principal, who)))]
    return [
        row.id
        for row in connection.execute(query)
        if who.covers(row.principal)
        or who.account in {row.account, resource_of(row.resource_json).account}
    ]


def _settings(connection: sa.Connection, who: Leaver) -> dict[str, LakeSettings]:
    """The settings of accounts that name whoever goes, as they are without."""
    found = {}
    rows = connection.execute(sa.select(lf_settings).order_by(lf_settings.c.account))
    for account, text in rows:
        before = settings_of(text, ())
        lists: dict[str, Any] = {
            name: _without(getattr(before, name), who) for name in PRINCIPALS_IN_SETTINGS
        }
        after = replace(before, **lists)
        if after != before:
            found[account] = after
    return found


def _without(identifiers: frozenset[str], who: Leaver) -> frozenset[str]:
    return frozenset(one for one in identifiers if not who.covers(one))


def _trusts(connection: sa.Connection, who: Leaver) -> dict[tuple[str, str], str]:
    """(account, role) -> its trust as it is without whoever goes, where that makes a difference."""
    r = identity_roles.c
    rows = connection.execute(sa.select(r.account, r.name, r.trust).order_by(r.account, r.name))
    found = {}
    for account, name, before in rows:
        # One that cannot be read lets nobody in as it is.
        with suppress(UsageError):
            if (after := without(before, who)) != before:
                found[account, name] = after
    return found


def _pending(connection: sa.Connection, who: Leaver) -> Sequence[str]:
    r = access_requests.c
    query = sa.select(r.id).where(_of_requests(who), r.state == RequestState.PENDING.value)
    return connection.scalars(query.order_by(r.asked_at, r.id)).all()


def _of_requests(who: Leaver) -> sa.ColumnElement[bool]:
    """By whoever goes, or about tables of an account that goes."""
    r = access_requests.c
    by = _names(r.requester, who)
    return sa.or_(by, r.account == who.account) if who.account else by


def _named(
    connection: sa.Connection, table: sa.Table, who: Leaver, column: str = "owner"
) -> Sequence[Any]:
    keys = list(table.primary_key.columns)
    query = sa.select(*keys).where(_names(table.c[column], who))
    return connection.execute(query.order_by(*keys)).all()


def _names(column: sa.ColumnElement[str], who: Leaver) -> sa.ColumnElement[bool]:
    """`Leaver.covers` in SQL. Not LIKE, which takes no notice of case in SQLite."""
    return sa.or_(
        column.in_(sorted(who.names)),
        *(sa.func.substr(column, 1, len(prefix)) == prefix for prefix in who.prefixes),
    )
