"""A change is applied to a state that stays as it was, and refused where it does not fit."""

from __future__ import annotations

import random
from dataclasses import replace

import botocore.session
import pytest
from botocore.validate import ParamValidator

from lakeveil.core.access.changing.change_calls import ApiCall, calls, commands
from lakeveil.core.access.changing.change_space import change_space
from lakeveil.core.access.changing.change_text import change_of, expression_of
from lakeveil.core.access.changing.change_words import spoken, words
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
    WidenExpression,
    WidenGrant,
    apply,
)
from lakeveil.core.access.changing.exposure import Gain, difference, exposed_by
from lakeveil.core.access.deciding.decision import Outcome
from lakeveil.core.access.explaining.cells import Cell, cells, compared, protected
from lakeveil.core.access.grants import (
    Grant,
    OnColumns,
    OnDatabase,
    OnTable,
    PolicyKind,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.lake import Column, Policy, Table
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import Expression, LFTag, SavedExpression, TagLayers
from lakeveil.core.identity import arns
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import NotFound, UsageError
from tests.core.access.random_changes import NOW, random_state

HOME = "111111111111"
ANA, BOB = arns.user_arn(HOME, "ana"), arns.user_arn(HOME, "bob")
ANALYSTS = arns.group_arn(HOME, "analysts")
T = TableName(HOME, "d", "t")
EMAIL = OnColumns(HOME, "d", "t", frozenset({"email"}))
OPEN = TagPolicy(HOME, PolicyKind.TABLE, expression=Expression.of({"class": ["open"]}))
SAVED = TagPolicy(HOME, PolicyKind.TABLE, name="mine")


def state() -> LakeState:
    """`d` is open, but `d.t.email` is private; ana sees what is open, bob what `mine` matches."""
    columns = (Column("id"), Column("email"))
    tags = TagLayers(database={"class": "open"}, columns={"email": {"class": "private"}})
    policy = Policy(
        tags={
            (HOME, "class"): LFTag(account=HOME, key="class", values=frozenset({"open", "private"}))
        },
        expressions={
            (HOME, "mine"): SavedExpression(
                account=HOME, name="mine", body=Expression.of({"class": ["open"]})
            )
        },
        grants=(
            grant("g1", ANA, OPEN),
            grant("g2", BOB, SAVED),
            grant("g3", ANALYSTS, OnTable(HOME, "d", "t"), expires_at=NOW - 1),
        ),
    )
    people = [Principal(arn=arn, account=HOME, identities=frozenset({arn})) for arn in (ANA, BOB)]
    one = Table(name=T, columns=columns, tags=tags)
    other = Table(name=TableName(HOME, "d", "u"), columns=columns, tags=tags)
    return LakeState.of([one, other], policy, people)


def grant(name: str, to: str, on: OnTable | OnColumns | TagPolicy, **more: object) -> Grant:
    made = Grant(
        id=name,
        account=HOME,
        principal=to,
        resource=on,
        permissions=frozenset({Permission.SELECT}),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def gained(*changes: Change) -> set[str]:
    return {str(gain) for gain in exposed_by(changes, state(), NOW).gains}


@pytest.mark.parametrize(
    ("change", "exposed"),
    [
        (SetTag(EMAIL, "class", "open"), {(ANA, "t", "email"), (BOB, "t", "email")}),
        (RemoveTag(EMAIL, "class"), {(ANA, "t", "email"), (BOB, "t", "email")}),
        (AddGrant(grant("new", ANA, EMAIL)), {(ANA, "t", "email")}),
        (
            WidenGrant("g1", "class", "private"),
            {(ANA, "t", "email"), (ANA, "u", "email")},
        ),
        (
            WidenExpression(HOME, "mine", "class", "private"),
            {(BOB, "t", "email"), (BOB, "u", "email")},
        ),
        (ExtendGrant("g3", NOW + 1), set()),
        (JoinGroup(BOB, ANALYSTS), set()),
        (RemoveGrant("g1"), set()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_change_exposes_exactly_these_columns(
    change: Change, exposed: set[tuple[str, str, str]]
) -> None:
    found = exposed_by([change], state(), NOW)
    assert {(g.principal, g.table.table, g.column) for g in found.gains} == exposed


def test_two_changes_may_expose_what_neither_does_alone() -> None:
    both = exposed_by([JoinGroup(BOB, ANALYSTS), ExtendGrant("g3", NOW + 1)], state(), NOW)
    assert [(g.principal, g.column) for g in both.gains] == [(BOB, "email")]


def test_what_is_taken_is_told_as_loss() -> None:
    found = exposed_by([RemoveGrant("g1")], state(), NOW)
    assert found.gains == ()
    assert {(g.principal, g.table.table, g.column) for g in found.losses} == {
        (ANA, "t", "id"),
        (ANA, "u", "id"),
    }


def test_a_tag_on_the_database_changes_what_tables_inherit_and_no_override() -> None:
    found = exposed_by([SetTag(OnDatabase(HOME, "d"), "class", "private")], state(), NOW)
    assert {g.column for g in found.losses} == {"id"}


def test_a_mask_that_is_lifted_is_a_gain_and_one_that_is_put_on_a_loss() -> None:
    masked = grant("m", ANA, EMAIL, mask=Mask(MaskKind.HASH))
    before = apply(AddGrant(masked), state())
    lifted = exposed_by([AddGrant(grant("new", ANA, EMAIL))], before, NOW)
    assert [(g.before, g.after) for g in lifted.gains] == [(Outcome.MASKED, Outcome.VISIBLE)]
    weaker = replace(masked, id="w", mask=Mask(MaskKind.LAST_FOUR))
    assert [(g.before, g.after) for g in exposed_by([AddGrant(weaker)], before, NOW).gains] == [
        (Outcome.MASKED, Outcome.MASKED)
    ]


def test_a_share_that_is_widened_exposes_to_whom_the_other_account_passed_it_on() -> None:
    other = "222222222222"
    omar = Principal(
        arn=arns.user_arn(other, "omar"),
        account=other,
        identities=frozenset({arns.user_arn(other, "omar")}),
    )
    selects = frozenset({Permission.SELECT})
    before = state()
    for made in (
        grant("share", other, OPEN, grantable=selects),
        grant("passed", omar.arn, OnTable(HOME, "d", "t"), account=other),
    ):
        before = apply(AddGrant(made), before)
    before = replace(before, principals={**before.principals, omar.arn: omar})
    found = exposed_by([WidenGrant("share", "class", "private")], before, NOW)
    assert [(g.principal, g.table, g.column) for g in found.gains] == [(omar.arn, T, "email")]


@pytest.mark.parametrize("number", range(120))
def test_only_what_a_change_can_reach_is_decided_and_nothing_is_missed(number: int) -> None:
    dice = random.Random(number)
    before = random_state(dice)
    table = before.tables[dice.choice(sorted(before.tables))]
    who = before.principals[dice.choice(sorted(before.principals))]
    space = list(change_space(who, table.name, "id", before, now=NOW))
    for change in dice.sample(space, min(12, len(space))):
        try:
            after = apply(change, before)
        except UsageError:
            continue
        found = difference(before, after, NOW)
        told = compared(cells(before, now=NOW), cells(after, now=NOW))
        # A comparison of exports tells any other rows or masks as a gain; the outcome is the same.
        assert {(*key(g), g.before, g.after) for g in found.gains if g.before is not g.after} == {
            (*key(g), g.before, g.after) for g in told.gains if g.before is not g.after
        }
        assert {key(g) for g in (*found.gains, *found.losses)} == {
            key(g) for g in (*told.gains, *told.losses)
        }


def key(gain: Gain) -> tuple[str, TableName, str]:
    return gain.principal, gain.table, gain.column


def test_the_state_before_stays_as_it_was() -> None:
    before = state()
    apply(SetTag(EMAIL, "class", "open"), before)
    apply(RemoveGrant("g1"), before)
    apply(JoinGroup(ANA, ANALYSTS), before)
    assert before == state()


def test_joining_and_leaving_a_group_cancel_out() -> None:
    joined = apply(JoinGroup(ANA, ANALYSTS), state())
    assert ANALYSTS in joined.principals[ANA].identities
    assert apply(LeaveGroup(ANA, ANALYSTS), joined) == state()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (SetTag(EMAIL, "class", "secret"), UsageError),
        (SetTag(EMAIL, "nope", "open"), UsageError),
        (SetTag(OnColumns(HOME, "d", "t", frozenset({"x"})), "class", "open"), NotFound),
        (SetTag(OnTable(HOME, "d", "x"), "class", "open"), NotFound),
        (RemoveGrant("g9"), NotFound),
        (ExtendGrant("g9", NOW), NotFound),
        (WidenGrant("g9", "class", "open"), NotFound),
        (WidenGrant("g2", "class", "private"), UsageError),
        (WidenGrant("g3", "class", "private"), UsageError),
        (WidenGrant("g1", "owner", "internal"), UsageError),
        (WidenExpression(HOME, "nope", "class", "private"), NotFound),
        (JoinGroup("arn:aws:iam::111111111111:user/nobody", ANALYSTS), NotFound),
        (RegisterLocation(TableName(HOME, "d", "x")), NotFound),
    ],
    ids=str,
)
def test_a_change_that_does_not_fit_is_refused(
    change: Change, error: type[NotFound | UsageError]
) -> None:
    with pytest.raises(error):
        apply(change, state())


SPOKEN = [
    (SetTag(EMAIL, "class", "open"), "set class=open on column d.t.email"),
    (RemoveTag(OnDatabase(HOME, "d"), "class"), "remove class from database d"),
    (AddGrant(grant("n", ANA, EMAIL)), "grant ana SELECT on d.t.email by name"),
    (AddGrant(grant("n", ANA, OPEN)), "grant ana SELECT on everything with class=open"),
    (WidenGrant("g1", "class", "private"), "let grant g1 of ana take class=private, too"),
    (WidenExpression(HOME, "mine", "class", "private"), "let expression mine take class=private,"),
    (ExtendGrant("g3", NOW), "extend grant g3 of group analysts until 1970-01-12"),
    (JoinGroup(ANA, ANALYSTS), "add ana to group analysts"),
    (RegisterLocation(T), "register the location of d.t"),
    (RemoveGrant("g1"), "revoke grant g1"),
]


@pytest.mark.parametrize(("change", "text"), SPOKEN, ids=lambda value: type(value).__name__)
def test_a_change_is_said_in_words(change: Change, text: str) -> None:
    assert words(change, state()).startswith(text)


@pytest.fixture(scope="module")
def model() -> botocore.model.ServiceModel:
    return botocore.session.get_session().get_service_model("lakeformation")


@pytest.mark.parametrize("change", [change for change, _ in SPOKEN], ids=str)
def test_the_calls_of_a_change_are_what_the_api_takes(
    change: Change, model: botocore.model.ServiceModel
) -> None:
    for call in calls(change, state(), {"d.t": "s3://lake/d/t/"}):
        shape = model.operation_model(call.operation).input_shape
        report = ParamValidator().validate(call.members, shape)
        assert not report.has_errors(), report.generate_report()
    assert commands(change, state())


def test_a_grant_is_widened_without_a_moment_without_it() -> None:
    made = calls(WidenGrant("g1", "class", "private"), state())
    assert [call.operation for call in made] == ["GrantPermissions", "RevokePermissions"]


@pytest.mark.parametrize("limit", [{"mask": Mask(MaskKind.HASH)}, {"expires_at": NOW + 1}], ids=str)
def test_no_command_widens_a_grant_by_losing_its_mask_or_its_end(limit: dict[str, object]) -> None:
    before = state()
    limited = tuple(replace(one, **limit) for one in before.policy.grants)  # type: ignore[arg-type]
    narrowed = replace(before, policy=replace(before.policy, grants=limited))
    widened = WidenGrant("g1", "class", "private")
    assert calls(widened, narrowed) == ()
    (line,) = commands(widened, narrowed)
    assert line.startswith("# ")


def test_a_call_is_a_line_for_the_shell() -> None:
    line = ApiCall(operation="AddLFTagsToResource", members={"Resource": {}}).command()
    assert (
        line == """aws lakeformation add-lf-tags-to-resource --cli-input-json '{"Resource": {}}'"""
    )
    (join,) = commands(JoinGroup(ANA, ANALYSTS), state())
    assert join == f"lakeveil identity group add analysts ana --account {HOME}"


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("tag d.t.email class=open", SetTag(EMAIL, "class", "open")),
        ("tag D.T.Email Class=Open", SetTag(EMAIL, "class", "open")),
        ("untag d class", RemoveTag(OnDatabase(HOME, "d"), "class")),
        (f"grant {ANA} d.t.email", AddGrant(grant("proposed", ANA, EMAIL))),
        (f"grant {ANA} class=open", AddGrant(grant("proposed", ANA, OPEN))),
        ("revoke g1", RemoveGrant("g1")),
        ("widen g1 class=private", WidenGrant("g1", "class", "private")),
        ("extend g3 1970-01-12", ExtendGrant("g3", 12 * 86_400.0)),
        (f"join {ANA} {ANALYSTS}", JoinGroup(ANA, ANALYSTS)),
        (f"leave {ANA} {ANALYSTS}", LeaveGroup(ANA, ANALYSTS)),
        ("register d.t", RegisterLocation(T)),
    ],
)
def test_a_change_is_read_as_it_is_typed(text: str, change: Change) -> None:
    assert change_of(text, account=HOME) == change


@pytest.mark.parametrize(
    "text",
    ["", "tag", "tag d.t class", "tag d..t class=open", "tag a.b.c.d k=v", "grant ana", "grant a d",
     "register d", "register d.t.email", "extend g1 tomorrow", "drop everything", "tag d =x"],
)  # fmt: skip
def test_what_is_no_change_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        change_of(text, account=HOME)


def test_an_expression_is_read_as_it_prints() -> None:
    expression = Expression.of({"class": ["a", "b"], "owner": ["x"]})
    assert expression_of(str(expression)) == expression
    for text in ("class", "class=", "class=a|", "class=a and class=b", ""):
        with pytest.raises(UsageError):
            expression_of(text)


def test_people_and_groups_are_said_by_their_names() -> None:
    federated = arns.federated_group_arn(HOME, "okta", "finance")
    assert [spoken(one) for one in (ANA, ANALYSTS, federated, HOME, "what")] == [
        "ana",
        "group analysts",
        "group finance",
        f"account {HOME}",
        "what",
    ]


def test_a_gain_of_a_column_without_known_tags_counts_as_protected() -> None:
    found = exposed_by([SetTag(EMAIL, "class", "open")], state(), NOW).gains
    private = Expression.of({"class": ["private"]})
    assert protected(found, {(T, "email"): {"class": "open"}}, private) == []
    assert protected(found, {(T, "email"): {"class": "private"}}, private) == list(found)
    assert protected(found, {}, private) == list(found)


def test_a_cell_that_the_later_matrix_lacks_counts_as_hidden() -> None:
    cell = Cell(principal=ANA, table=T, column="id", outcome=Outcome.VISIBLE, rows="TRUE")
    assert [g.after for g in compared([cell], []).losses] == [Outcome.HIDDEN]
    assert [g.before for g in compared([], [cell]).gains] == [Outcome.HIDDEN]


def test_other_rows_count_as_gained_where_only_texts_are_left_to_compare() -> None:
    cell = Cell(principal=ANA, table=T, column="id", outcome=Outcome.VISIBLE, rows="a = 1")
    assert len(compared([cell], [replace(cell, rows="a = 2")]).gains) == 1
