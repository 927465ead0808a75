"""What holds of every decision about every lake."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from lakeveil.core.access.deciding.contribution import Contribution
from lakeveil.core.access.deciding.database import catalog_permissions, database_permissions
from lakeveil.core.access.deciding.decide import decide, passable
from lakeveil.core.access.deciding.decision import (
    ADMINISTRATOR,
    OWNER,
    READ_ONLY_ADMINISTRATOR,
    Decision,
)
from lakeveil.core.access.grants import Grant, OnTag, Resource, TagPolicy
from lakeveil.core.access.lake import LakeSettings, Policy, Table
from lakeveil.core.access.masks import Mask, MaskKind, fitted, less
from lakeveil.core.access.rows import NONE, Rows
from lakeveil.core.access.tags import ANY, Expression, TagLayers, Tags, failing_keys, fold
from lakeveil.core.identity.principal import Principal
from tests.core.access.random_lakes import AWAY, HOME, NOW, Lake, random_grant, random_lake

SEEDS = st.integers(0, 2**32)
IMPLICIT = {OWNER, ADMINISTRATOR, READ_ONLY_ADMINISTRATOR}


def _cases(lake: Lake) -> Iterator[tuple[Principal, Table]]:
    return ((who, table) for who in lake.principals for table in lake.tables)


def _decide(who: Principal, table: Table, policy: Policy) -> Decision:
    return decide(who, table, policy, now=NOW)


def _meaning(decision: Decision) -> object:
    """A decision without the order of its columns and reasons."""
    return (
        decision.permissions,
        decision.grantable,
        decision.rows,
        {c.name: (c.visible, c.masked, frozenset(c.grants)) for c in decision.columns},
        {p: frozenset(reasons) for p, reasons in decision.because.items()},
    )


def _shown(decision: Decision) -> dict[str, dict[Mask | None, Rows]]:
    return {c.name: {None: c.visible, **dict(c.masked)} for c in decision.columns}


def _at_least(more: Decision, fewer: Decision) -> bool:
    """Whether one decision allows all that the other does, and shows no cell less of."""
    return (
        more.permissions >= fewer.permissions
        and more.grantable >= fewer.grantable
        and more.rows.covers(fewer.rows)
        and _shows(_shown(more), _shown(fewer))
    )


def _shows(
    more: dict[str, dict[Mask | None, Rows]], fewer: dict[str, dict[Mask | None, Rows]]
) -> bool:
    return all(
        _through(more.get(name, {}), mask).covers(rows)
        for name, shown in fewer.items()
        for mask, rows in shown.items()
    )


def _through(shown: dict[Mask | None, Rows], mask: Mask | None) -> Rows:
    """The rows in which at least as much shows as through a mask."""
    found = NONE
    for other, rows in shown.items():
        if other is None or (mask is not None and other.rank <= mask.rank):
            found |= rows
    return found


@settings(max_examples=150)
@given(SEEDS)
def test_adding_a_grant_never_hides_and_removing_one_never_shows(seed: int) -> None:
    dice = random.Random(seed)
    lake = random_lake(dice, shared=True)
    extra = random_grant(dice, "extra", lake.tables, lake.principals, shared=True)
    richer = replace(lake.policy, grants=(*lake.policy.grants, extra))
    for who, table in _cases(lake):
        assert _at_least(_decide(who, table, richer), _decide(who, table, lake.policy))
    for who in lake.principals:
        for database in lake.databases:
            held, grantable = database_permissions(who, database, lake.policy, now=NOW)
            more, more_grantable = database_permissions(who, database, richer, now=NOW)
            assert held <= more
            assert grantable <= more_grantable


@settings(max_examples=150)
@given(SEEDS)
def test_the_order_of_grants_and_their_repetition_mean_nothing(seed: int) -> None:
    dice = random.Random(seed)
    lake = random_lake(dice, shared=True)
    grants = [*lake.policy.grants, *dice.choices(lake.policy.grants or [None], k=3)]
    dice.shuffle(grants)
    again = replace(lake.policy, grants=tuple(g for g in grants if g is not None))
    for who, table in _cases(lake):
        assert _meaning(_decide(who, table, again)) == _meaning(_decide(who, table, lake.policy))


@settings(max_examples=150)
@given(SEEDS)
def test_a_decision_depends_on_identities_and_account_alone(seed: int) -> None:
    lake = random_lake(random.Random(seed), shared=True)
    for who, table in _cases(lake):
        other = Principal(arn="somebody", account=who.account, identities=who.identities)
        assert _decide(other, table, lake.policy) == _decide(who, table, lake.policy)


@settings(max_examples=150)
@given(SEEDS)
def test_a_grant_to_somebody_else_changes_nothing(seed: int) -> None:
    dice = random.Random(seed)
    lake = random_lake(dice, shared=True)
    made = random_grant(dice, "extra", lake.tables, lake.principals, shared=True)
    extra = replace(made, principal=f"arn:aws:iam::{HOME}:user/nobody")
    richer = replace(lake.policy, grants=(*lake.policy.grants, extra))
    for who, table in _cases(lake):
        assert _decide(who, table, richer) == _decide(who, table, lake.policy)


@settings(max_examples=150)
@given(SEEDS)
def test_taking_a_mask_off_never_shows_less(seed: int) -> None:
    lake = random_lake(random.Random(seed), shared=True)
    unmasked = tuple(replace(grant, mask=None) for grant in lake.policy.grants)
    for who, table in _cases(lake):
        open_ = _decide(who, table, replace(lake.policy, grants=unmasked))
        assert _at_least(open_, _decide(who, table, lake.policy))


@settings(max_examples=150)
@given(SEEDS)
def test_an_expired_grant_is_as_if_it_were_not_there(seed: int) -> None:
    lake = random_lake(random.Random(seed), shared=True)
    live = tuple(grant for grant in lake.policy.grants if grant.live(NOW))
    without = replace(lake.policy, grants=live)
    for who, table in _cases(lake):
        assert _decide(who, table, without) == _decide(who, table, lake.policy)


@settings(max_examples=150)
@given(SEEDS)
def test_the_order_of_columns_means_nothing(seed: int) -> None:
    lake = random_lake(random.Random(seed), shared=True)
    for who, table in _cases(lake):
        turned = replace(table, columns=table.columns[::-1])
        assert _meaning(_decide(who, turned, lake.policy)) == _meaning(
            _decide(who, table, lake.policy)
        )


@settings(max_examples=150)
@given(SEEDS)
def test_renaming_keys_and_values_everywhere_changes_nothing(seed: int) -> None:
    lake = random_lake(random.Random(seed), shared=True)
    policy = replace(
        lake.policy,
        tags={
            (account, f"my-{key}"): replace(tag, key=f"my-{key}")
            for (account, key), tag in lake.policy.tags.items()
        },
        expressions={
            name: replace(saved, body=_renamed(saved.body))
            for name, saved in lake.policy.expressions.items()
        },
        grants=tuple(
            replace(grant, resource=_of_renamed(grant.resource)) for grant in lake.policy.grants
        ),
    )
    for who, table in _cases(lake):
        renamed = TagLayers(
            catalog=_tags(table.tags.catalog),
            database=_tags(table.tags.database),
            table=_tags(table.tags.table),
            columns={name: _tags(tags) for name, tags in table.tags.columns.items()},
        )
        found = _decide(who, replace(table, tags=renamed), policy)
        assert found == _decide(who, table, lake.policy)


def _tags(tags: Tags) -> dict[str, str]:
    return {f"my-{key}": f"my-{value}" for key, value in tags.items()}


def _values(values: frozenset[str]) -> frozenset[str]:
    return frozenset(value if value == ANY else f"my-{value}" for value in values)


def _renamed(expression: Expression) -> Expression:
    return Expression(tuple((f"my-{key}", _values(values)) for key, values in expression.terms))


def _of_renamed(where: Resource) -> Resource:
    if isinstance(where, TagPolicy) and where.expression is not None:
        return replace(where, expression=_renamed(where.expression))
    if isinstance(where, OnTag):
        return replace(where, key=f"my-{where.key}", values=_values(where.values))
    return where


@settings(max_examples=150)
@given(SEEDS)
def test_without_any_grant_only_owners_and_administrators_know_a_table(seed: int) -> None:
    lake = random_lake(random.Random(seed), shared=True)
    for who, table in _cases(lake):
        found = _decide(who, table, replace(lake.policy, grants=()))
        assert {reason for reasons in found.because.values() for reason in reasons} <= IMPLICIT
        if table.owner not in who.identities:
            assert not found.shown()
            assert not found.grantable
        if table.owner not in who.identities and who.account != table.name.account:
            assert not found.exists


@settings(max_examples=150)
@given(SEEDS)
def test_whatever_is_shown_or_allowed_has_a_live_grant_to_the_asker_behind_it(seed: int) -> None:
    lake = random_lake(random.Random(seed), shared=True)
    grants = {grant.id: grant for grant in lake.policy.grants}
    for who, table in _cases(lake):
        found = _decide(who, table, lake.policy)
        behind = {reason for column in found.shown() for reason in column.grants}
        behind |= {reason for reasons in found.because.values() for reason in reasons}
        assert all(column.grants for column in found.shown())
        assert found.because.keys() == found.permissions
        for grant in (grants[reason] for reason in behind - IMPLICIT):
            assert grant.live(NOW)
            assert grant.principal in who.identities | {who.account}
            assert table.governed


@settings(max_examples=150)
@given(SEEDS)
def test_the_grants_behind_a_decision_suffice_for_it(seed: int) -> None:
    lake = random_lake(random.Random(seed))
    for who, table in _cases(lake):
        found = _decide(who, table, lake.policy)
        behind = {reason for column in found.columns for reason in column.grants}
        behind |= {reason for reasons in found.because.values() for reason in reasons}
        few = tuple(grant for grant in lake.policy.grants if grant.id in behind)
        assert _decide(who, table, replace(lake.policy, grants=few)) == found


@settings(max_examples=150)
@given(SEEDS)
def test_whoever_sees_something_of_a_table_may_know_of_it(seed: int) -> None:
    lake = random_lake(random.Random(seed), shared=True)
    for who, table in _cases(lake):
        found = _decide(who, table, lake.policy)
        assert found.exists or not found.permissions
        assert bool(found.shown()) == bool(found.rows) == ("SELECT" in found.permissions)


@settings(max_examples=150)
@given(SEEDS)
def test_what_may_be_passed_on_is_never_more_than_what_is_held(seed: int) -> None:
    lake = random_lake(random.Random(seed), shared=True)
    for who, table in _cases(lake):
        held, may = (f(who, table, lake.policy, now=NOW) for f in (decide, passable))
        assert isinstance(held, Decision)
        assert isinstance(may, Contribution)
        assert may.permissions <= held.permissions
        assert may.permissions == held.grantable
        assert _shows(_shown(held), {name: dict(shown) for name, shown in may.cells.items()})
        assert ("SELECT" in may.permissions) == bool(may.cells)
    for who in lake.principals:
        for database in lake.databases:
            permissions, grantable = database_permissions(who, database, lake.policy, now=NOW)
            assert grantable <= permissions
        permissions, grantable = catalog_permissions(who, HOME, lake.policy, now=NOW)
        assert grantable <= permissions


@settings(max_examples=150)
@given(SEEDS)
def test_nobody_is_passed_on_more_than_the_account_was_given(seed: int) -> None:
    lake = random_lake(random.Random(seed), shared=True)
    passed_on = tuple(grant for grant in lake.policy.grants if _within_the_account(grant))
    policy = replace(
        lake.policy,
        grants=passed_on,
        settings={AWAY: LakeSettings(administrators=frozenset({"chief"}))},
    )
    chief = Principal(arn="chief", account=AWAY, identities=frozenset({"chief"}))
    for who, table in _cases(lake):
        if who.account == AWAY and table.owner not in who.identities:
            given_ = _decide(chief, table, policy)
            found = _decide(who, table, policy)
            assert _at_least(given_, found)
            assert not found.grantable


def _within_the_account(grant: Grant) -> bool:
    return AWAY in {grant.principal, grant.account}


MASKS = st.sampled_from(
    [Mask(kind) for kind in MaskKind] + [Mask(MaskKind.FIXED, "x"), Mask(MaskKind.FIXED, "y")]
)
MAYBE = st.none() | MASKS


@given(MAYBE, MAYBE, MAYBE)
def test_masks_one_after_the_other_show_no_more_than_either(
    one: Mask | None, other: Mask | None, third: Mask | None
) -> None:
    both = less(one, other)
    assert both == less(other, one)
    assert less(one, one) == one
    assert less(less(one, other), third) == less(one, less(other, third))
    for mask in (one, other):
        assert mask is None or (both is not None and both.rank >= mask.rank)


@given(MASKS, st.sampled_from(["string", "varchar(3)", "date", "timestamp with time zone", "int"]))
def test_fitting_a_mask_never_makes_it_show_more(mask: Mask, kind: str) -> None:
    assert fitted(mask, kind).rank >= min(mask.rank, Mask(MaskKind.NULL).rank)
    assert fitted(fitted(mask, kind), kind) == fitted(mask, kind)


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


WORDS = st.sampled_from(["a", "b", "c"])
SOME_TAGS = st.dictionaries(WORDS, WORDS, max_size=3)
TERMS = st.dictionaries(WORDS, st.sets(WORDS | st.just(ANY), min_size=1), min_size=1)


@given(TERMS, SOME_TAGS, SOME_TAGS, st.sets(WORDS))
def test_an_expression_matches_key_by_key(
    terms: dict[str, set[str]], tags: Tags, other: Tags, defined: set[str]
) -> None:
    failing = failing_keys(Expression.of(terms), tags, defined)
    by_itself = [
        key
        for key in sorted(terms)
        if failing_keys(Expression.of({key: terms[key]}), tags, defined)
    ]
    assert list(failing) == by_itself
    beside = {**other, **{k: v for k, v in tags.items() if k in terms}}
    beside = {k: v for k, v in beside.items() if k in tags or k not in terms}
    assert failing_keys(Expression.of(terms), beside, defined) == failing
