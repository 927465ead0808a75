"""Small lakes at random, dense enough that grants overlap, miss, and half match."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lakeveil.core.access.grants import (
    DataCellsFilter,
    Grant,
    OnColumns,
    OnDatabase,
    OnFilter,
    OnTable,
    OnTag,
    PolicyKind,
    Resource,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.lake import Column, Database, LakeSettings, Policy, Table
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import Expression, LFTag, SavedExpression, TagLayers
from lakeveil.core.identity.principal import Principal

HOME, AWAY = "111111111111", "222222222222"
NOW = 100.0
ONTOLOGY = {"class": ["private", "open"], "owner": ["us", "them"], "team": ["red", "blue", "é"]}
TYPES = ["string", "date", "int", "array<string>"]
FILTERS = ["a = 1", "b = 2", "c = 3"]
GROUPS = [f"arn:aws:iam::{HOME}:group/{name}" for name in ("analysts", "engineers")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lake:
    """One account's databases and tables, the policy over them, and who asks."""

    policy: Policy
    databases: Sequence[Database]
    tables: Sequence[Table]
    principals: Sequence[Principal]


def random_lake(dice: random.Random, *, shared: bool = False) -> Lake:
    """A lake of two databases, two tables and three principals.

    With `shared` there is a second account as well, with a principal of its own, shares with it,
    and grants that pass them on.
    """
    principals = [_principal(dice, name, HOME) for name in ("ana", "bob", "eve")]
    if shared:
        principals += [_principal(dice, name, AWAY) for name in ("carl", "cleo")]
    catalog = _tags(dice, 0.1)
    databases = [
        Database(
            account=HOME,
            name=name,
            owner=dice.choice(principals).arn if dice.random() < 0.1 else "",
            catalog_tags=catalog,
            tags=_tags(dice, 0.5),
        )
        for name in ("d", "e")
    ]
    tables = [_table(dice, databases[n == "e.t"], n, principals) for n in ("d.t", "e.t")]
    policy = Policy(
        tags={
            (HOME, key): LFTag(account=HOME, key=key, values=frozenset(values))
            for key, values in ONTOLOGY.items()
            if dice.random() < 0.9
        },
        expressions={
            (HOME, name): SavedExpression(account=HOME, name=name, body=_expression(dice))
            for name in ("one", "two")
            if dice.random() < 0.8
        },
        filters=dict(_filter(dice, table, name) for table in tables for name in ("f", "g")),
        settings={
            account: LakeSettings(
                administrators=frozenset(p.arn for p in principals if dice.random() < 0.2),
                read_only_administrators=frozenset(
                    p.arn for p in principals if dice.random() < 0.1
                ),
            )
            for account in ((HOME, AWAY) if shared else (HOME,))
        },
    )
    grants = [
        random_grant(dice, f"g{number}", tables, principals, shared=shared)
        for number in range(dice.randint(0, 14 if shared else 10))
    ]
    return Lake(
        policy=replace(policy, grants=tuple(grants)),
        databases=databases,
        tables=tables,
        principals=principals,
    )


def random_grant(
    dice: random.Random,
    number: str,
    tables: Sequence[Table],
    principals: Sequence[Principal],
    *,
    shared: bool = False,
) -> Grant:
    """A grant that often concerns one of these tables."""
    some = list(Permission)[:7]
    allowed = frozenset(dice.sample(some, dice.randint(1, 2)))
    if dice.random() < 0.6:
        allowed |= {Permission.SELECT}
    mask = Mask(dice.choice(list(MaskKind))) if dice.random() < 0.2 else None
    everybody = [p.arn for p in principals] + GROUPS + [f"{HOME}:IAMPrincipals"]
    return Grant(
        id=number,
        account=AWAY if shared and dice.random() < 0.4 else HOME,
        principal=AWAY if shared and dice.random() < 0.4 else dice.choice(everybody),
        resource=_resource(dice, dice.choice(tables), shared=shared),
        permissions=allowed,
        grantable=frozenset(dice.sample(some, 2)) if dice.random() < 0.5 else frozenset(),
        mask=mask,
        expires_at=dice.choice([50.0, 100.0, 150.0]) if dice.random() < 0.3 else None,
    )


def _principal(dice: random.Random, name: str, account: str) -> Principal:
    arn = f"arn:aws:iam::{account}:user/{name}"
    groups = [group for group in GROUPS if account == HOME and dice.random() < 0.4]
    return Principal(
        arn=arn,
        account=account,
        identities=frozenset({arn, f"{account}:IAMPrincipals", *groups}),
    )


def _table(
    dice: random.Random, database: Database, name: str, principals: Sequence[Principal]
) -> Table:
    columns = [Column(c, dice.choice(TYPES)) for c in "abcd"[: dice.randint(1, 4)]]
    return Table(
        name=TableName(HOME, database.name, name.partition(".")[2]),
        columns=tuple(columns),
        owner=dice.choice(principals).arn if dice.random() < 0.1 else "",
        tags=TagLayers(
            catalog=database.catalog_tags,
            database=database.tags,
            table=_tags(dice, 0.3),
            columns={c.name: _tags(dice, 0.3) for c in columns if dice.random() < 0.7},
        ),
        governed=dice.random() < 0.9,
    )


def _tags(dice: random.Random, likely: float) -> dict[str, str]:
    return {k: dice.choice(v) for k, v in ONTOLOGY.items() if dice.random() < likely}


def _expression(dice: random.Random) -> Expression:
    keys = dice.sample(list(ONTOLOGY), dice.choice([1, 1, 2, 3]))
    return Expression.of(
        {
            key: ["*"]
            if dice.random() < 0.15
            else dice.sample(ONTOLOGY[key], dice.randint(1, len(ONTOLOGY[key])))
            for key in keys
        }
    )


def _filter(
    dice: random.Random, table: Table, name: str
) -> tuple[tuple[TableName, str], DataCellsFilter]:
    found = DataCellsFilter(
        table=table.name,
        name=name,
        named=frozenset(dice.sample("abcd", dice.randint(1, 3))),
        excluding=dice.random() < 0.3,
        rows=dice.choice(FILTERS) if dice.random() < 0.8 else None,
    )
    return (table.name, name), found


def _resource(dice: random.Random, table: Table, *, shared: bool) -> Resource:
    at = (table.name.account, table.name.database)
    if shared and dice.random() < 0.15:
        key = dice.choice(list(ONTOLOGY))
        return OnTag(HOME, key, frozenset(dice.choice([ONTOLOGY[key], ["*"]])))
    kind = PolicyKind.TABLE if dice.random() < 0.8 else PolicyKind.DATABASE
    columns = frozenset(dice.sample("abcd", dice.randint(1, 3)))
    tagged = TagPolicy(HOME, kind, expression=_expression(dice))
    saved = TagPolicy(HOME, kind, name=dice.choice(["one", "two"]))
    named: list[Resource] = [
        OnDatabase(*at),
        OnTable(*at, table.name.table),
        OnTable(*at, None),
        OnColumns(*at, table.name.table, columns, dice.random() < 0.4),
        OnFilter(*at, table.name.table, dice.choice(["f", "g", "gone"])),
    ]
    return dice.choice([tagged, tagged, tagged, saved, dice.choice(named), dice.choice(named)])
