"""The policy index: the decision itself, only sooner."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from random import Random

import pytest

from lakeveil.core.access.deciding.data_access import without_data
from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.deciding.decision import Outcome
from lakeveil.core.access.grants import Grant, PolicyKind, TableName, TagPolicy
from lakeveil.core.access.indexing.deferred_decision import DeferredDecision
from lakeveil.core.access.indexing.index import PolicyIndex, index_of
from lakeveil.core.access.indexing.table_index import TableIndex, positions
from lakeveil.core.access.lake import Column, Policy, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import Expression, LFTag, TagLayers, matches
from lakeveil.core.identity.principal import Principal
from tests.core.access.indexing.test_index_lakes import HOME, NOW, Lake, random_lake

ANA = Principal(arn="arn:ana", account=HOME, identities=frozenset({"arn:ana"}))


def compare(lake: Lake, now: float = NOW) -> int:
    """Decide everything both ways; how many decisions that were."""
    index = PolicyIndex(lake.policy)
    for who in lake.principals:
        for table in lake.tables:
            expected = decide(who, table, lake.policy, now=now)
            found = index.deferred(who, table, now=now)
            outcomes = [column.outcome for column in expected.columns]
            bits = found.visible_bits, found.masked_bits
            assert bits == (
                sum(1 << i for i, o in enumerate(outcomes) if o is Outcome.VISIBLE),
                sum(1 << i for i, o in enumerate(outcomes) if o is Outcome.MASKED),
            )
            assert found.shown_names() == {column.name for column in expected.shown()}
            assert found.full_read is expected.full_read
            assert found == expected
            assert expected == found
    return len(lake.principals) * len(lake.tables)


def test_the_index_decides_as_decide_does_on_random_lakes() -> None:
    assert sum(compare(random_lake(seed)) for seed in range(100)) >= 9000


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_index_decides_as_decide_does_on_many_random_lakes() -> None:
    for seed in range(1000, 3500):
        compare(random_lake(seed, grants=5 + seed % 40))


def test_the_index_follows_the_clock() -> None:
    lake = random_lake(7, grants=40)
    index = PolicyIndex(lake.policy)
    moved = 0
    for who in lake.principals:
        for table in lake.tables:
            sooner, later = (index.decide(who, table, now=now) for now in (0.0, NOW + 1))
            assert sooner == decide(who, table, lake.policy, now=0.0)
            assert later == decide(who, table, lake.policy, now=NOW + 1)
            moved += sooner != later
    assert moved


def test_a_policy_keeps_its_index_and_a_changed_one_has_its_own() -> None:
    policy = random_lake(7).policy
    fewer = replace(policy, grants=policy.grants[1:])

    assert index_of(policy) is index_of(policy)
    assert index_of(policy).policy is policy
    assert index_of(fewer).policy is fewer
    assert replace(fewer) == fewer, "what is kept is no part of a policy's value"


def test_a_table_that_was_replaced_is_noticed() -> None:
    policy = _policy(("class", "open"))
    open_table = _table(3, {"class": "open"})
    index = PolicyIndex(policy)
    assert len(index.decide(ANA, open_table, now=NOW).shown()) == 3
    closed = replace(open_table, tags=TagLayers(table={"class": "private"}))
    assert index.decide(ANA, closed, now=NOW).shown() == ()
    assert len(index.decide(ANA, open_table, now=NOW).shown()) == 3


def test_what_is_remembered_is_what_would_be_decided() -> None:
    lake = random_lake(7, grants=40)
    index = PolicyIndex(lake.policy)
    ends = {g.expires_at for g in lake.policy.grants if g.expires_at is not None}
    moments = [0.0, *(end + by for end in sorted(ends) for by in (-0.5, 0.0, 0.5))]
    assert len(ends) > 1
    for now in (*moments, *reversed(moments)):
        for who in lake.principals:
            for table in lake.tables:
                found = index.remembered(who, table, now=now)
                assert found == index.deferred(who, table, now=now)
                assert found is index.remembered(who, table, now=now)


def test_what_is_remembered_of_a_table_is_not_told_of_another_of_its_name() -> None:
    index = PolicyIndex(_policy(("class", "open")))
    open_table = _table(3, {"class": "open"})
    closed = replace(open_table, tags=TagLayers(table={"class": "private"}))
    assert len(index.remembered(ANA, open_table, now=NOW).shown_names()) == 3

    assert not index.remembered(ANA, closed, now=NOW).exists

    other = replace(ANA, account="999999999999")
    assert index.remembered(other, open_table, now=NOW) == index.deferred(
        other, open_table, now=NOW
    )


def test_identities_are_not_confused_for_each_other() -> None:
    index = PolicyIndex(_policy(("class", "open")))
    table = _table(2, {"class": "open"})
    assert index.decide(ANA, table, now=NOW).exists
    stranger = replace(ANA, identities=frozenset({"arn:ben"}))
    assert not index.decide(stranger, table, now=NOW).exists


def test_a_decision_of_the_index_is_an_ordinary_decision() -> None:
    policy = _policy(("class", "open"))
    table = _table(4, {"class": "open"})
    expected = decide(ANA, table, policy, now=NOW)
    for use in (copy.copy, lambda d: pickle.loads(pickle.dumps(d)), replace):
        again = use(PolicyIndex(policy).deferred(ANA, table, now=NOW))
        assert isinstance(again, DeferredDecision)
        assert again == expected
        assert again.full_read
        assert again.shown_names() == {column.name for column in table.columns}
    nothing = without_data(PolicyIndex(policy).deferred(ANA, table, now=NOW))
    assert not nothing.full_read
    assert not nothing.shown()
    found = PolicyIndex(policy).decide(ANA, table, now=NOW)
    assert found.full_read
    assert found != replace(expected, columns=())
    assert found != object()
    with pytest.raises(AttributeError, match="colums"):
        _ = found.colums  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        found.rows = expected.rows  # type: ignore[misc]


def test_bitmaps_match_as_tags_do() -> None:
    for seed in range(60):
        lake = random_lake(seed)
        random = Random(seed)
        expression = random.choice(
            [
                grant.resource.expression
                for grant in lake.policy.grants
                if isinstance(grant.resource, TagPolicy) and grant.resource.expression
            ]
        )
        keys = frozenset(key for key, _ in expression.terms)
        for table in lake.tables:
            bits = TableIndex(table).matching(expression.terms)
            assert positions(bits) == [
                *(
                    i
                    for i, column in enumerate(table.columns)
                    if matches(expression, table.tags.of_column(column.name), keys)
                ),
                *([len(table.columns)] if matches(expression, table.tags.of_table(), keys) else []),
            ]


def _policy(*terms: tuple[str, str]) -> Policy:
    return Policy(
        tags={
            (HOME, key): LFTag(account=HOME, key=key, values=frozenset({value}))
            for key, value in terms
        },
        grants=tuple(
            Grant(
                id=f"{key}={value}",
                account=HOME,
                principal="arn:ana",
                resource=TagPolicy(HOME, PolicyKind.TABLE, Expression.of({key: [value]})),
                permissions=frozenset({Permission.SELECT}),
            )
            for key, value in terms
        ),
    )


def _table(count: int, tags: dict[str, str]) -> Table:
    return Table(
        name=TableName(HOME, "d", "t"),
        columns=tuple(Column(f"c{i}") for i in range(count)),
        tags=TagLayers(table=tags),
    )
