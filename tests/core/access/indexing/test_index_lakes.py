"""Random lakes for the tests of the index, and that they hold everything that can go wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random

from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.deciding.decision import Decision, Outcome
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
from lakeveil.core.access.lake import Column, LakeSettings, Policy, Table
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import ANY, Expression, LFTag, SavedExpression, TagLayers
from lakeveil.core.identity.principal import Principal

HOME, OTHER, THIRD = "111111111111", "222222222222", "333333333333"
ORGANISATION = "arn:aws:organizations::999999999999:organization/o-1"
NOW = 1000.0
VALUES = {"class": ("private", "open"), "owner": ("us", "them", "all"), "region": ("eu", "na")}
NAMES = ("id", "ip", "mail", "day", "sum", "note")
TYPES = ("string", "date", "bigint", "varchar(9)", "array<string>")
MASKS = (
    Mask(MaskKind.YEAR),
    Mask(MaskKind.LAST_FOUR),
    Mask(MaskKind.HASH),
    Mask(MaskKind.FIXED, "x"),
    Mask(MaskKind.NULL),
)
READING = frozenset({Permission.SELECT})
PERMISSIONS = (
    READING,
    READING,
    frozenset({Permission.SELECT, Permission.DESCRIBE}),
    frozenset({Permission.ALL}),
    frozenset({Permission.DESCRIBE}),
    frozenset({Permission.INSERT, Permission.SELECT}),
    frozenset({Permission.DROP}),
)


@dataclass(frozen=True)
class Lake:
    """Tables, a policy, and everybody who might ask."""

    tables: list[Table]
    policy: Policy
    principals: list[Principal]


def random_lake(seed: int, *, tables: int = 6, grants: int = 14) -> Lake:
    """A small lake with every kind of grant, layer and account in it."""
    random = Random(seed)
    principals = _principals()
    every = [_table(random, number) for number in range(tables)]
    filters = [_filter(random, table, number) for number, table in enumerate(every[:3])]
    policy = Policy(
        tags={
            (account, key): LFTag(account=account, key=key, values=frozenset(values))
            for account in (HOME, OTHER)
            for key, values in VALUES.items()
            if random.random() < 0.93
        },
        expressions={
            (HOME, "saved"): SavedExpression(account=HOME, name="saved", body=_expression(random))
        },
        filters={(one.table, one.name): one for one in filters},
        settings={
            HOME: LakeSettings(
                administrators=frozenset({f"arn:aws:iam::{HOME}:user/root"}),
                read_only_administrators=frozenset({f"arn:aws:iam::{HOME}:user/auditor"}),
            ),
            OTHER: LakeSettings(
                administrators=frozenset({f"arn:aws:iam::{OTHER}:user/root"}),
                organisations=frozenset({ORGANISATION}),
            ),
        },
        grants=tuple(_grant(random, number, every, filters) for number in range(grants)),
    )
    return Lake(every, policy, principals)


def _principals() -> list[Principal]:
    return [
        Principal(
            arn=f"arn:aws:iam::{account}:user/{name}",
            account=account,
            identities=frozenset(
                {
                    f"arn:aws:iam::{account}:user/{name}",
                    f"{account}:IAMPrincipals",
                    *(f"arn:aws:iam::{account}:group/{group}" for group in groups),
                }
            ),
        )
        for account in (HOME, OTHER, THIRD)
        for name, groups in (
            ("ana", ("a",)),
            ("ben", ("a", "b")),
            ("cleo", ()),
            ("root", ()),
            ("auditor", ("b",)),
        )
    ]


def _table(random: Random, number: int) -> Table:
    count = random.choice((0, 1, 2, 4, 6))
    columns = tuple(Column(name, random.choice(TYPES)) for name in NAMES[:count])
    return Table(
        name=TableName(random.choice((HOME, HOME, HOME, OTHER)), f"d{number % 2}", f"t{number}"),
        columns=columns,
        owner=random.choice(("", "", f"arn:aws:iam::{HOME}:user/cleo")),
        tags=TagLayers(
            catalog=_tags(random, 0.2),
            database=_tags(random, 0.4),
            table=_tags(random, 0.5),
            columns={name: _tags(random, 0.4) for name in NAMES if random.random() < 0.3},
        ),
        governed=random.random() < 0.9,
    )


def _tags(random: Random, share: float) -> dict[str, str]:
    return {k: random.choice(values) for k, values in VALUES.items() if random.random() < share}


def _filter(random: Random, table: Table, number: int) -> DataCellsFilter:
    return DataCellsFilter(
        table=table.name,
        name=f"f{number}",
        named=frozenset(random.sample(NAMES, 2)),
        excluding=random.random() < 0.5,
        rows=random.choice((None, "region = 'eu'", "id > 7")),
    )


def _expression(random: Random) -> Expression:
    keys = random.sample(sorted(VALUES), random.choice((1, 1, 2)))
    return Expression.of(
        {
            key: random.sample((*VALUES[key], ANY), random.choice((1, 2)))
            if random.random() < 0.3
            else random.sample(VALUES[key], random.choice((1, 2)))
            for key in keys
        }
    )


def _grant(
    random: Random, number: int, tables: list[Table], filters: list[DataCellsFilter]
) -> Grant:
    where = _resource(random, tables, filters)
    permissions = random.choice(PERMISSIONS)
    if isinstance(where, OnTag):
        permissions = frozenset({Permission.DESCRIBE})
    recorded, account = where.account, random.choice((HOME, OTHER, THIRD))
    whom = random.choice(
        (
            *(f"arn:aws:iam::{account}:user/{name}" for name in ("ana", "cleo", "root")),
            *(f"arn:aws:iam::{account}:group/{name}" for name in ("a", "b")),
            f"{account}:IAMPrincipals",
        )
    )
    roll = random.random()
    if isinstance(where, OnTag) or roll < 0.25:
        whom = random.choice((OTHER, ORGANISATION))
    elif roll < 0.45:
        # OTHER passes on what it may have been given.
        recorded, whom = OTHER, whom.replace(account, random.choice((OTHER, account)))
    elif roll < 0.5:
        recorded = THIRD
    return Grant(
        id=f"g{number}",
        account=recorded,
        principal=whom,
        resource=where,
        permissions=permissions,
        grantable=permissions if random.random() < 0.6 else frozenset(),
        mask=random.choice(MASKS) if random.random() < 0.3 else None,
        expires_at=random.choice((None, None, None, NOW, NOW + 1)),
    )


def _resource(random: Random, tables: list[Table], filters: list[DataCellsFilter]) -> Resource:
    name = random.choice(tables).name
    kind = random.choice(
        (
            *("tags", "tags", "tags", "tags", "saved", "all", "table"),
            *("columns", "columns", "filter", "odd", "tag"),
        )
    )
    found = random.choice(filters)
    key = random.choice(sorted(VALUES))
    choices: dict[str, Resource] = {
        "tags": TagPolicy(random.choice((HOME, OTHER)), PolicyKind.TABLE, _expression(random)),
        "saved": TagPolicy(HOME, PolicyKind.TABLE, name=random.choice(("saved", "gone"))),
        "all": OnTable(name.account, name.database, None),
        "table": OnTable(name.account, name.database, name.table),
        "columns": OnColumns(
            name.account,
            name.database,
            name.table,
            frozenset(random.sample(NAMES, 2)),
            excluding=random.random() < 0.4,
        ),
        "filter": OnFilter(
            found.table.account, found.table.database, found.table.table, found.name
        ),
        "odd": random.choice(
            (
                OnDatabase(name.account, name.database),
                TagPolicy(HOME, PolicyKind.DATABASE, _expression(random)),
            )
        ),
        "tag": OnTag(HOME, key, frozenset({ANY, *VALUES[key]})),
    }
    return choices[kind]


def test_random_lakes_hold_every_outcome_and_every_reason() -> None:
    seen: Counter[object] = Counter()
    for seed in range(200):
        lake = random_lake(seed)
        kinds = {grant.id: type(grant.resource) for grant in lake.policy.grants}
        recorded = {grant.id: grant.account for grant in lake.policy.grants}
        for who in lake.principals:
            for table in lake.tables:
                decision = decide(who, table, lake.policy, now=NOW)
                seen.update(_features(decision))
                for reason in {r for column in decision.columns for r in column.grants}:
                    seen[kinds.get(reason, reason)] += 1
                    if recorded.get(reason, table.name.account) != table.name.account:
                        seen["passed on", kinds[reason]] += 1
    wanted = [
        *Outcome,
        *(Permission.SELECT, Permission.DROP, Permission.DESCRIBE),
        *(TagPolicy, OnTable, OnColumns, OnFilter, "owner"),
        *(("passed on", TagPolicy), ("passed on", OnTable), ("passed on", OnColumns)),
        *("some rows", "no columns"),
        *MASKS,
    ]
    assert {one: seen[one] for one in wanted if seen[one] < 5} == {}


def _features(decision: Decision) -> Counter[object]:
    found: Counter[object] = Counter()
    found.update(column.outcome for column in decision.columns)
    found.update(mask for column in decision.columns for mask, _ in column.masked)
    found.update(decision.permissions)
    found["some rows"] += bool(decision.rows) and not decision.rows.every
    found["no columns"] += not decision.columns
    return found
