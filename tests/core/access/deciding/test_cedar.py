"""Cedar, asked about the same lakes, says the same; and would say so if we were wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from lakeveil.core.access.deciding.database import database_permissions
from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.deciding.decision import Decision, Outcome
from lakeveil.core.access.grants import OnColumns, TagPolicy
from lakeveil.core.access.lake import Policy, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import LFTag
from lakeveil.core.identity.principal import Principal
from tests.core.access.deciding.cedar import ON_DATABASES, ON_TABLES, Answers, ask
from tests.core.access.random_lakes import HOME, NOW, ONTOLOGY, Lake, random_lake

Decide = Callable[[Principal, Table, Policy], Decision]
Asked = Sequence[tuple[int, Lake, Answers]]
CI_LAKES = 400


def ours(who: Principal, table: Table, policy: Policy) -> Decision:
    return decide(who, table, policy, now=NOW)


def _ask(seeds: range) -> Iterator[tuple[int, Lake, Answers]]:
    for seed in seeds:
        lake = random_lake(random.Random(seed))
        yield seed, lake, ask(lake)


@pytest.fixture(scope="module")
def asked() -> Asked:
    return list(_ask(range(CI_LAKES)))


def differences(lake: Lake, answers: Answers, decision: Decide) -> Iterator[str]:
    """Where Cedar and a decision disagree."""
    for who in lake.principals:
        for table in lake.tables:
            found = decision(who, table, lake.policy)
            yield from _about_table(who.arn, table, found, answers)


def _about_table(who: str, table: Table, found: Decision, answers: Answers) -> Iterator[str]:
    shows = knows = False
    for column in found.columns:
        name = f"{table.name}.{column.name}"
        see, show = answers[who, "SEE", name], answers[who, "SHOW", name]
        outcome = Outcome.VISIBLE if see else Outcome.MASKED if show else Outcome.HIDDEN
        shows, knows = shows or show, knows or answers[who, "KNOW", name]
        if column.outcome is not outcome:
            yield f"{who} {name}: Cedar says {outcome}, we say {column.outcome}"
    theirs = {p for p in ON_TABLES if answers[who, p, str(table.name)]}
    theirs |= {"DESCRIBE"} if knows else set()
    theirs |= {"SELECT"} if shows else set()
    if found.permissions != theirs:
        yield f"{who} {table.name}: Cedar says {sorted(theirs)}, we say {sorted(found.permissions)}"


def _about_databases(lake: Lake, answers: Answers) -> Iterator[str]:
    for who in lake.principals:
        for database in lake.databases:
            held, _ = database_permissions(who, database, lake.policy, now=NOW)
            theirs = {p for p in ON_DATABASES if answers[who.arn, p, database.name]}
            if held != theirs:
                yield f"{who.arn} {database.name}: Cedar says {theirs}, we say {held}"


def test_cedar_agrees_about_every_column_and_permission(asked: Asked) -> None:
    for seed, lake, answers in asked:
        assert not list(differences(lake, answers, ours)), f"lake of seed {seed}"


def test_cedar_agrees_about_databases(asked: Asked) -> None:
    for seed, lake, answers in asked:
        assert not list(_about_databases(lake, answers)), f"lake of seed {seed}"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_cedar_agrees_about_three_thousand_more_lakes() -> None:
    columns = 0
    for seed, lake, answers in _ask(range(CI_LAKES, CI_LAKES + 3_000)):
        found = [*differences(lake, answers, ours), *_about_databases(lake, answers)]
        assert not found, f"lake of seed {seed}"
        columns += sum(len(table.columns) for table in lake.tables) * len(lake.principals)
    assert columns >= 15_000


def test_the_lakes_hold_every_outcome_often(asked: Asked) -> None:
    found = [
        column.outcome
        for _, lake, _ in asked
        for who in lake.principals
        for table in lake.tables
        for column in ours(who, table, lake.policy).columns
    ]
    assert all(found.count(outcome) >= 200 for outcome in Outcome)


def _on_the_table_alone(who: Principal, table: Table, policy: Policy) -> Decision:
    return ours(who, replace(table, tags=replace(table.tags, columns={})), policy)


def _inheriting_all_or_nothing(who: Principal, table: Table, policy: Policy) -> Decision:
    columns = {
        name: {key: tags.get(key, "none") for key in ONTOLOGY}
        for name, tags in table.tags.columns.items()
        if tags
    }
    return ours(who, replace(table, tags=replace(table.tags, columns=columns)), policy)


def _forgetting_the_catalog(who: Principal, table: Table, policy: Policy) -> Decision:
    return ours(who, replace(table, tags=replace(table.tags, catalog={})), policy)


def _never_expiring(who: Principal, table: Table, policy: Policy) -> Decision:
    return decide(who, table, policy, now=0.0)


def _without_groups(who: Principal, table: Table, policy: Policy) -> Decision:
    return ours(replace(who, identities=frozenset({who.arn})), table, policy)


def _with_deleted_keys(who: Principal, table: Table, policy: Policy) -> Decision:
    tags = {
        (HOME, key): LFTag(account=HOME, key=key, values=frozenset(values))
        for key, values in ONTOLOGY.items()
    }
    return ours(who, table, replace(policy, tags=tags))


def _open_where_not_registered(who: Principal, table: Table, policy: Policy) -> Decision:
    return ours(who, replace(table, governed=True), policy)


def _excluding_nothing(who: Principal, table: Table, policy: Policy) -> Decision:
    grants = tuple(
        replace(grant, resource=replace(grant.resource, named=frozenset()))
        if isinstance(grant.resource, OnColumns) and grant.resource.excluding
        else grant
        for grant in policy.grants
    )
    return ours(who, table, replace(policy, grants=grants))


def _unmasked(who: Principal, table: Table, policy: Policy) -> Decision:
    grants = tuple(replace(grant, mask=None) for grant in policy.grants)
    return ours(who, table, replace(policy, grants=grants))


def _inserting_into_half_a_table(who: Principal, table: Table, policy: Policy) -> Decision:
    found = ours(who, table, policy)
    inserts = any(
        Permission.INSERT in grant.permissions
        for grant in policy.grants_to(who.identities)
        if isinstance(grant.resource, TagPolicy) and grant.id in str(found.because)
    )
    return replace(found, permissions=found.permissions | {Permission.INSERT}) if inserts else found


@pytest.mark.parametrize(
    "wrong",
    [
        _on_the_table_alone,
        _inheriting_all_or_nothing,
        _forgetting_the_catalog,
        _never_expiring,
        _without_groups,
        _with_deleted_keys,
        _open_where_not_registered,
        _excluding_nothing,
        _unmasked,
        _inserting_into_half_a_table,
    ],
)
def test_a_wrong_decision_would_be_found(asked: Asked, wrong: Decide) -> None:
    assert any(any(differences(lake, answers, wrong)) for _, lake, answers in asked)
