"""Why: every grant is either behind what shows, or listed with all that stands in its way."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.deciding.decision import OWNER, Outcome
from lakeveil.core.access.explaining.explain import (
    Explanation,
    ObstacleKind,
    SetBy,
    concerned,
    explain,
    explain_table,
    obstacles,
)
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
from lakeveil.core.access.tags import Expression, LFTag, TagLayers
from lakeveil.core.identity import arns
from lakeveil.core.identity.principal import Principal
from lakeveil.core.identity.rights import from_policy_document
from lakeveil.errors import NotFound
from tests.core.access.random_changes import NOW, random_state

HOME = "111111111111"
ANA = arns.user_arn(HOME, "ana")
ANALYSTS = arns.group_arn(HOME, "analysts")
NAME = TableName(HOME, "d", "t")

NON_PRIVATE = Expression.of({"class": ["non-private"], "owner": ["internal"]})


def ana(*groups: str, account: str = HOME) -> Principal:
    arn = arns.user_arn(account, "ana")
    return Principal(arn=arn, account=account, identities=frozenset({arn, *groups}))


def table(*, governed: bool = True, owner: str = "") -> Table:
    """The advertising table: everything is open but `ip` and `email`."""
    return Table(
        name=NAME,
        columns=tuple(Column(one) for one in ("id", "ip", "email")),
        owner=owner,
        governed=governed,
        tags=TagLayers(
            database={"class": "non-private", "owner": "internal"},
            columns={"ip": {"class": "private"}, "email": {"class": "private"}},
        ),
    )


def policy(*grants: Grant, without: str = "", **more: object) -> Policy:
    ontology = {"class": {"private", "non-private"}, "owner": {"internal", "partner"}}
    tags = {
        (HOME, key): LFTag(account=HOME, key=key, values=frozenset(values))
        for key, values in ontology.items()
        if key != without
    }
    return replace(Policy(tags=tags, grants=grants), **more)  # type: ignore[arg-type]


def grant(resource: Resource, to: str = ANA, **more: object) -> Grant:
    made = Grant(
        id="g7",
        account=HOME,
        principal=to,
        resource=resource,
        permissions=frozenset({Permission.SELECT}),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def by_tags(expression: Expression = NON_PRIVATE) -> TagPolicy:
    return TagPolicy(HOME, PolicyKind.TABLE, expression=expression)


def about(column: str, policy: Policy, who: Principal | None = None, **of: object) -> Explanation:
    return explain(who or ana(), table(**of), column, policy, now=NOW)  # type: ignore[arg-type]


def only_obstacle(explanation: Explanation) -> ObstacleKind:
    (failing,) = explanation.failing
    (obstacle,) = failing.obstacles
    return obstacle.kind


@pytest.mark.parametrize("number", range(300))
def test_every_grant_contributes_or_fails_with_a_reason_and_never_both(number: int) -> None:
    state = random_state(random.Random(number))
    for who in state.principals.values():
        for one in state.tables.values():
            decision = decide(who, one, state.policy, now=NOW)
            for decided in decision.columns:
                why = explain(who, one, decided.name, state.policy, now=NOW)
                behind = {found.grant for found in why.contributing}
                failing = {found.grant.id for found in why.failing}
                assert behind == set(decided.grants)
                assert not behind & failing
                assert behind | failing >= {g.id for g in concerned(who, one, state.policy)}
                assert all(found.obstacles for found in why.failing)
                for each in concerned(who, one, state.policy):
                    if each.id in behind:
                        found = obstacles(each, who, one, decided.name, state.policy, now=NOW)
                        assert not list(found)
                assert why.outcome is decided.outcome
                assert why.rows == decided.rows


def test_the_key_that_fails_is_named_with_the_value_needed_and_the_value_there() -> None:
    why = about("email", policy(grant(by_tags())))
    (failing,) = why.failing
    (obstacle,) = failing.obstacles
    assert (obstacle.kind, obstacle.key) == (ObstacleKind.TAG, "class")
    assert (obstacle.needs, obstacle.has) == (frozenset({"non-private"}), "private")
    assert why.outcome is Outcome.HIDDEN


def test_a_key_that_the_column_does_not_carry_has_no_value_there() -> None:
    why = about("id", policy(grant(by_tags(Expression.of({"class": ["non-private"], "x": ["y"]})))))
    assert {(o.kind, o.key, o.has) for o in why.failing[0].obstacles} == {
        (ObstacleKind.UNDEFINED_KEY, "x", None)
    }


def test_tags_say_in_which_layer_they_were_set_and_by_whom() -> None:
    history = {("column", "class"): SetBy("dave", 1_000.0)}
    why = explain(ana(), table(), "email", policy(), now=NOW, history=history)
    assert [(t.key, t.value, t.layer, t.set_by) for t in why.tags] == [
        ("class", "private", "column", SetBy("dave", 1_000.0)),
        ("owner", "internal", "database", None),
    ]


def test_a_tag_that_the_ontology_lost_is_told_apart() -> None:
    why = about("id", policy(grant(by_tags()), without="owner"))
    assert {t.key: t.defined for t in why.tags} == {"class": True, "owner": False}
    assert only_obstacle(why) is ObstacleKind.UNDEFINED_KEY


def test_the_grant_with_the_fewest_obstacles_comes_first() -> None:
    far = grant(by_tags(Expression.of({"class": ["non-private"], "owner": ["partner"]})), id="a")
    why = about("email", policy(far, grant(by_tags(), id="b")))
    assert [failing.grant.id for failing in why.failing] == ["b", "a"]
    assert why.nearest is why.failing[0]


def test_a_grant_says_through_which_group_it_speaks() -> None:
    why = about("id", policy(grant(by_tags(), to=ANALYSTS)), ana(ANALYSTS))
    assert [(c.grant, c.via) for c in why.contributing] == [("g7", ANALYSTS)]
    assert why.outcome is Outcome.VISIBLE


def test_an_expired_grant_says_until_when_it_counted() -> None:
    why = about("id", policy(grant(by_tags(), expires_at=NOW - 60)))
    assert only_obstacle(why) is ObstacleKind.EXPIRED
    assert why.failing[0].obstacles[0].at == NOW - 60


def test_a_saved_expression_that_is_gone_is_named() -> None:
    why = about("id", policy(grant(TagPolicy(HOME, PolicyKind.TABLE, name="open"))))
    assert only_obstacle(why) is ObstacleKind.EXPRESSION_GONE
    assert why.failing[0].obstacles[0].name == "open"


def test_a_filter_that_is_gone_is_named() -> None:
    why = about("id", policy(grant(OnFilter(HOME, "d", "t", "f"))))
    assert only_obstacle(why) is ObstacleKind.FILTER_GONE


def test_a_grant_on_other_columns_says_so() -> None:
    named = grant(OnColumns(HOME, "d", "t", frozenset({"id"})))
    all_but = grant(OnColumns(HOME, "d", "t", frozenset({"ip"}), excluding=True))
    assert only_obstacle(about("ip", policy(named))) is ObstacleKind.OTHER_COLUMNS
    assert only_obstacle(about("ip", policy(all_but))) is ObstacleKind.OTHER_COLUMNS


def test_a_grant_that_does_not_select_says_so() -> None:
    inserting = grant(OnTable(HOME, "d", "t"), permissions=frozenset({Permission.INSERT}))
    why = about("id", policy(inserting))
    assert only_obstacle(why) is ObstacleKind.NO_SELECT
    assert why.exists


def test_a_table_that_is_not_governed_stops_every_grant() -> None:
    why = about("id", policy(grant(by_tags())), governed=False)
    assert only_obstacle(why) is ObstacleKind.NOT_GOVERNED
    assert (why.exists, why.governed) == (False, False)


def test_a_grant_passed_on_beyond_its_share_says_so() -> None:
    other = "222222222222"
    omar = ana(account=other)
    share = grant(by_tags(), to=other, id="share", grantable=frozenset({Permission.SELECT}))
    passed_on = grant(OnTable(HOME, "d", "t"), to=omar.arn, account=other)
    assert about("id", policy(share, passed_on), omar).outcome is Outcome.VISIBLE
    assert only_obstacle(about("email", policy(share, passed_on), omar)) is ObstacleKind.NOT_SHARED
    assert only_obstacle(about("id", policy(passed_on), omar)) is ObstacleKind.NOT_SHARED


def test_a_grant_that_a_third_account_recorded_counts_for_nothing() -> None:
    why = about("id", policy(grant(by_tags(), account="333333333333")))
    assert only_obstacle(why) is ObstacleKind.ELSEWHERE


def test_masks_and_filters_are_told_with_the_grant_they_come_from() -> None:
    masked = grant(by_tags(), id="m", mask=Mask(MaskKind.HASH))
    filtered = grant(OnFilter(HOME, "d", "t", "f"), id="f")
    rows = DataCellsFilter(table=NAME, name="f", named=frozenset({"id"}), rows="region = 'us'")
    why = about("id", policy(masked, filtered, filters={(NAME, "f"): rows}))
    assert {(c.grant, c.mask, c.filter) for c in why.contributing} == {
        ("m", Mask(MaskKind.HASH), ""),
        ("f", None, "f"),
    }
    assert why.outcome is Outcome.VISIBLE
    assert [str(mask) for mask, _ in why.masks] == ["hash"]


def test_the_mask_that_shows_most_wins_and_the_others_are_beaten() -> None:
    masks = [Mask(MaskKind.NULL), Mask(MaskKind.LAST_FOUR), Mask(MaskKind.HASH)]
    grants = [grant(by_tags(), id=f"m{n}", mask=mask) for n, mask in enumerate(masks)]
    why = about("id", policy(*grants))
    assert [str(mask) for mask, _ in why.masks] == ["last-four"]
    assert [str(mask) for mask in why.beaten] == ["hash", "null"]


def test_a_mask_that_does_not_fit_the_type_says_so_and_wins_over_nothing() -> None:
    year = grant(by_tags(), id="y", mask=Mask(MaskKind.YEAR))
    why = about("id", policy(year))
    assert [str(mask) for mask, _ in why.masks] == ["null"]
    assert [one.unfit_for for one in why.contributing] == ["string"]
    why = about("id", policy(year, grant(by_tags(), id="h", mask=Mask(MaskKind.HASH))))
    assert [str(mask) for mask, _ in why.masks] == ["hash"]
    assert [str(mask) for mask in why.beaten] == ["null"]
    assert {one.grant: one.unfit_for for one in why.contributing} == {"y": "string", "h": ""}


def test_the_owner_needs_no_grant() -> None:
    why = about("email", policy(), owner=ANA)
    assert [c.grant for c in why.contributing] == [OWNER]
    assert why.implicit == (OWNER,)


def test_an_administrator_knows_of_the_table_and_sees_nothing_of_it() -> None:
    settings = {HOME: LakeSettings(administrators=frozenset({ANA}))}
    why = about("email", policy(settings=settings))
    assert (why.exists, why.outcome, why.implicit) == (True, Outcome.HIDDEN, ("administrator",))


def test_a_principal_without_the_right_to_data_is_told_so() -> None:
    with_right = from_policy_document(
        '{"Statement": {"Effect": "Allow", "Action": "lakeformation:GetDataAccess", '
        '"Resource": "*"}}'
    )
    assert not about("id", policy()).has_data_access
    assert about("id", policy(), replace(ana(), rights=with_right)).has_data_access


def test_a_column_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound, match="no column `nope`"):
        about("nope", policy())


def test_a_whole_table_is_explained_column_by_column_in_order() -> None:
    every = explain_table(ana(), table(), policy(grant(by_tags())), now=NOW)
    assert [(one.column, one.outcome.value) for one in every] == [
        ("id", "visible"),
        ("ip", "hidden"),
        ("email", "hidden"),
    ]
