"""The smallest changes are the smallest there are: compared with brute force over all changes."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from lakeveil.core.access.changing.change_space import (
    EVERY_KIND,
    EXTENSION_S,
    ChangeKind,
    change_space,
    kind_of,
    order_of,
)
from lakeveil.core.access.changing.changes import (
    AddGrant,
    Change,
    ExtendGrant,
    JoinGroup,
    LakeState,
    RegisterLocation,
    RemoveTag,
    SetTag,
    WidenGrant,
    apply_all,
)
from lakeveil.core.access.changing.exposure import shows_all_of
from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.deciding.decision import ColumnDecision, Outcome
from lakeveil.core.access.explaining.fixes import Fix, pairs, smallest_changes
from lakeveil.core.access.grants import (
    DataCellsFilter,
    Grant,
    OnColumns,
    OnFilter,
    OnTable,
    PolicyKind,
    Resource,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.lake import Column, LakeSettings, Policy, Table
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import Expression, LFTag, SavedExpression, TagLayers
from lakeveil.core.identity import arns
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import LakeveilError, NotFound
from tests.core.access.random_changes import HOME, NOW, random_state

CI_LAKES = 150
ALL_LAKES = 1_000
# What is allowed differs from lake to lake: where a grant by name is, one change is often enough.
MENUS = (
    EVERY_KIND,
    EVERY_KIND - {ChangeKind.GRANT_COLUMN},
    EVERY_KIND - {ChangeKind.GRANT_COLUMN, ChangeKind.GRANT_TAGS},
    EVERY_KIND - {ChangeKind.GRANT_COLUMN, ChangeKind.GRANT_TAGS, ChangeKind.SET_TAG},
)

Cells = dict[tuple[str, TableName, str], ColumnDecision]
Ranked = list[tuple[tuple[int, int, int], tuple[Change, ...]]]


def cells(state: LakeState) -> Cells:
    return {
        (arn, name, column.name): column
        for arn, who in state.principals.items()
        for name, table in state.tables.items()
        for column in decide(who, table, state.policy, now=NOW).columns
    }


def brute_force(
    who: Principal, name: TableName, column: str, state: LakeState, kinds: frozenset[ChangeKind]
) -> Ranked:
    """Every change of the whole space, then every pair; what each does is decided cell by cell."""
    before = cells(state)
    asked = (who.arn, name, column)
    if before[asked].visible.every:
        return []
    space = [
        change
        for change in dict.fromkeys(change_space(who, name, column, state, now=NOW))
        if kind_of(change) in kinds
    ]

    def reached(changes: tuple[Change, ...]) -> bool:
        try:
            after = apply_all(changes, state)
        except LakeveilError:
            return False
        decision = decide(after.principals[who.arn], after.tables[name], after.policy, now=NOW)
        found = next(one for one in decision.columns if one.name == column)
        return found.visible.every if before[asked].visible else bool(found.visible)

    def ranked(every: list[tuple[Change, ...]]) -> Ranked:
        found: Ranked = []
        for changes in every:
            after = cells(apply_all(changes, state))
            gained = [c for c in before if not shows_all_of(before[c], after[c])]
            lost = [c for c in before if not shows_all_of(after[c], before[c])]
            others = [c for c in gained if c[0] != who.arn]
            if any(before[c].outcome is Outcome.MASKED for c in others):
                continue
            beyond = [c for c in gained if c[0] == who.arn and c != asked]
            found.append(((len(others), len(beyond), len(lost)), changes))
        return sorted(found, key=lambda one: (one[0], [order_of(c) for c in one[1]]))

    enough = [one for one in space if reached((one,))]
    return ranked([(one,) for one in enough]) or ranked(
        [pair for pair in pairs(one for one in space if one not in enough) if reached(pair)]
    )


def as_ranked(fixes: tuple[Fix, ...]) -> Ranked:
    return [((fix.others, fix.beyond, fix.lost), fix.changes) for fix in fixes]


def compare(lakes: range) -> list[int]:
    """Compare lake by lake; returns how many steps each answer took, 0 where there was none."""
    steps = []
    for number in lakes:
        dice = random.Random(number)
        state = random_state(dice)
        who = state.principals[dice.choice(sorted(state.principals))]
        table = state.tables[dice.choice(sorted(state.tables))]
        column = dice.choice(table.columns).name
        kinds = MENUS[number % len(MENUS)]
        found = smallest_changes(who, table.name, column, state, now=NOW, kinds=kinds)
        expected = brute_force(who, table.name, column, state, kinds)
        assert as_ranked(found) == expected, f"lake {number}"
        steps.append(len(found[0].changes) if found else 0)
    return steps


def test_they_equal_brute_force_over_all_changes_of_up_to_two_steps() -> None:
    steps = compare(range(CI_LAKES))
    # The lakes must be such that the comparison means something.
    assert min(steps.count(0), steps.count(1), steps.count(2)) > CI_LAKES // 25


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_they_equal_brute_force_on_a_thousand_lakes() -> None:
    compare(range(CI_LAKES, ALL_LAKES))


ANA, BOB = arns.user_arn(HOME, "ana"), arns.user_arn(HOME, "bob")
ANALYSTS = arns.group_arn(HOME, "analysts")
T = TableName(HOME, "d", "t")
ON_EMAIL = OnColumns(HOME, "d", "t", frozenset({"email"}))


def person(arn: str, *groups: str) -> Principal:
    return Principal(arn=arn, account=HOME, identities=frozenset({arn, *groups}))


def lake(*grants: Grant, governed: bool = True, **more: object) -> LakeState:
    """`d.t` is open to whoever sees what is open, but for `email`; ana and bob are there."""
    table = Table(
        name=T,
        columns=(Column("id"), Column("email")),
        governed=governed,
        tags=TagLayers(database={"class": "open"}, columns={"email": {"class": "private"}}),
    )
    tag = LFTag(account=HOME, key="class", values=frozenset({"open", "private"}))
    policy = replace(Policy(tags={(HOME, "class"): tag}, grants=grants), **more)  # type: ignore[arg-type]
    return LakeState.of([table], policy, [person(ANA), person(BOB)])


def grant(name: str, to: str, on: Resource, **more: object) -> Grant:
    made = Grant(
        id=name,
        account=HOME,
        principal=to,
        resource=on,
        permissions=frozenset({Permission.SELECT}),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def tagged(value: str) -> TagPolicy:
    return TagPolicy(HOME, PolicyKind.TABLE, expression=Expression.of({"class": [value]}))


def fixes(state: LakeState, column: str = "email", **more: object) -> list[tuple[Change, ...]]:
    found = smallest_changes(person(ANA), T, column, state, now=NOW, **more)  # type: ignore[arg-type]
    return [fix.changes for fix in found]


def kinds(state: LakeState) -> set[ChangeKind | None]:
    return {kind_of(change) for changes in fixes(state) for change in changes}


def test_a_grant_by_name_comes_before_what_exposes_more() -> None:
    state = lake(grant("g1", ANA, tagged("open")), grant("g2", BOB, tagged("open")))
    found = smallest_changes(person(ANA), T, "email", state, now=NOW)
    first = found[0].changes[0]
    assert isinstance(first, AddGrant)
    assert first.grant.resource == ON_EMAIL
    assert (found[0].others, found[0].beyond) == (0, 0)
    retag = next(fix for fix in found if fix.changes == (SetTag(ON_EMAIL, "class", "open"),))
    assert retag.exposure is not None
    assert [gain.principal for gain in retag.exposure.gains] == [ANA, BOB]
    assert retag.others == 1
    assert [(f.others, f.beyond, f.lost) for f in found] == sorted(
        (f.others, f.beyond, f.lost) for f in found
    )


def test_each_kind_of_change_is_found_where_it_helps() -> None:
    saved = SavedExpression(account=HOME, name="mine", body=Expression.of({"class": ["open"]}))
    assert kinds(
        lake(
            grant("widened", ANA, tagged("open")),
            grant("named", ANA, TagPolicy(HOME, PolicyKind.TABLE, name="mine")),
            grant("expired", ANA, tagged("private"), expires_at=NOW - 1),
            grant("group", ANALYSTS, OnTable(HOME, "d", "t")),
            expressions={(HOME, "mine"): saved},
        )
    ) == EVERY_KIND - {ChangeKind.REGISTER}


def test_a_table_that_is_not_governed_takes_its_location_and_perhaps_a_grant() -> None:
    registered = RegisterLocation(T)
    assert fixes(lake(grant("g1", ANA, ON_EMAIL), governed=False)) == [(registered,)]
    two = fixes(lake(governed=False))
    assert all(registered in changes and len(changes) == 2 for changes in two)
    assert any(isinstance(changes[0], AddGrant) for changes in two)


def test_nothing_is_suggested_where_the_column_is_visible() -> None:
    assert fixes(lake(grant("g1", ANA, ON_EMAIL))) == []


def test_a_mask_of_ones_own_may_go_and_somebody_elses_never() -> None:
    masked = {"mask": Mask(MaskKind.HASH)}
    mine = lake(grant("g1", ANA, ON_EMAIL, **masked))
    assert any(isinstance(change, AddGrant) for (change,) in fixes(mine))
    theirs = lake(
        grant("g1", ANA, tagged("open")),
        grant("g2", BOB, ON_EMAIL, **masked),
        grant("g3", BOB, tagged("open")),
    )
    assert (SetTag(ON_EMAIL, "class", "open"),) not in fixes(theirs)
    assert (WidenGrant("g1", "class", "private"),) in fixes(theirs)


def test_nobody_is_made_administrator_to_see_a_column() -> None:
    rulers = arns.group_arn(HOME, "rulers")
    settings = {HOME: LakeSettings(administrators=frozenset({rulers}))}
    everything = OnTable(HOME, "d", "t")
    found = fixes(
        lake(grant("a", rulers, everything), grant("b", ANALYSTS, everything), settings=settings)
    )
    joined = {c.group for changes in found for c in changes if isinstance(c, JoinGroup)}
    assert joined == {ANALYSTS}


def test_a_group_of_another_account_is_not_suggested() -> None:
    elsewhere = arns.group_arn("222222222222", "analysts")
    found = fixes(lake(grant("a", elsewhere, OnTable(HOME, "d", "t"))))
    assert not any(isinstance(change, JoinGroup) for changes in found for change in changes)


def test_an_extension_ends_after_thirty_days() -> None:
    found = fixes(lake(grant("g", ANA, ON_EMAIL, expires_at=NOW - 1)))
    assert (ExtendGrant("g", NOW + EXTENSION_S),) in found


def test_an_override_that_goes_is_suggested_with_what_it_exposes() -> None:
    found = smallest_changes(
        person(ANA),
        T,
        "email",
        lake(grant("g1", ANA, tagged("open")), grant("g2", BOB, tagged("open"))),
        now=NOW,
        kinds=frozenset({ChangeKind.REMOVE_TAG}),
    )
    assert [(fix.changes, fix.others) for fix in found] == [((RemoveTag(ON_EMAIL, "class"),), 1)]


def test_what_a_change_takes_from_others_is_counted() -> None:
    state = lake(grant("g1", ANA, tagged("open")), grant("g2", BOB, tagged("private")))
    found = smallest_changes(person(ANA), T, "email", state, now=NOW)
    retag = next(fix for fix in found if fix.changes == (SetTag(ON_EMAIL, "class", "open"),))
    assert (retag.others, retag.lost) == (0, 1)


def test_a_filtered_column_is_only_done_with_all_of_its_rows() -> None:
    rows = DataCellsFilter(table=T, name="f", named=frozenset({"email"}), rows="id = 1")
    state = lake(grant("g", ANA, OnFilter(HOME, "d", "t", "f")), filters={(T, "f"): rows})
    for changes in fixes(state):
        after = apply_all(changes, state)
        (_, email) = decide(after.principals[ANA], after.tables[T], after.policy, now=NOW).columns
        assert email.visible.every


def test_a_column_or_table_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound):
        fixes(lake(), "nope")
    with pytest.raises(NotFound):
        smallest_changes(person(ANA), replace(T, table="x"), "id", lake(), now=NOW)


def test_somebody_whom_the_lake_does_not_list_is_answered_all_the_same() -> None:
    eve = person(arns.user_arn(HOME, "eve"))
    assert smallest_changes(eve, T, "email", lake(), now=NOW)
