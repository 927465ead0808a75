"""The lake index: what everybody sees of a whole lake, and what a change does to it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from lakeveil.core.access.changing.changes import (
    AddGrant,
    Change,
    ExtendGrant,
    JoinGroup,
    LakeState,
    LeaveGroup,
    RegisterLocation,
    RemoveGrant,
    RemoveTag,
    SetTag,
    TagPlace,
    WidenExpression,
    WidenGrant,
)
from lakeveil.core.access.changing.exposure import difference as decide_all_twice
from lakeveil.core.access.changing.exposure import exposed_by
from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.deciding.decision import Outcome
from lakeveil.core.access.grants import OnColumns, OnDatabase, OnTable, TableName
from lakeveil.core.access.indexing.lake_access import LakeAccess
from lakeveil.core.access.indexing.lake_exposure import counted, difference, gains_and_losses
from lakeveil.core.access.indexing.lake_index import LakeIndex
from lakeveil.core.access.lake import Column, Policy, Table
from lakeveil.core.access.tags import TagLayers
from lakeveil.errors import LakeveilError, NotFound
from tests.core.access.indexing.test_index_lakes import (
    HOME,
    MASKS,
    NAMES,
    NOW,
    TYPES,
    VALUES,
    Lake,
    random_lake,
)

LAKES = 60


def compare(access: LakeAccess, tables: dict[TableName, Table]) -> None:
    """Every cell of the matrix, and who sees each column, against `decide`."""
    matrix = access.visible_counts()
    assert set(matrix.tables) == set(tables)
    seen: dict[tuple[TableName, str], dict[str, Outcome]] = {}
    for row, who in enumerate(access.principals):
        assert matrix.principals[row] == who.arn
        for number, name in enumerate(matrix.tables):
            columns = decide(who, tables[name], access.policy, now=access.now).columns
            outcomes = Counter(column.outcome for column in columns)
            counts = matrix.visible[row, number], matrix.masked[row, number]
            assert counts == (outcomes[Outcome.VISIBLE], outcomes[Outcome.MASKED])
            for column in columns:
                shown = seen.setdefault((name, column.name), {})
                if column.outcome is not Outcome.HIDDEN:
                    shown[who.arn] = column.outcome
    for (name, shown_column), by_arn in seen.items():
        assert access.who_sees(name, shown_column) == by_arn


def access_to(lake: Lake, now: float = NOW) -> LakeAccess:
    return LakeAccess(LakeIndex(lake.tables), lake.policy, lake.principals, now=now)


def by_name(lake: Lake) -> dict[TableName, Table]:
    return {table.name: table for table in lake.tables}


def test_the_matrix_and_who_sees_a_column_are_what_decide_says() -> None:
    for seed in range(LAKES):
        lake = random_lake(seed, grants=20)
        compare(access_to(lake), by_name(lake))


def test_the_matrix_follows_tables_as_they_come_go_and_change() -> None:
    for seed in range(LAKES // 2):
        random = Random(seed)
        lake = random_lake(seed, grants=20)
        access, tables = access_to(lake), by_name(lake)
        for step in range(4):
            for table in _changed(random, tables, step):
                tables[table.name] = table
                access.index.put(table)
            gone = random.choice(sorted(tables))
            del tables[gone]
            access.index.drop(gone)
            compare(access, tables)


def test_gains_and_losses_are_what_deciding_everything_twice_says() -> None:
    moved = _compare_changes(range(LAKES), grants=45)
    assert moved["gain"] > 50
    assert moved["loss"] > 50
    assert moved["rows"] > 3
    assert moved["refused"] < moved["asked"] / 2


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_matrix_and_differences_on_many_random_lakes() -> None:
    for seed in range(5000, 5600):
        lake = random_lake(seed, tables=9, grants=5 + seed % 40)
        compare(access_to(lake), by_name(lake))
    _compare_changes(range(6000, 6400), grants=30)


def test_another_policy_is_compared_as_a_whole() -> None:
    for seed in range(LAKES // 2):
        lake, other = random_lake(seed), random_lake(seed + 1)
        policy = replace(other.policy, filters=lake.policy.filters)
        before = LakeState.of(lake.tables, lake.policy, lake.principals)
        found = difference(access_to(lake), policy, lake.principals)
        assert found == decide_all_twice(before, replace(before, policy=policy), NOW)


def test_principals_who_are_not_the_same_are_not_compared() -> None:
    lake = random_lake(1)
    with pytest.raises(ValueError, match="same principals"):
        difference(access_to(lake), lake.policy, lake.principals[1:])


def test_tables_come_out_as_they_went_in() -> None:
    for seed in range(20):
        for table in LakeIndex(random_lake(seed).tables):
            (original,) = (t for t in random_lake(seed).tables if t.name == table.name)
            names = {column.name for column in original.columns}
            kept = {n: t for n, t in original.tags.columns.items() if n in names and t}
            assert table == replace(original, tags=replace(original.tags, columns=kept))


def test_what_dropped_tables_took_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakeveil.core.access.indexing.lake_index._SPARE", 8)
    lake = random_lake(3, tables=12)
    access, tables = access_to(lake), by_name(lake)
    for round_ in range(10):
        for table in lake.tables:
            wider = replace(table, columns=(*table.columns, Column(f"new{round_}")))
            access.index.put(wider)
            access.index.put(table)
        compare(access, tables)
    columns = sum(len(table.columns) for table in lake.tables)
    assert len(access.index.columns_of(access.index.numbers())[1]) == columns
    assert access.index.spare < 2 * columns + 16
    there = set(access.index.numbers().tolist())
    assert set(access.index.pairs().tables.tolist()) <= there


def test_a_table_that_is_not_there_is_an_error() -> None:
    access = access_to(random_lake(2))
    nowhere = TableName(HOME, "d0", "nowhere")
    with pytest.raises(NotFound, match="nowhere"):
        access.index.table(nowhere)
    with pytest.raises(NotFound, match="nowhere"):
        access.index.drop(nowhere)
    with pytest.raises(NotFound, match="nowhere"):
        access.who_sees(nowhere, "id")
    with pytest.raises(NotFound, match="nowhere"):
        gains_and_losses(access, [RemoveTag(OnTable(HOME, "d0", "nowhere"), "class")])


def test_a_column_that_is_not_there_is_an_error() -> None:
    lake = random_lake(2)
    with pytest.raises(NotFound, match="nothing_like_it"):
        access_to(lake).who_sees(lake.tables[0].name, "nothing_like_it")


def test_an_empty_lake_has_an_empty_matrix() -> None:
    matrix = LakeAccess(LakeIndex(), Policy(), random_lake(1).principals, now=NOW).visible_counts()
    assert matrix.visible.shape == (15, 0)
    assert not np.any(matrix.masked)


def _changed(random: Random, tables: dict[TableName, Table], step: int) -> list[Table]:
    names = sorted(tables)
    first, second = (tables[random.choice(names)] for _ in range(2))
    column = random.choice(NAMES)
    tags = {**first.tags.columns.get(column, {}), "class": random.choice(VALUES["class"])}
    retagged = replace(
        first, tags=replace(first.tags, columns={**first.tags.columns, column: tags})
    )
    wider = replace(second, columns=(*second.columns, Column(f"c{step}", random.choice(TYPES))))
    new = Table(
        name=TableName(HOME, "d1", f"new{step}"),
        columns=(Column("id"), Column("day", "date")),
        tags=TagLayers(table={"class": "open", "surprise": f"{step}"}),
    )
    return [retagged, wider, new] if first.name != second.name else [retagged, new]


def _compare_changes(seeds: range, grants: int) -> Counter[str]:
    moved: Counter[str] = Counter()
    for seed in seeds:
        random = Random(seed)
        lake = random_lake(seed, grants=grants)
        state = LakeState.of(lake.tables, lake.policy, lake.principals)
        access = access_to(lake)
        for _ in range(6):
            changes = [_change(random, lake) for _ in range(random.choice((1, 1, 2)))]
            moved["asked"] += 1
            try:
                expected = exposed_by(changes, state, NOW)
            except LakeveilError as error:
                moved["refused"] += 1
                with pytest.raises(type(error)):
                    gains_and_losses(access, changes)
                continue
            found = gains_and_losses(access, changes)
            assert found == expected
            gained = Counter(gain.principal for gain in expected.gains)
            lost = Counter(loss.principal for loss in expected.losses)
            counts = {arn: (gained[arn], lost[arn]) for arn in gained | lost}
            assert counted(access, changes) == counts
            moved["gain"] += len(found.gains)
            moved["loss"] += len(found.losses)
            moved["rows"] += sum(gain.before is gain.after for gain in found.gains)
        compare(access, by_name(lake))
    return moved


def _change(random: Random, lake: Lake) -> Change:
    table = random.choice(lake.tables)
    name, key = table.name, random.choice(sorted(VALUES))
    columns = [column.name for column in table.columns] or ["none"]
    place: TagPlace = random.choice(
        (
            OnDatabase(name.account, name.database),
            OnTable(name.account, name.database, name.table),
            OnColumns(name.account, name.database, name.table, frozenset({random.choice(columns)})),
        )
    )
    value = random.choice(VALUES[key])
    grant = random.choice(lake.policy.grants)
    who = random.choice(lake.principals)
    # Through another mask it often is about other rows, or another mask, of what shows already.
    again = replace(
        random.choice(lake.policy.grants),
        id="added",
        principal=random.choice((grant.principal, who.arn)),
        mask=random.choice((None, *MASKS)),
        expires_at=None,
    )
    group = f"arn:aws:iam::{who.account}:group/{random.choice('ab')}"
    kinds: tuple[Change, ...] = (
        SetTag(place, key, value),
        SetTag(place, key, value),
        RemoveTag(place, key),
        *(AddGrant(again), AddGrant(again), AddGrant(again)),
        RemoveGrant(grant.id),
        WidenGrant(grant.id, key, value),
        WidenExpression(HOME, "saved", key, value),
        ExtendGrant(grant.id, random.choice((NOW, NOW + 1))),
        JoinGroup(who.arn, group),
        LeaveGroup(who.arn, group),
        RegisterLocation(name),
    )
    return random.choice(kinds)
