"""The ontology and saved expressions: who may change them, and what that changes."""

from __future__ import annotations

import pytest

from lakeveil.core.access.grants import OnCatalog, OnExpression, OnTag, PolicyKind, TagPolicy
from lakeveil.core.access.tags import Expression
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import Conflict, NotFound, Refused, UsageError
from lakeveil.flows import change_tags
from lakeveil.flows.assign_tags import add_tags
from lakeveil.flows.change_access import looking
from lakeveil.flows.change_tags import (
    create_tag,
    delete_expression,
    delete_tag,
    expression_of,
    save_expression,
    update_expression,
    update_tag,
)
from lakeveil.flows.look_at_tags import visible_expressions, visible_tags
from tests.flows.lakes import (
    ADMIN,
    ANA,
    BOB,
    CARL,
    HOME,
    OTHER,
    OWNER,
    READER,
    THEIR_ADMIN,
    P,
    World,
    on_table,
)

CLASS = Expression.of({"class": ["private"]})
ALL = frozenset({"*"})


def made(lake: World, key: str = "class", *values: str) -> None:
    create_tag(HOME, key, values or ("private", "public"), call=lake.call(ADMIN), desk=lake.desk)


def seen(lake: World, who: Principal) -> dict[str, list[str]]:
    authority = looking(who, lake.desk)
    return {t.key: sorted(t.values) for t in visible_tags(authority, account=HOME)}


def test_keys_and_values_are_kept_in_lower_case(lake: World) -> None:
    made(lake, "Class", "Private", "PUBLIC", "public")

    assert seen(lake, ADMIN) == {"class": ["private", "public"]}


def test_who_has_no_create_lf_tag_creates_none(lake: World) -> None:
    with pytest.raises(Refused, match="Required Create LF-Tag"):
        create_tag(HOME, "class", ["a"], call=lake.call(ANA), desk=lake.desk)

    assert seen(lake, ADMIN) == {}


def test_nobody_creates_a_tag_in_another_account(lake: World) -> None:
    with pytest.raises(Refused):
        create_tag(HOME, "class", ["a"], call=lake.call(THEIR_ADMIN), desk=lake.desk)


def test_a_tag_creator_may_do_everything_with_its_own_tag_and_nothing_with_others(
    lake: World,
) -> None:
    made(lake)
    lake.grant(ADMIN, ANA.arn, OnCatalog(HOME), P.CREATE_LF_TAG)
    create_tag(HOME, "team", ["a", "b"], call=lake.call(ANA), desk=lake.desk)

    update_tag(HOME, "team", add=["c"], delete=["b"], call=lake.call(ANA), desk=lake.desk)
    with pytest.raises(NotFound):
        update_tag(HOME, "class", add=["c"], call=lake.call(ANA), desk=lake.desk)

    assert seen(lake, ANA) == {"team": ["a", "c"]}
    delete_tag(HOME, "team", call=lake.call(ANA), desk=lake.desk)
    assert seen(lake, ADMIN) == {"class": ["private", "public"]}


def test_a_key_is_created_once(lake: World) -> None:
    made(lake)

    with pytest.raises(Conflict, match="already exists"):
        create_tag(HOME, "CLASS", ["other"], call=lake.call(ADMIN), desk=lake.desk)


def test_a_star_is_no_value(lake: World) -> None:
    with pytest.raises(UsageError, match="stands for all values"):
        made(lake, "class", "*")


def test_limits_on_keys_and_values_hold(lake: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_tags, "MAX_KEYS", 1)
    monkeypatch.setattr(change_tags, "MAX_VALUES", 2)
    made(lake)

    with pytest.raises(UsageError, match="at most 2 values") as values:
        update_tag(HOME, "class", add=["third"], call=lake.call(ADMIN), desk=lake.desk)
    with pytest.raises(UsageError, match="at most 1 tag keys"):
        made(lake, "team")
    assert values.value.code == "limit_exceeded"


def test_a_value_in_use_cannot_be_deleted(lake: World) -> None:
    made(lake)
    lake.grant(ADMIN, ADMIN.arn, OnTag(HOME, "class", ALL), P.ASSOCIATE)
    add_tags(on_table(), [("class", "private")], call=lake.call(ADMIN), desk=lake.desk)

    with pytest.raises(UsageError, match="Update not allowed"):
        update_tag(HOME, "class", delete=["private"], call=lake.call(ADMIN), desk=lake.desk)
    update_tag(HOME, "class", delete=["public"], call=lake.call(ADMIN), desk=lake.desk)
    assert seen(lake, ADMIN) == {"class": ["private"]}


def test_a_tag_keeps_a_value(lake: World) -> None:
    made(lake)

    with pytest.raises(UsageError, match="at least one value"):
        update_tag(
            HOME, "class", delete=["private", "public"], call=lake.call(ADMIN), desk=lake.desk
        )


@pytest.mark.parametrize(("add", "delete"), [([], []), (["a"], ["A"])])
def test_an_update_says_what_it_wants(lake: World, add: list[str], delete: list[str]) -> None:
    made(lake)

    with pytest.raises(UsageError, match="Update not allowed"):
        update_tag(HOME, "class", add=add, delete=delete, call=lake.call(ADMIN), desk=lake.desk)


def test_who_may_alter_one_value_deletes_that_and_adds_none(lake: World) -> None:
    made(lake)
    lake.grant(ADMIN, ANA.arn, OnTag(HOME, "class", frozenset({"public"})), P.ALTER)

    with pytest.raises(Refused, match="Required Alter"):
        update_tag(HOME, "class", add=["new"], call=lake.call(ANA), desk=lake.desk)
    with pytest.raises(NotFound):
        update_tag(HOME, "class", delete=["private"], call=lake.call(ANA), desk=lake.desk)
    update_tag(HOME, "class", delete=["public"], call=lake.call(ANA), desk=lake.desk)
    assert seen(lake, ADMIN) == {"class": ["private"]}


def test_everybody_sees_the_values_they_hold_something_on(lake: World) -> None:
    made(lake)
    made(lake, "team", "x")
    lake.grant(ADMIN, ANA.arn, OnTag(HOME, "class", frozenset({"public"})), P.ASSOCIATE)

    assert seen(lake, ANA) == {"class": ["public"]}
    assert seen(lake, BOB) == {}
    assert seen(lake, READER) == {"class": ["private", "public"], "team": ["x"]}


def test_an_assigned_tag_can_be_deleted_and_takes_grants_on_itself_along(lake: World) -> None:
    made(lake)
    lake.grant(ADMIN, ANA.arn, OnTag(HOME, "class", ALL), P.ASSOCIATE)

    delete_tag(HOME, "class", call=lake.call(ADMIN), desk=lake.desk)
    made(lake)

    # Who could assign the old tag has nothing to do with the new one.
    assert seen(lake, ANA) == {}


def test_to_describe_a_tag_is_not_to_drop_it(lake: World) -> None:
    made(lake)
    lake.grant(ADMIN, ANA.arn, OnTag(HOME, "class", ALL), P.DESCRIBE)

    with pytest.raises(Refused, match="Required Drop"):
        delete_tag(HOME, "class", call=lake.call(ANA), desk=lake.desk)
    with pytest.raises(NotFound):
        delete_tag(HOME, "class", call=lake.call(BOB), desk=lake.desk)


def test_an_expression_takes_the_right_to_save_and_to_grant_with_each_tag(lake: World) -> None:
    made(lake)

    def save() -> None:
        save_expression(HOME, "secret", CLASS, call=lake.call(ANA), desk=lake.desk)

    with pytest.raises(Refused, match="Create LF-Tag expression"):
        save()
    lake.grant(ADMIN, ANA.arn, OnCatalog(HOME), P.CREATE_LF_TAG_EXPRESSION)
    with pytest.raises(NotFound):
        save()
    lake.grant(ADMIN, ANA.arn, OnTag(HOME, "class", ALL), P.DESCRIBE)
    with pytest.raises(Refused, match="Grant with LF-Tag expression"):
        save()
    lake.grant(ADMIN, ANA.arn, OnTag(HOME, "class", ALL), P.GRANT_WITH_LF_TAG_EXPRESSION)
    save()

    assert [e.name for e in visible_expressions(looking(ANA, lake.desk), HOME)] == ["secret"]
    assert visible_expressions(looking(BOB, lake.desk), HOME) == []
    with pytest.raises(Conflict):
        save()


def test_the_creator_of_an_expression_may_change_drop_and_share_it(lake: World) -> None:
    made(lake)
    lake.grant(ADMIN, ANA.arn, OnCatalog(HOME), P.CREATE_LF_TAG_EXPRESSION)
    lake.grant(ADMIN, ANA.arn, OnTag(HOME, "class", ALL), P.GRANT_WITH_LF_TAG_EXPRESSION)
    save_expression(HOME, "secret", CLASS, call=lake.call(ANA), desk=lake.desk)

    public = Expression.of({"class": ["public"]})
    update_expression(HOME, "secret", public, call=lake.call(ANA), desk=lake.desk)
    lake.grant(ANA, BOB.arn, OnExpression(HOME, "secret"), P.DESCRIBE)

    assert [e.body for e in visible_expressions(looking(BOB, lake.desk), HOME)] == [public]
    with pytest.raises(Refused, match="Required Alter"):
        update_expression(HOME, "secret", CLASS, call=lake.call(BOB), desk=lake.desk)
    with pytest.raises(Refused, match="Required Drop"):
        delete_expression(HOME, "secret", call=lake.call(BOB), desk=lake.desk)
    delete_expression(HOME, "secret", call=lake.call(ANA), desk=lake.desk)
    assert lake.grants_to(BOB.arn) == []


def test_whoever_alters_an_expression_must_be_able_to_grant_what_it_becomes(lake: World) -> None:
    made(lake)
    save_expression(HOME, "e", CLASS, call=lake.call(ADMIN), desk=lake.desk)
    lake.grant(ADMIN, ANA.arn, OnExpression(HOME, "e"), P.ALTER)
    lake.grant(ADMIN, ANA.arn, OnTag(HOME, "class", ALL), P.DESCRIBE)

    with pytest.raises(Refused, match="Grant with LF-Tag expression"):
        update_expression(
            HOME, "e", Expression.of({"class": ["*"]}), call=lake.call(ANA), desk=lake.desk
        )


def test_grants_move_with_the_expression_they_name_and_go_with_it(lake: World) -> None:
    made(lake)
    lake.grant(ADMIN, ADMIN.arn, OnTag(HOME, "class", ALL), P.ASSOCIATE)
    add_tags(on_table(), [("class", "private")], call=lake.call(ADMIN), desk=lake.desk)
    public = Expression.of({"class": ["public"]})
    save_expression(HOME, "e", public, call=lake.call(ADMIN), desk=lake.desk)
    lake.grant(ADMIN, ANA.arn, TagPolicy(HOME, PolicyKind.TABLE, name="e"), P.SELECT)
    assert lake.sees(ANA) == []

    update_expression(HOME, "e", CLASS, call=lake.call(ADMIN), desk=lake.desk)
    assert len(lake.sees(ANA)) == 4

    delete_expression(HOME, "e", call=lake.call(ADMIN), desk=lake.desk)
    assert lake.sees(ANA) == []
    assert lake.grants_to(ANA.arn) == []


def test_an_update_of_an_expression_keeps_the_description_that_it_does_not_give(
    lake: World,
) -> None:
    made(lake)
    save_expression(HOME, "e", CLASS, description="mine", call=lake.call(ADMIN), desk=lake.desk)

    kept = update_expression(HOME, "e", CLASS, call=lake.call(ADMIN), desk=lake.desk)

    assert kept.description == "mine"


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ([], "empty"),
        ([("class", [])], "empty"),
        ([("class", ["a"]), ("CLASS", ["b"])], "twice"),
        ([(f"k{n}", ["a"]) for n in range(51)], "at most 50"),
    ],
)
def test_an_expression_that_says_nothing_clear_is_refused(
    terms: list[tuple[str, list[str]]], why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        expression_of(terms)


def test_a_shared_tag_is_seen_by_the_other_accounts_administrators_who_hand_it_on(
    lake: World,
) -> None:
    made(lake)
    both = (P.DESCRIBE, P.ASSOCIATE)
    lake.grant(ADMIN, OTHER, OnTag(HOME, "class", frozenset({"public"})), *both, option=both)

    foreign = visible_tags(looking(THEIR_ADMIN, lake.desk), account=OTHER, foreign=True)
    assert [sorted(tag.values) for tag in foreign] == [["public"]]
    assert visible_tags(looking(CARL, lake.desk), account=HOME) == []

    lake.grant(THEIR_ADMIN, CARL.arn, OnTag(HOME, "class", frozenset({"public"})), P.DESCRIBE)
    assert [t.key for t in visible_tags(looking(CARL, lake.desk), account=HOME)] == ["class"]

    lake.revoke(ADMIN, OTHER, OnTag(HOME, "class", frozenset({"public"})), *both)
    assert visible_tags(looking(CARL, lake.desk), account=HOME) == []


def test_an_owner_of_tables_has_no_say_over_tags(lake: World) -> None:
    made(lake)

    with pytest.raises(NotFound):
        delete_tag(HOME, "class", call=lake.call(OWNER), desk=lake.desk)
