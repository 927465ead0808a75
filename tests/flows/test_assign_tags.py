"""Assigning tags: who may, what holds then, and what is reported instead."""

from __future__ import annotations

import pytest

from lakeveil.core.access.grants import (
    OnCatalog,
    OnColumns,
    OnDatabase,
    OnTable,
    OnTag,
    PolicyKind,
    TagPolicy,
)
from lakeveil.core.access.tags import Expression
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import NotFound, Refused, UsageError
from lakeveil.flows import assign_tags
from lakeveil.flows.assign_tags import Taggable, add_tags, remove_tags
from lakeveil.flows.change_access import looking
from lakeveil.flows.change_tags import create_tag
from lakeveil.flows.look_at_tags import search_databases, search_tables, tags_of_table
from tests.flows.lakes import ADMIN, ANA, BOB, HOME, OWNER, P, World, on_table

ALL = frozenset({"*"})
DATABASE = OnDatabase(HOME, "ads")
ADDRESS = OnColumns(HOME, "ads", "events", frozenset({"ip_address"}))
PRIVATE = Expression.of({"class": ["private"]})


@pytest.fixture
def tagged(lake: World) -> World:
    """The published lake: `ads` is public, one column private, one rule for the analyst."""
    for key, values in {"class": ["private", "public"], "owner": ["us", "them"]}.items():
        create_tag(HOME, key, values, call=lake.call(ADMIN), desk=lake.desk)
        lake.grant(ADMIN, ADMIN.arn, OnTag(HOME, key, ALL), P.ASSOCIATE)
    add(lake, DATABASE, "public")
    add(lake, ADDRESS, "private")
    public = TagPolicy(HOME, PolicyKind.TABLE, Expression.of({"class": ["public"]}))
    lake.grant(ADMIN, ANA.arn, public, P.SELECT)
    return lake


def add(lake: World, where: Taggable, value: str) -> None:
    failed = add_tags(where, [("class", value)], call=lake.call(ADMIN), desk=lake.desk)
    assert failed == []


def test_a_column_keeps_its_own_value_below_the_databases(tagged: World) -> None:
    assert tagged.sees(ANA) == ["id", "ts", "spend"]


def test_another_value_of_a_key_replaces_the_one_before_and_leaves_other_keys(
    tagged: World,
) -> None:
    add_tags(ADDRESS, [("owner", "us")], call=tagged.call(ADMIN), desk=tagged.desk)
    add(tagged, ADDRESS, "public")

    record = tagged.desk.lake.table(tagged.decision(ANA).table)
    assert record is not None
    assert record.table.tags.columns["ip_address"] == {"class": "public", "owner": "us"}
    assert "ip_address" in tagged.sees(ANA)


def test_removing_an_override_shows_what_is_inherited(tagged: World) -> None:
    remove_tags(ADDRESS, [("class", "private")], call=tagged.call(ADMIN), desk=tagged.desk)

    assert "ip_address" in tagged.sees(ANA)


def test_who_may_only_close_does_not_open_by_taking_back(tagged: World) -> None:
    tagged.grant(ADMIN, OWNER.arn, OnTag(HOME, "class", frozenset({"private"})), P.ASSOCIATE)

    [failure] = remove_tags(
        ADDRESS, [("class", "private")], call=tagged.call(OWNER), desk=tagged.desk
    )

    assert isinstance(failure.error, Refused)
    assert "ip_address" not in tagged.sees(ANA)


def test_each_tag_stands_for_itself(tagged: World) -> None:
    failures = add_tags(
        on_table(),
        [("class", "secret"), ("nothing", "x"), ("Owner", "US")],
        call=tagged.call(ADMIN),
        desk=tagged.desk,
    )

    assert [(f.key, f.error.what) for f in failures] == [
        ("class", "Tag or tag value does not exist."),
        ("nothing", "Tag or tag value does not exist."),
    ]
    record = tagged.desk.lake.table(tagged.decision(ANA).table)
    assert record is not None
    assert record.table.tags.table == {"owner": "us"}


def test_an_administrator_first_grants_itself_to_associate(lake: World) -> None:
    create_tag(HOME, "class", ["a"], call=lake.call(ADMIN), desk=lake.desk)
    lake.grant(ADMIN, BOB.arn, OnCatalog(HOME), P.CREATE_LF_TAG)
    create_tag(HOME, "team", ["b"], call=lake.call(BOB), desk=lake.desk)

    failures = add_tags(
        on_table(), [("class", "a"), ("team", "b")], call=lake.call(ADMIN), desk=lake.desk
    )

    # Its own tag it may assign as its creator.
    assert [(f.key, type(f.error)) for f in failures] == [("team", Refused)]


def test_to_associate_a_tag_is_not_enough_the_resource_counts_too(tagged: World) -> None:
    tagged.grant(ADMIN, ANA.arn, OnTag(HOME, "class", ALL), P.ASSOCIATE)
    tagged.grant(ADMIN, ANA.arn, on_table(), P.ALTER, P.SELECT, option=(P.ALTER,))

    with pytest.raises(Refused, match="all permissions with grant option"):
        add_tags(ADDRESS, [("class", "public")], call=tagged.call(ANA), desk=tagged.desk)
    with pytest.raises(NotFound, match="Table not found"):
        add_tags(ADDRESS, [("class", "public")], call=tagged.call(BOB), desk=tagged.desk)
    with pytest.raises(Refused):
        add_tags(OnCatalog(HOME), [("class", "public")], call=tagged.call(ANA), desk=tagged.desk)


def test_who_may_pass_on_everything_and_associate_may_tag(tagged: World) -> None:
    tagged.grant(ADMIN, BOB.arn, OnTag(HOME, "class", ALL), P.ASSOCIATE)
    tagged.grant(ADMIN, BOB.arn, on_table(), P.ALL, option=(P.ALL,))
    tagged.grant(ADMIN, BOB.arn, DATABASE, P.ALL, option=(P.ALL,))

    for where in (ADDRESS, DATABASE):
        pair = [("class", "private")]
        assert add_tags(where, pair, call=tagged.call(BOB), desk=tagged.desk) == []
    assert tagged.sees(ANA) == []


def test_the_owner_tags_what_is_its_own(tagged: World) -> None:
    tagged.grant(ADMIN, OWNER.arn, OnTag(HOME, "class", ALL), P.ASSOCIATE)

    for where in (on_table(), DATABASE):
        pair = [("class", "private")]
        assert add_tags(where, pair, call=tagged.call(OWNER), desk=tagged.desk) == []


def test_a_key_is_named_once(tagged: World) -> None:
    with pytest.raises(UsageError, match="named twice"):
        add_tags(
            DATABASE,
            [("class", "public"), ("CLASS", "private")],
            call=tagged.call(ADMIN),
            desk=tagged.desk,
        )


def test_what_is_not_assigned_is_not_removed(tagged: World) -> None:
    failures = remove_tags(
        ADDRESS,
        [("class", "public"), ("owner", "us")],
        call=tagged.call(ADMIN),
        desk=tagged.desk,
    )

    assert {f.error.what for f in failures} == {"Tag is not assigned to the resource."}
    assert "ip_address" not in tagged.sees(ANA)


def test_columns_that_are_not_there_and_wildcards_take_no_tags(tagged: World) -> None:
    call = tagged.call(ADMIN)
    nowhere = OnColumns(HOME, "ads", "events", frozenset({"ip_address", "nowhere"}))

    with pytest.raises(NotFound, match="Column not found"):
        add_tags(nowhere, [("class", "public")], call=call, desk=tagged.desk)
    for wild in (
        OnTable(HOME, "ads", None),
        OnColumns(HOME, "ads", "events", frozenset({"id"}), excluding=True),
    ):
        with pytest.raises(UsageError, match="named columns"):
            add_tags(wild, [("class", "public")], call=call, desk=tagged.desk)
    assert "ip_address" not in tagged.sees(ANA)


def test_a_resource_carries_a_limited_number_of_tags(
    tagged: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assign_tags, "MAX_TAGS", 1)

    [failure] = add_tags(
        ADDRESS, [("owner", "us"), ("class", "public")], call=tagged.call(ADMIN), desk=tagged.desk
    )

    assert (failure.key, failure.error.code) == ("owner", "limit_exceeded")
    assert "ip_address" in tagged.sees(ANA)


def test_the_catalogs_tags_hold_for_all_that_has_none(tagged: World) -> None:
    add_tags(OnCatalog(HOME), [("owner", "us")], call=tagged.call(ADMIN), desk=tagged.desk)
    policy = TagPolicy(HOME, PolicyKind.TABLE, Expression.of({"owner": ["us"]}))
    tagged.grant(ADMIN, BOB.arn, policy, P.SELECT)

    assert len(tagged.sees(BOB)) == 4


def test_a_tag_is_shown_to_whom_it_may_be_known_and_on_columns_they_know(tagged: World) -> None:
    record = tagged.desk.lake.table(tagged.decision(ANA).table)
    assert record is not None
    table = record.table

    blind = tags_of_table(looking(ANA, tagged.desk), table, assigned=False)
    assert (blind.database, dict(blind.columns)) == ({}, {})

    tagged.grant(ADMIN, ANA.arn, OnTag(HOME, "class", ALL), P.DESCRIBE)
    shown = tags_of_table(looking(ANA, tagged.desk), table, assigned=False)
    assert shown.database == shown.table == {"class": "public"}
    assert list(shown.columns) == ["id", "ts", "spend"]

    explicit = tags_of_table(looking(ADMIN, tagged.desk), table, assigned=True)
    assert (explicit.table, dict(explicit.columns)) == (
        {},
        {"ip_address": {"class": "private"}},
    )


def test_a_search_does_not_find_a_table_by_a_column_that_is_hidden(tagged: World) -> None:
    tagged.grant(ADMIN, ANA.arn, OnTag(HOME, "class", ALL), P.DESCRIBE)

    def found(who: Principal, expression: Expression) -> list[str]:
        authority = looking(who, tagged.desk)
        hits = search_tables(tagged.desk.lake, authority, HOME, expression)
        return [table.name.table for table, _ in hits]

    assert found(ADMIN, PRIVATE) == ["events"]
    assert found(ANA, PRIVATE) == []
    assert found(ANA, Expression.of({"class": ["*"]})) == ["clicks", "events"]
    with pytest.raises(NotFound):
        found(BOB, PRIVATE)


def test_a_search_for_databases_finds_those_that_may_be_known(tagged: World) -> None:
    public = Expression.of({"class": ["public"]})
    tagged.grant(ADMIN, ANA.arn, OnTag(HOME, "class", ALL), P.DESCRIBE)

    def found(who: Principal) -> list[str]:
        authority = looking(who, tagged.desk)
        hits = search_databases(tagged.desk.lake, authority, HOME, public)
        return [database.name for database, _ in hits]

    assert found(ADMIN) == ["ads"]
    assert found(ANA) == []
    tagged.grant(ADMIN, ANA.arn, TagPolicy(HOME, PolicyKind.DATABASE, public), P.DESCRIBE)
    assert found(ANA) == ["ads"]
