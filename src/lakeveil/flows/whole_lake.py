"""The whole lake, and everybody who could see something of it: what changes are weighed against."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lakeveil.core.access.explaining.whole_lake import WholeLake
from lakeveil.core.access.indexing.lake_index import LakeIndex
from lakeveil.core.access.lake import Policy
from lakeveil.core.identity import arns
from lakeveil.core.identity.principal import Principal
from lakeveil.ports.access_requests import People
from lakeveil.ports.lake import LakeReader
from lakeveil.ports.whole_lake import WholeLakes

_STRANGERS = frozenset({arns.Kind.FEDERATED_USER, arns.Kind.FEDERATED_GROUP, arns.Kind.ACCOUNT})


@contextmanager
def whole_lake(
    lake: LakeReader,
    people: People,
    *,
    kept: WholeLakes | None,
    only: tuple[str, str] | None = None,
) -> Iterator[WholeLake]:
    """The whole lake: the one that is kept ready, else read table by table.

    Where a question is about one database alone (account, name) no more than that is read.
    """
    if kept is not None:
        with kept.whole() as found:
            yield found
        return
    policy = lake.policy()
    index, secret = LakeIndex(), set()
    for account, database in [only] if only else _everywhere(policy, people):
        hidden = {one.database.name for one in lake.databases(account) if not one.discoverable}
        for record in lake.tables(account, database):
            index.put(record.table)
            if not record.discoverable or record.table.name.database in hidden:
                secret.add(record.table.name)
    yield WholeLake(policy=policy, index=index, secret=secret)


def everybody(policy: Policy, people: People) -> dict[str, Principal]:
    """By ARN, the users and roles, and whom a grant names that the directory does not list.

    Those are people and groups of issuers, and other accounts. How many people such a group has
    nobody knows here; it counts as one. Groups of the directory are there through their members.
    """
    found = {who.arn: who for who in people.principals()}
    for identifier in sorted({grant.principal for grant in policy.grants}):
        if identifier not in found and arns.parse(identifier).kind in _STRANGERS:
            who = people.principal(identifier)
            if who is not None:
                found[who.arn] = who
    return found


def _everywhere(policy: Policy, people: People) -> list[tuple[str, None]]:
    accounts = {*people.accounts(), *(account for account, _ in policy.tags)}
    accounts |= {grant.resource.account for grant in policy.grants}
    return [(account, None) for account in sorted(accounts)]
