"""Random small lakes with everything that decides about access, and every obstacle to it."""

from __future__ import annotations

import random

from lakeveil.core.access.changing.changes import LakeState
from lakeveil.core.access.grants import (
    DataCellsFilter,
    Grant,
    OnColumns,
    OnFilter,
    OnTable,
    OnTag,
    PolicyKind,
    Resource,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.lake import Column, LakeSettings, Policy, Table
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import ANY, Expression, LFTag, SavedExpression, TagLayers
from lakeveil.core.identity import arns
from lakeveil.core.identity.principal import Principal

HOME = "111111111111"
OTHER = "222222222222"
NOW = 1_000_000.0
ONTOLOGY = {
    "class": ("non-private", "private"),
    "owner": ("internal", "partner"),
    "region": ("eu", "us"),
}
COLUMNS = ("id", "email", "ip")
GROUPS = (arns.group_arn(HOME, "analysts"), arns.group_arn(HOME, "finance"))


def random_state(dice: random.Random) -> LakeState:
    """One lake: two databases at most, three tables, four principals of two accounts."""
    keys = dice.sample(sorted(ONTOLOGY), dice.randint(1, 3))
    defined = [key for key in keys if dice.random() < 0.93]
    tags = {
        (HOME, key): LFTag(account=HOME, key=key, values=frozenset(ONTOLOGY[key]))
        for key in defined
    }
    databases = {name: _assigned(dice, keys, 0.6) for name in ("d", "e")[: dice.randint(1, 2)]}
    tables = [
        _table(dice, database, name, keys, explicit)
        for database, explicit in databases.items()
        for name in ("t", "u")[: dice.randint(1, 2)]
    ]
    principals = _principals(dice)
    expressions = {
        (HOME, name): SavedExpression(account=HOME, name=name, body=_expression(dice, keys))
        for name in ("open", "gone")[: dice.randint(0, 1)]
    }
    filters = {}
    for table in tables:
        if dice.random() < 0.4:
            found = DataCellsFilter(
                table=table.name,
                name="f",
                named=frozenset(dice.sample(COLUMNS, dice.randint(0, 2))),
                excluding=dice.random() < 0.4,
                rows=dice.choice([None, "region = 'us'", "region = 'eu'"]),
            )
            filters[table.name, "f"] = found
    grants = tuple(
        _grant(dice, number, tables, keys, principals) for number in range(dice.randint(0, 6))
    )
    settings = {
        HOME: LakeSettings(
            administrators=frozenset({arns.group_arn(HOME, "admins")}),
            read_only_administrators=frozenset(),
        ),
        OTHER: LakeSettings(
            administrators=frozenset({arns.user_arn(OTHER, "omar")})
            if dice.random() < 0.5
            else frozenset(),
        ),
    }
    policy = Policy(
        tags=tags, expressions=expressions, grants=grants, filters=filters, settings=settings
    )
    return LakeState.of(tables, policy, principals)


def _principals(dice: random.Random) -> list[Principal]:
    found = []
    for account, name in ((HOME, "ana"), (HOME, "bob"), (HOME, "eve"), (OTHER, "omar")):
        arn = arns.user_arn(account, name)
        groups = {g for g in GROUPS if account == HOME and dice.random() < 0.3}
        if account == HOME and dice.random() < 0.1:
            groups.add(arns.group_arn(HOME, "admins"))
        identities = frozenset({arn, arns.iam_principals(account), *groups})
        found.append(Principal(arn=arn, account=account, identities=identities))
    return found


def _table(
    dice: random.Random, database: str, name: str, keys: list[str], explicit: dict[str, str]
) -> Table:
    columns = {c: tags for c in COLUMNS if (tags := _assigned(dice, keys, 0.25))}
    return Table(
        name=TableName(HOME, database, name),
        columns=tuple(Column(one) for one in COLUMNS),
        owner=arns.user_arn(HOME, "eve") if dice.random() < 0.2 else "",
        tags=TagLayers(database=explicit, table=_assigned(dice, keys, 0.3), columns=columns),
        governed=dice.random() < 0.8,
    )


def _grant(
    dice: random.Random,
    number: int,
    tables: list[Table],
    keys: list[str],
    principals: list[Principal],
) -> Grant:
    resource = _resource(dice, dice.choice(tables).name, keys)
    account = HOME
    to = dice.choice([*(who.arn for who in principals), *GROUPS, OTHER])
    if to == arns.user_arn(OTHER, "omar") and dice.random() < 0.6:
        account = OTHER
    permissions = (
        frozenset({Permission.DESCRIBE})
        if isinstance(resource, OnTag)
        else frozenset(
            {
                dice.choice(
                    [Permission.SELECT, Permission.SELECT, Permission.ALL, Permission.DESCRIBE]
                )
            }
        )
    )
    masked = dice.random() < 0.15 and permissions == {Permission.SELECT}
    return Grant(
        id=f"g{number}",
        account=account,
        principal=to,
        resource=resource,
        permissions=permissions,
        grantable=permissions if to == OTHER and dice.random() < 0.7 else frozenset(),
        mask=Mask(dice.choice([MaskKind.HASH, MaskKind.NULL])) if masked else None,
        expires_at=dice.choice([None, None, NOW + 5, NOW - 5, NOW]),
    )


def _resource(  # noqa: PLR0911 - one for each kind
    dice: random.Random, name: TableName, keys: list[str]
) -> Resource:
    match dice.randrange(10):
        case 0:
            return OnTable(HOME, name.database, dice.choice([None, name.table]))
        case 1:
            named = frozenset(dice.sample(COLUMNS, dice.randint(1, 2)))
            return OnColumns(HOME, name.database, name.table, named, dice.random() < 0.3)
        case 2:
            return OnFilter(HOME, name.database, name.table, dice.choice(["f", "f", "lost"]))
        case 3:
            return TagPolicy(HOME, PolicyKind.TABLE, name=dice.choice(["open", "gone"]))
        case 4:
            return TagPolicy(HOME, PolicyKind.DATABASE, expression=_expression(dice, keys))
        case 5:
            key = dice.choice(keys)
            return OnTag(HOME, key, frozenset({dice.choice([ANY, *ONTOLOGY[key]])}))
        case _:
            return TagPolicy(HOME, PolicyKind.TABLE, expression=_expression(dice, keys))


def _expression(dice: random.Random, keys: list[str]) -> Expression:
    chosen = dice.sample(keys, dice.randint(1, len(keys)))
    return Expression.of(
        {
            key: [ANY] if dice.random() < 0.08 else dice.sample(ONTOLOGY[key], dice.randint(1, 1))
            for key in chosen
        }
    )


def _assigned(dice: random.Random, keys: list[str], share: float) -> dict[str, str]:
    return {key: dice.choice(ONTOLOGY[key]) for key in keys if dice.random() < share}
