"""Whatever matches names may only close, never open."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from lakeveil.core.access.changing.changes import LakeState, RemoveTag, SetTag
from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.deciding.decision import Outcome
from lakeveil.core.access.explaining.explain import ObstacleKind, explain
from lakeveil.core.access.explaining.fixes import smallest_changes
from lakeveil.core.access.grants import Grant, OnColumns, PolicyKind, TableName, TagPolicy
from lakeveil.core.access.guards import NameGuard, guarded, resembles
from lakeveil.core.access.indexing.index import PolicyIndex
from lakeveil.core.access.lake import Column, Policy, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import ANY, WITHHELD, Expression, LFTag, TagLayers
from lakeveil.core.identity.principal import Principal
from tests.core.access.random_lakes import random_lake

A = "123456789012"
ANA = Principal(arn="ana", account=A, identities=frozenset({"ana"}))
GUARD = NameGuard("ip_addr*", "class")
TAGS = {
    (A, key): LFTag(account=A, key=key, values=frozenset(values))
    for key, values in {"class": ("private", "non-private"), "owner": ("internal",)}.items()
}


def policy(*expressions: dict[str, list[str]]) -> Policy:
    grants = tuple(
        Grant(
            id=f"g{number}",
            account=A,
            principal="ana",
            resource=TagPolicy(A, PolicyKind.TABLE, Expression.of(terms)),
            permissions=frozenset({Permission.SELECT}),
        )
        for number, terms in enumerate(expressions)
    )
    return Policy(tags=TAGS, grants=grants)


def events(*names: str) -> Table:
    """The advertising lake's events: the database is open, `ip_address` alone is private."""
    layers = TagLayers(
        database={"class": "non-private", "owner": "internal"},
        columns={"ip_address": {"class": "private"}},
    )
    return Table(
        name=TableName(A, "ads", "events"),
        columns=tuple(map(Column, names)),
        tags=guarded(layers, names, [GUARD]),
    )


def seen(table: Table, rules: Policy) -> list[str]:
    """The columns that are visible, by both ways to decide; they must agree."""
    decision = decide(ANA, table, rules, now=0)
    assert PolicyIndex(rules).decide(ANA, table, now=0) == decision
    return [c.name for c in decision.columns if c.outcome is Outcome.VISIBLE]


def test_the_near_miss_of_a_private_name_stays_closed() -> None:
    """`ipaddress` was nobody's rule; beside `ip_address` it would inherit what is open."""
    rules = policy({"class": ["non-private"], "owner": ["internal"]})

    assert seen(events("id", "ip_address", "ipaddress", "IPAddr", "ship_address"), rules) == [
        "id",
        "ship_address",
    ]


@pytest.mark.parametrize("values", [["private", "non-private"], [ANY]])
def test_listing_every_value_does_not_open_it(values: list[str]) -> None:
    assert seen(events("id", "ipaddress"), policy({"class": values})) == ["id"]


def test_an_expression_that_does_not_ask_for_the_key_still_matches() -> None:
    assert seen(events("id", "ipaddress"), policy({"owner": ["internal"]})) == ["id", "ipaddress"]


def test_what_is_withheld_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="withheld"):
        Expression.of({"class": [WITHHELD]})


def test_only_the_name_itself_is_compared() -> None:
    assert resembles("Ip-Address_2", "ip*address*")
    assert not resembles("zip_address", "ip_address")
    assert not resembles("ip", "ip_addr*")


@pytest.mark.parametrize("seed", range(60))
def test_a_guard_never_shows_anybody_anything(seed: int) -> None:
    """On random lakes with random guards: every decision is the same or smaller."""
    dice = Random(seed)
    lake = random_lake(dice)
    keys = sorted({key for _, key in lake.policy.tags})
    names = sorted({column.name for table in lake.tables for column in table.columns})
    guards = [NameGuard(dice.choice(names), dice.choice(keys)) for _ in range(3)]
    for table in lake.tables:
        closed = replace(table, tags=guarded(table.tags, (c.name for c in table.columns), guards))
        for who in lake.principals:
            before = decide(who, table, lake.policy, now=0)
            after = decide(who, closed, lake.policy, now=0)
            assert PolicyIndex(lake.policy).decide(who, closed, now=0) == after
            assert after.permissions <= before.permissions
            for was, now in zip(before.columns, after.columns, strict=True):
                assert was.visible.covers(now.visible)
                assert was.rows.covers(now.rows)


def test_the_explanation_says_that_the_name_is_guarded() -> None:
    rules = policy({"class": ["non-private"]})

    found = explain(ANA, events("id", "ipaddress"), "ipaddress", rules, now=0)

    assert [(tag.key, tag.value) for tag in found.tags] == [("owner", "internal")]
    (failing,) = found.failing
    assert [(o.kind, o.key, o.has) for o in failing.obstacles] == [
        (ObstacleKind.GUARDED, "class", None)
    ]


def test_the_smallest_change_is_to_tag_the_column_itself() -> None:
    table = events("id", "ipaddress")
    state = LakeState.of([table], policy({"class": ["non-private"]}), [ANA])

    fixes = smallest_changes(ANA, table.name, "ipaddress", state, now=0)

    changes = [change for fix in fixes for change in fix.changes]
    place = OnColumns(A, "ads", "events", frozenset({"ipaddress"}))
    assert SetTag(place, "class", "non-private") in changes
    assert not [change for change in changes if isinstance(change, RemoveTag)]
