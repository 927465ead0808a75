"""What whoever asks why may learn: about themselves, and never that something hidden is there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from lakeveil.adapters.kept_lake import KeptLake
from lakeveil.core.access.changing.change_space import ChangeKind
from lakeveil.core.access.deciding.decision import Outcome
from lakeveil.core.access.explaining.askers import Asker, Operator
from lakeveil.core.access.explaining.explain import Explanation, ObstacleKind, SetBy
from lakeveil.core.access.explaining.told import UNTOLD
from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.grants import (
    DataCellsFilter,
    Grant,
    OnColumns,
    OnDatabase,
    OnFilter,
    OnTable,
    OnTag,
    PolicyKind,
    Resource,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import Expression, LFTag, SavedExpression
from lakeveil.core.identity import arns
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import LakeveilError, NotFound, Refused
from lakeveil.flows.explain_access import Why, WhyDatabase, why, why_database
from lakeveil.flows.look_at_tags import tags_of_table
from lakeveil.ports.lake import Assignment, LakeReader, Place, TableRecord
from tests.flows.lakes import (
    ADMIN,
    ANALYSTS,
    BOB,
    CARL,
    EVENTS,
    EVERYBODY,
    HOME,
    OTHER,
    OWNER,
    READER,
    World,
    found,
    on_table,
    world,
)

ANA = next(one for one in EVERYBODY if one.arn.endswith("/ana"))
OPERATOR = Operator(arn="local:eva")
SECRET = TableName(HOME, "ads", "secret")
P = Permission


@dataclass
class Everybody:
    """`People`: those of the small lake; whoever else has an identifier is a stranger."""

    known: Sequence[Principal] = EVERYBODY

    def principal(self, identifier: str) -> Principal | None:
        """See `People`."""
        for one in self.known:
            if one.arn == identifier:
                return one
        if ":saml-provider/" in identifier or identifier.isdigit():
            account = arns.account_of(identifier)
            return Principal(arn=identifier, account=account, identities=frozenset({identifier}))
        return None

    def principals(self) -> Sequence[Principal]:
        """See `People`."""
        return self.known

    def accounts(self) -> Sequence[str]:
        """See `People`."""
        return [HOME, OTHER]


@dataclass
class Counted:
    """A lake that counts how often it was asked."""

    lake: LakeReader
    asked: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> object:
        self.asked.append(name)
        return getattr(self.lake, name)


def tag(here: World) -> None:
    """`ads` is open, `ip_address` of its tables private; who set what is on record."""
    with here.desk.lake.changing() as change:
        change.put_tag(
            LFTag(
                account=HOME,
                key="class",
                values=frozenset({"private", "non-private"}),
                created_by=OWNER.arn,
            )
        )
        for place, value in (
            (Place(HOME, "ads"), "non-private"),
            (Place(HOME, "ads", "events", "ip_address"), "private"),
        ):
            change.assign(
                Assignment(place=place, key="class", value=value, set_by=OWNER.arn, set_at=1.0)
            )


@pytest.fixture(scope="module")
def laid_down(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("lake")
    found(home)
    with world(home) as opened:
        tag(opened)
    return home


@pytest.fixture
def here(laid_down: Path, tmp_path: Path) -> Iterator[World]:
    shutil.copytree(laid_down, tmp_path, dirs_exist_ok=True)
    with world(tmp_path) as opened:
        yield opened


def open_class(value: str = "non-private") -> TagPolicy:
    return TagPolicy(HOME, PolicyKind.TABLE, expression=Expression.of({"class": [value]}))


def grant_directly(here: World, to: str, on: Resource) -> None:
    """A grant to somebody whom the small lake's directory does not know."""
    made = Grant(id="", account=HOME, principal=to, resource=on, permissions=frozenset({P.SELECT}))
    with here.desk.lake.changing() as change:
        change.put_grant(made)


def ask(
    here: World,
    asker: Asker,
    column: str | None = "ip_address",
    name: TableName = EVENTS,
    about: str = "",
    **more: object,
) -> Why:
    return why(
        asker,
        about or asker.arn,
        name,
        column,
        lake=here.desk.lake,
        people=Everybody(),
        clock=here.clock,
        **more,  # type: ignore[arg-type]
    )


def ask_database(
    here: World, asker: Asker, database: str = "ads", about: str = "", **more: object
) -> WhyDatabase:
    return why_database(
        asker,
        about or asker.arn,
        HOME,
        database,
        lake=here.desk.lake,
        people=Everybody(),
        clock=here.clock,
        **more,  # type: ignore[arg-type]
    )


def told(here: World, asker: Asker, column: str, **more: object) -> Explanation:
    """What somebody is told of one column."""
    (one,) = ask(here, asker, column, **more).columns  # type: ignore[arg-type]
    return one


def may_describe(here: World, who: Principal, *values: str) -> None:
    """Let somebody describe these values of `class`."""
    here.grant(ADMIN, who.arn, OnTag(HOME, "class", frozenset(values)), P.DESCRIBE)


def hide(here: World, table: str = "events") -> None:
    with here.desk.lake.changing() as change:
        change.set_discoverable(HOME, "ads", table, on=False)


@contextmanager
def the_answer_of_what_is_not_there(name: str = "ads.events") -> Iterator[None]:
    with pytest.raises(NotFound) as caught:
        yield
    assert caught.value.as_dict() == {
        "code": "not_found",
        "what": f"there is no table `{name}`",
        "why": "it does not exist, or not for you",
        "fix": "check the name, or ask its owner",
    }


def test_the_operator_is_told_everything_with_the_smallest_changes(here: World) -> None:
    here.grant(ADMIN, ANA.arn, open_class(), P.SELECT)
    answer = ask(here, OPERATOR, about=ANA.arn)
    (one,) = answer.columns
    assert answer.everything
    assert one.outcome is Outcome.HIDDEN
    assert [(t.key, t.value, t.layer, t.set_by) for t in one.tags] == [
        ("class", "private", "column", SetBy(OWNER.arn, 1.0))
    ]
    assert one.nearest is not None
    assert [o.kind for o in one.nearest.obstacles] == [ObstacleKind.TAG]
    assert (answer.fixes[0].others, answer.fixes[0].beyond) == (0, 0)


def test_somebody_asks_about_themselves_and_learns_no_change_and_nobody_elses_access(
    here: World,
) -> None:
    here.grant(ADMIN, ANA.arn, open_class(), P.SELECT)
    answer = ask(here, ANA)
    assert (answer.everything, answer.fixes, answer.state) == (False, (), None)
    assert answer.columns[0].nearest is not None


@pytest.mark.parametrize("asker", [ANA, BOB, OWNER, CARL])
def test_nobody_but_administrators_asks_about_somebody_else(here: World, asker: Principal) -> None:
    about = next(one.arn for one in (ANA, BOB) if one is not asker)
    for name in (EVENTS, SECRET):
        with pytest.raises(Refused, match="about yourself only"):
            ask(here, asker, name=name, about=about)
    with pytest.raises(Refused):
        ask_database(here, asker, about=about)


@pytest.mark.parametrize("asker", [ADMIN, READER])
def test_administrators_ask_about_everybody(here: World, asker: Principal) -> None:
    assert ask(here, asker, about=ANA.arn).everything


def test_who_is_not_known_is_not_found(here: World) -> None:
    with pytest.raises(NotFound, match="no principal"):
        ask(here, OPERATOR, about=arns.user_arn(HOME, "nobody"))


def test_a_table_that_may_not_be_known_is_answered_as_one_that_is_not_there(here: World) -> None:
    hide(here)
    for column in ("ip_address", None, "nope"):
        with the_answer_of_what_is_not_there():
            ask(here, ANA, column)
    with the_answer_of_what_is_not_there("ads.secret"):
        ask(here, ANA, name=SECRET)


def test_the_way_to_that_answer_is_the_same_as_for_what_is_not_there(here: World) -> None:
    hide(here)
    ways = []
    for name in (EVENTS, SECRET):
        lake = Counted(here.desk.lake)
        with pytest.raises(NotFound):
            why(ANA, ANA.arn, name, "id", lake=lake, people=Everybody(), clock=here.clock)  # type: ignore[arg-type]
        ways.append(lake.asked)
    assert ways[0] == ways[1]


def test_a_database_that_may_not_be_discovered_closes_its_tables(here: World) -> None:
    hide(here, table="")
    with the_answer_of_what_is_not_there():
        ask(here, ANA)


def test_discovering_is_for_people_of_the_account(here: World) -> None:
    assert ask(here, ANA).columns
    with the_answer_of_what_is_not_there():
        ask(here, CARL)


def test_a_table_whose_location_is_not_registered_is_not_there(here: World) -> None:
    with here.desk.lake.changing() as change:
        change.remove_location(HOME, "s3://lake/ads")
    with the_answer_of_what_is_not_there():
        ask(here, ANA)
    (one,) = ask(here, OPERATOR, about=ANA.arn).columns
    assert not one.governed


def test_a_hidden_column_of_a_known_table_is_not_there_unless_it_may_be_discovered(
    here: World,
) -> None:
    here.grant(ADMIN, ANA.arn, open_class(), P.SELECT)
    assert ask(here, ANA).columns[0].outcome is Outcome.HIDDEN
    hide(here)
    answers = []
    for column in ("ip_address", "nope"):
        with pytest.raises(NotFound) as caught:
            ask(here, ANA, column)
        answers.append({k: v.replace(column, "X") for k, v in caught.value.as_dict().items()})
    assert answers[0] == answers[1]
    assert [one.column for one in ask(here, ANA, None).columns] == ["id", "ts", "spend"]


def test_the_text_of_a_row_filter_is_not_told_to_who_is_filtered(here: World) -> None:
    with here.desk.lake.changing() as change:
        change.put_filter(
            DataCellsFilter(table=EVENTS, name="f", named=frozenset({"id"}), rows="id = '4711'")
        )
    here.grant(ADMIN, ANA.arn, OnFilter(HOME, "ads", "events", "f"), P.SELECT)
    assert "4711" not in ask(here, ANA, "id").columns[0].rows.text()
    assert "4711" in ask(here, OPERATOR, "id", about=ANA.arn).columns[0].rows.text()


def test_groups_of_an_issuer_are_counted_where_they_are_named(here: World) -> None:
    group = arns.federated_group_arn(HOME, "okta", "finance")
    person = arns.federated_user_arn(HOME, "okta", "zoe")
    grant_directly(here, group, OnColumns(HOME, "ads", "events", frozenset({"spend"})))
    assert ask(here, OPERATOR, "spend", about=person).columns[0].outcome is Outcome.HIDDEN
    told = ask(here, OPERATOR, "spend", about=person, groups=[group])
    assert told.columns[0].outcome is Outcome.VISIBLE


def test_nobody_names_groups_for_themselves(here: World) -> None:
    here.grant(ADMIN, ANALYSTS, on_table(), P.SELECT)
    assert ask(here, BOB, "id", groups=[ANALYSTS]).columns[0].outcome is Outcome.HIDDEN


def test_kinds_of_changes_can_be_left_out(here: World) -> None:
    every = ask(here, OPERATOR, about=ANA.arn).fixes
    kinds = frozenset(ChangeKind) - {ChangeKind.GRANT_COLUMN}
    fewer = ask(here, OPERATOR, about=ANA.arn, kinds=kinds).fixes
    assert len(every) == len(fewer) + 1


def test_people_of_issuers_and_other_accounts_count_as_exposed(here: World) -> None:
    here.grant(ADMIN, OTHER, open_class(), P.SELECT, option=(P.SELECT,))
    answer = ask(here, OPERATOR, about=ANA.arn)
    assert answer.state is not None
    assert OTHER in answer.state.principals


def test_a_database_is_told_in_short_and_only_with_what_may_be_known(here: World) -> None:
    here.grant(ADMIN, ANA.arn, open_class(), P.SELECT)
    here.grant(ADMIN, ANA.arn, OnDatabase(HOME, "ads"), P.DESCRIBE)
    told = ask_database(here, ANA)
    assert told.permissions == {P.DESCRIBE}
    assert [(t.table.table, t.visible, t.hidden) for t in told.tables] == [
        ("clicks", 4, 0),
        ("events", 3, 1),
    ]
    assert len(ask_database(here, OPERATOR, about=BOB.arn).tables) == 2
    hide(here, table="clicks")
    assert [t.table.table for t in ask_database(here, BOB).tables] == ["events"]


def test_a_database_that_may_not_be_known_is_not_there(here: World) -> None:
    hide(here, table="")
    answers = []
    for database in ("ads", "nope"):
        with pytest.raises(NotFound) as caught:
            ask_database(here, BOB, database)
        answers.append({k: v.replace(database, "X") for k, v in caught.value.as_dict().items()})
    assert answers[0] == answers[1]
    with pytest.raises(LakeveilError):
        ask_database(here, CARL)


def test_a_tag_that_may_not_be_described_is_not_told_nor_who_set_it(here: World) -> None:
    here.grant(ADMIN, ANA.arn, open_class(), P.SELECT)
    hide(here)
    assert told(here, ANA, "id").tags == ()
    may_describe(here, ANA, "private")
    assert told(here, ANA, "id").tags == ()


def test_a_tag_is_told_to_who_may_describe_its_value_and_not_who_set_it(here: World) -> None:
    here.grant(ADMIN, ANA.arn, open_class(), P.SELECT)
    hide(here)
    may_describe(here, ANA, "non-private")
    (tag,) = told(here, ANA, "id").tags
    assert (tag.key, tag.value, tag.layer, tag.set_by) == ("class", "non-private", "database", None)
    resource = tags_of_table(
        Authority(who=ANA, policy=here.desk.lake.policy(), now=here.clock.now()),
        found_record(here).table,
        assigned=False,
    )
    assert {tag.key: tag.value} == resource.columns["id"]


def test_the_owner_is_told_every_tag_of_the_table_and_who_set_it(here: World) -> None:
    hide(here)
    (tag,) = told(here, OWNER, "ip_address").tags
    assert (tag.value, tag.set_by) == ("private", SetBy(OWNER.arn, 1.0))


def test_what_is_discoverable_tells_its_tags_and_not_who_set_them(here: World) -> None:
    here.grant(ADMIN, ANA.arn, open_class(), P.SELECT)
    one = told(here, ANA, "ip_address")
    assert [(tag.key, tag.value, tag.set_by) for tag in one.tags] == [("class", "private", None)]
    assert one.nearest is not None
    ((obstacle,),) = [one.nearest.obstacles]
    assert (obstacle.key, obstacle.has) == ("class", "private")


def test_an_obstacle_does_not_tell_the_tag_that_may_not_be_described(here: World) -> None:
    here.grant(ADMIN, ANA.arn, on_table(), P.SELECT)
    here.grant(ADMIN, ANA.arn, open_class(), P.SELECT)
    hide(here)
    (failing,) = told(here, ANA, "ip_address").failing
    assert failing.obstacles == (UNTOLD,)
    may_describe(here, ANA, "private")
    (failing,) = told(here, ANA, "ip_address").failing
    assert [(one.key, one.has) for one in failing.obstacles] == [("class", "private")]


def test_that_a_column_has_no_value_is_told_to_who_may_describe_all_of_them(here: World) -> None:
    here.grant(ADMIN, ANA.arn, on_table(), P.SELECT)
    here.grant(ADMIN, ANA.arn, open_class(), P.SELECT)
    with here.desk.lake.changing() as change:
        change.unassign(Place(HOME, "ads"), "class")
    hide(here)
    may_describe(here, ANA, "non-private", "private")
    assert told(here, ANA, "id").failing[0].obstacles == (UNTOLD,)
    may_describe(here, ANA, "*")
    assert told(here, ANA, "id").failing[0].obstacles[0].has is None
    assert told(here, ANA, "id").failing[0].obstacles[0].key == "class"


def test_what_a_saved_expression_needs_is_told_as_far_as_its_tags_may_be_known(
    here: World,
) -> None:
    with here.desk.lake.changing() as change:
        body = Expression.of({"class": ["non-private"]})
        change.put_expression(SavedExpression(account=HOME, name="open", body=body))
    here.grant(ADMIN, ANA.arn, TagPolicy(HOME, PolicyKind.TABLE, name="open"), P.SELECT)
    assert told(here, ANA, "ip_address").failing[0].obstacles == (UNTOLD,)
    may_describe(here, ANA, "non-private")
    (obstacle,) = told(here, ANA, "ip_address").failing[0].obstacles
    assert obstacle.needs == {"non-private"}


def test_a_grant_that_ended_does_not_name_the_columns_that_it_would_show(here: World) -> None:
    here.grant(ADMIN, ANA.arn, open_class(), P.SELECT)
    hide(here)
    ended = Grant(
        id="",
        account=HOME,
        principal=ANA.arn,
        resource=OnColumns(HOME, "ads", "events", frozenset({"id", "ip_address"})),
        permissions=frozenset({P.SELECT}),
        expires_at=here.clock.now() - 1,
    )
    with here.desk.lake.changing() as change:
        change.put_grant(ended)
        for excluding, named in ((False, {"ip_address"}), (True, {"ip_address"})):
            on = OnColumns(HOME, "ads", "events", frozenset(named), excluding=excluding)
            change.put_grant(replace(ended, resource=on))
    assert [one.grant.resource for one in told(here, ANA, "id").failing] == [
        OnColumns(HOME, "ads", "events", frozenset({"id"})),
        OnTable(HOME, "ads", "events"),
    ]
    assert len(told(here, OPERATOR, "id", about=ANA.arn).failing) == 3


def test_how_many_columns_are_hidden_is_told_of_what_may_be_discovered(here: World) -> None:
    here.grant(ADMIN, ANA.arn, open_class(), P.SELECT)
    assert [one.hidden for one in ask_database(here, ANA).tables] == [0, 1]
    hide(here)
    assert [one.hidden for one in ask_database(here, ANA).tables] == [0, 0]
    assert [one.hidden for one in ask_database(here, OPERATOR, about=ANA.arn).tables] == [0, 1]


def test_no_change_is_told_to_who_may_not_know_everything(here: World) -> None:
    for asker in (ANA, OWNER):
        answer = ask(here, asker)
        assert (answer.fixes, answer.state) == ((), None)


def test_a_lake_that_is_kept_gives_the_same_answers(here: World) -> None:
    here.grant(ADMIN, ANA.arn, open_class(), P.SELECT)
    here.grant(ADMIN, ANALYSTS, on_table(), P.SELECT)
    kept = KeptLake(here.engine)
    for discoverable in (True, False):
        if not discoverable:
            hide(here)
        for asker in (OPERATOR, ANA, OWNER, BOB):
            about = BOB.arn if asker is OPERATOR else asker.arn
            assert ask_database(here, asker, about=about, kept=kept) == ask_database(
                here, asker, about=about
            )
        mine = ask(here, OPERATOR, about=BOB.arn, kept=kept)
        assert mine.fixes
        assert mine == ask(here, OPERATOR, about=BOB.arn)


def test_what_a_kept_lake_has_weighed_is_weighed_anew_once_a_table_changed(here: World) -> None:
    kept = KeptLake(here.engine)
    here.grant(ADMIN, ANA.arn, open_class(), P.SELECT)
    before = ask(here, OPERATOR, about=ANA.arn, kept=kept)
    place = Place(HOME, "ads", "clicks", "id")
    with here.desk.lake.changing() as change:
        change.assign(Assignment(place=place, key="class", value="private"))
    after = ask(here, OPERATOR, about=ANA.arn, kept=kept)
    assert after == ask(here, OPERATOR, about=ANA.arn)
    assert [one.beyond for one in after.fixes] != [one.beyond for one in before.fixes]


def found_record(here: World) -> TableRecord:
    record = here.desk.lake.table(EVENTS)
    assert record is not None
    return record
