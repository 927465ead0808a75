"""Everything that decisions are made of, read from the lake and the directory."""

from __future__ import annotations

from collections.abc import Iterable

from lakeveil.core.access.changing.changes import LakeState
from lakeveil.core.access.changing.exposure import Expose
from lakeveil.core.access.indexing.lake_access import LakeAccess
from lakeveil.core.access.indexing.lake_exposure import gains_and_losses
from lakeveil.core.access.indexing.lake_index import LakeIndex
from lakeveil.core.access.lake import Policy, Table
from lakeveil.core.identity import arns
from lakeveil.core.identity.principal import Principal
from lakeveil.ports.access_requests import People
from lakeveil.ports.lake import LakeReader

_STRANGERS = frozenset({arns.Kind.FEDERATED_USER, arns.Kind.FEDERATED_GROUP, arns.Kind.ACCOUNT})


def read_state(
    lake: LakeReader, people: People, *, database: tuple[str, str] | None = None
) -> LakeState:
    """The state of the whole lake, or of one `database` (account, name) with everybody.

    Besides users and roles it has everybody whom a grant names and the directory does not list:
    people and groups of issuers, other accounts. How many people such a group has nobody knows
    here; it counts as one.
    """
    policy = lake.policy()
    known = list(people.principals())
    return LakeState.of(
        _tables(lake, people, policy, database), policy, [*known, *_strangers(policy, people)]
    )


def exposing(state: LakeState, *, now: float) -> Expose:
    """What tells whom changes of this very state expose, from an index made once."""
    access = LakeAccess(
        LakeIndex(state.tables.values()), state.policy, state.principals.values(), now=now
    )
    return lambda changes, _state, _now: gains_and_losses(access, changes)


def _tables(
    lake: LakeReader, people: People, policy: Policy, database: tuple[str, str] | None
) -> Iterable[Table]:
    if database is not None:
        return [record.table for record in lake.tables(*database)]
    accounts = {*people.accounts(), *(account for account, _ in policy.tags)}
    accounts |= {grant.resource.account for grant in policy.grants}
    return [record.table for account in sorted(accounts) for record in lake.tables(account)]


def _strangers(policy: Policy, people: People) -> list[Principal]:
    found = []
    for identifier in sorted({grant.principal for grant in policy.grants}):
        who = people.principal(identifier)
        # Groups of the directory are there through their members.
        if who is not None and arns.parse(identifier).kind in _STRANGERS:
            found.append(who)
    return found
