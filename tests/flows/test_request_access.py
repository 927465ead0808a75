"""Asking for access, answering, and breaking the glass, over a real database and audit log."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from lakeveil.adapters.access_requests import SqlAccessRequests
from lakeveil.core.access.explaining.access_requests import (
    ANSWER_WITHIN_S,
    BREAK_GLASS,
    DAY_S,
    LISTED_S,
    MAX_EMERGENCY_S,
    AccessRequest,
    RequestState,
)
from lakeveil.core.access.explaining.askers import Asker, Operator
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.permissions import Permission
from lakeveil.core.identity import arns
from lakeveil.core.identity.principal import Principal
from lakeveil.core.identity.rights import Effect, Rights, Statement
from lakeveil.errors import Conflict, NotFound, Refused, SetupError, Unavailable, UsageError
from lakeveil.flows.extend_grant import extend_grant
from lakeveil.flows.request_access import (
    MAX_PENDING,
    approve,
    break_glass,
    deny,
    preview,
    request_access,
    requests_for,
    withdraw,
)
from lakeveil.flows.request_desk import RequestDesk
from lakeveil.ports.lake import Place
from tests.flows.lakes import (
    ADMIN,
    BOB,
    CARL,
    EVENTS,
    EVERYBODY,
    HOME,
    OWNER,
    READER,
    World,
    found,
    world,
)
from tests.flows.test_explain_access import Everybody, grant_directly, hide, open_class, tag

ANA = next(one for one in EVERYBODY if one.arn.endswith("/ana"))
STEWARD = Principal(
    arn=arns.user_arn(HOME, "steward"),
    account=HOME,
    identities=frozenset({arns.user_arn(HOME, "steward")}),
)
OPERATOR = Operator(arn="local:eva")
COLUMN = ("ip_address",)
P = Permission


@dataclass(frozen=True, kw_only=True)
class Office:
    """The small lake with its requests."""

    here: World
    desk: RequestDesk

    def ask(
        self, who: Principal = ANA, columns: Sequence[str] = COLUMN, reason: str = "churn model"
    ) -> AccessRequest:
        return request_access(who, EVENTS, columns, reason, desk=self.desk)

    def approve(self, asker: Asker, request: AccessRequest, days: int = 7) -> AccessRequest:
        cells = preview(asker, request.id, desk=self.desk).cells
        return approve(asker, request.id, days=days, cells=cells, desk=self.desk)

    def kept(self, request: AccessRequest) -> AccessRequest:
        kept = self.desk.requests.find(request.id)
        assert kept is not None
        return kept

    def on_record(self, action: str) -> list[tuple[str, str]]:
        """Principal and outcome of every record of an action."""
        entries = self.here.trail.entries(action=action, limit=1_000)
        events = [entry.record.event for entry in entries if entry.record]
        return [(event.principal, event.outcome.value) for event in reversed(events)]


@pytest.fixture(scope="module")
def laid_down(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("lake")
    found(home)
    with world(home) as here:
        tag(here)
        here.grant(ADMIN, ANA.arn, open_class(), P.SELECT)
        with here.desk.lake.changing() as change:
            known = change.policy().tags[HOME, "class"]
            change.put_tag(replace(known, created_by=STEWARD.arn))
    return home


@pytest.fixture
def office(laid_down: Path, tmp_path: Path) -> Iterator[Office]:
    shutil.copytree(laid_down, tmp_path, dirs_exist_ok=True)
    with world(tmp_path) as here:
        yield Office(
            here=here,
            desk=RequestDesk(
                lake=here.desk.lake,
                people=Everybody([*EVERYBODY, STEWARD]),
                requests=SqlAccessRequests(here.engine),
                audit=here.desk.audit,
                clock=here.clock,
                operator="local:eva",
            ),
        )


def sees(office: Office, who: Principal = ANA) -> bool:
    return "ip_address" in office.here.sees(who)


@pytest.mark.parametrize("approver", [STEWARD, OWNER, ADMIN, OPERATOR])
def test_an_approval_becomes_a_grant_that_ends(office: Office, approver: Asker) -> None:
    request = office.ask()
    assert not sees(office)
    done = office.approve(approver, request, days=3)
    assert sees(office)
    (made,) = [g for g in office.desk.lake.policy().grants if g.id == done.grant]
    assert (made.principal, made.granted_by) == (ANA.arn, approver.arn)
    assert made.reason == f"request {request.id}: churn model"
    assert made.grantable == frozenset()
    office.here.clock.sleep(3 * DAY_S)
    assert not sees(office)


def test_a_request_is_brought_to_the_owners_of_tag_and_table(office: Office) -> None:
    seen = preview(ADMIN, office.ask().id, desk=office.desk)
    assert seen.approvers.asked == {STEWARD.arn, OWNER.arn}


def test_without_an_owner_it_is_brought_to_the_administrators(office: Office) -> None:
    with office.desk.lake.changing() as change:
        record = change.table(EVENTS)
        assert record is not None
        change.put_table(replace(record, table=replace(record.table, owner="")))
        change.unassign(Place(HOME, "ads", "events", "ip_address"), "class")
        change.unassign(Place(HOME, "ads"), "class")
    assert preview(ADMIN, office.ask().id, desk=office.desk).approvers.asked == {ADMIN.arn}


def test_the_creator_of_a_tag_answers_only_where_that_tag_stands_in_the_way(
    office: Office,
) -> None:
    both = office.ask(columns=("ip_address", "spend"))
    with pytest.raises(NotFound):
        preview(STEWARD, both.id, desk=office.desk)
    assert preview(OWNER, both.id, desk=office.desk)


@pytest.mark.parametrize("other", [BOB, CARL, READER])
def test_who_may_not_answer_is_told_of_no_request(office: Office, other: Principal) -> None:
    request = office.ask()
    for refused in (
        lambda: preview(other, request.id, desk=office.desk),
        lambda: approve(other, request.id, days=1, cells=1, desk=office.desk),
        lambda: deny(other, request.id, "no", desk=office.desk),
        lambda: withdraw(other, request.id, desk=office.desk),
    ):
        with pytest.raises(NotFound, match="there is no request"):
            refused()
    assert office.kept(request).state is RequestState.PENDING


def test_nobody_approves_their_own_request(office: Office) -> None:
    request = office.ask()
    with pytest.raises(Refused, match="not yours to answer"):
        office.approve(ANA, request)
    assert not sees(office)
    assert office.kept(request).state is RequestState.PENDING
    assert (ANA.arn, "refused") in office.on_record("lakeveil:ApproveAccessRequest")


def test_the_creator_of_the_tag_does_not_approve_their_own_request_either(office: Office) -> None:
    grant_directly(office.here, STEWARD.arn, open_class())
    request = office.ask(STEWARD)
    with pytest.raises(Refused):
        office.approve(STEWARD, request)
    assert office.approve(OWNER, request).grant


def test_an_administrator_may_approve_its_own_and_that_is_on_record(office: Office) -> None:
    request = office.ask(ADMIN)
    assert office.approve(ADMIN, request).own
    assert office.kept(request).own


def test_an_approval_says_how_much_it_exposes_and_fails_where_that_changed(office: Office) -> None:
    request = office.ask()
    assert preview(OWNER, request.id, desk=office.desk).cells == 1
    with pytest.raises(Conflict, match="would now expose 1 cells, not 4"):
        approve(OWNER, request.id, days=1, cells=4, desk=office.desk)
    assert not sees(office)
    assert office.kept(request).state is RequestState.PENDING


def test_a_request_is_answered_once(office: Office) -> None:
    request = office.ask()
    deny(OWNER, request.id, "use the aggregate", desk=office.desk)
    with pytest.raises(Conflict, match="is denied"):
        office.approve(ADMIN, request)
    assert not sees(office)
    assert office.kept(request).answer == "use the aggregate"


def test_of_two_answers_at_once_one_is_told(office: Office) -> None:
    request = office.ask()
    deny(OWNER, request.id, "no", desk=office.desk)
    with pytest.raises(Conflict, match="somebody else"):
        office.desk.requests.replace(request, replace(request, state=RequestState.APPROVED))


def test_an_approval_that_died_before_its_grant_is_finished_by_approving_again(
    office: Office,
) -> None:
    request = office.ask()
    now = office.here.clock.now()
    cut_off = replace(
        request,
        state=RequestState.APPROVED,
        answered_by=OWNER.arn,
        answered_at=now,
        until=now + DAY_S,
    )
    office.desk.requests.replace(request, cut_off)
    assert not sees(office)
    with pytest.raises(Refused):
        office.approve(ANA, request)
    assert not sees(office)
    first = office.approve(OWNER, request)
    assert sees(office)
    office.desk.requests.replace(first, cut_off)
    assert office.approve(OWNER, request).grant == first.grant


def test_an_approver_whose_right_went_meanwhile_grants_nothing(office: Office) -> None:
    request = office.ask()
    cells = preview(STEWARD, request.id, desk=office.desk).cells
    with office.desk.lake.changing() as change:
        known = change.policy().tags[HOME, "class"]
        change.put_tag(replace(known, created_by=""))
    with pytest.raises(NotFound):
        approve(STEWARD, request.id, days=1, cells=cells, desk=office.desk)
    assert not sees(office)


def test_a_column_that_went_meanwhile_is_not_granted(office: Office) -> None:
    request = office.ask()
    with office.desk.lake.changing() as change:
        record = change.table(EVENTS)
        assert record is not None
        columns = tuple(c for c in record.table.columns if c.name != "ip_address")
        change.put_table(replace(record, table=replace(record.table, columns=columns)))
    with pytest.raises(NotFound):
        office.approve(OWNER, request)


def test_an_approval_of_a_table_covers_the_columns_of_its_day_only(office: Office) -> None:
    request = office.ask(BOB, columns=())
    office.approve(OWNER, request)
    with office.desk.lake.changing() as change:
        record = change.table(EVENTS)
        assert record is not None
        later = (*record.table.columns, replace(record.table.columns[0], name="later"))
        change.put_table(replace(record, table=replace(record.table, columns=later)))
    assert office.here.sees(BOB) == ["id", "ts", "ip_address", "spend"]


def test_a_request_that_nobody_answered_lapses(office: Office) -> None:
    request = office.ask()
    office.here.clock.sleep(ANSWER_WITHIN_S)
    assert requests_for(ANA, HOME, desk=office.desk)[0].state is RequestState.LAPSED
    with pytest.raises(Conflict, match="is lapsed"):
        office.approve(OWNER, request)
    assert office.ask().id != request.id


def test_asking_again_for_the_same_gives_the_same_request(office: Office) -> None:
    assert office.ask().id == office.ask(reason="once more").id
    assert office.ask(columns=("spend",)).id != office.ask().id


def test_whoever_asked_can_withdraw_and_nobody_answers_then(office: Office) -> None:
    request = office.ask()
    assert withdraw(ANA, request.id, desk=office.desk).state is RequestState.WITHDRAWN
    with pytest.raises(Conflict):
        office.approve(OWNER, request)
    with pytest.raises(Conflict):
        withdraw(ANA, request.id, desk=office.desk)


def test_a_reason_is_asked_of_everybody(office: Office) -> None:
    for reason in ("", "  ", "x" * 1_001):
        with pytest.raises(UsageError, match="reason"):
            office.ask(reason=reason)
        with pytest.raises(UsageError, match="reason"):
            deny(OWNER, office.ask().id, reason, desk=office.desk)


@pytest.mark.parametrize("days", [0, -1, 91])
def test_an_approval_ends_after_ninety_days_at_most(office: Office, days: int) -> None:
    with pytest.raises(UsageError, match="days"):
        office.approve(OWNER, office.ask(), days=days)


def test_nobody_asks_for_what_they_may_not_know_of(office: Office) -> None:
    answers = []
    hide(office.here)
    for name, columns in ((EVENTS, ("ip_address",)), (TableName(HOME, "ads", "none"), ("id",))):
        with pytest.raises(NotFound) as caught:
            request_access(BOB, name, columns, "please", desk=office.desk)
        told = caught.value.as_dict()
        answers.append({k: v.replace(str(name), "X") for k, v in told.items()})
    assert answers[0] == answers[1]
    with pytest.raises(NotFound, match="no column `ip_address`"):
        office.ask()
    assert office.desk.requests.of_account(HOME) == []


def test_a_queue_cannot_be_flooded(office: Office) -> None:
    now = office.here.clock.now()
    for number in range(MAX_PENDING):
        office.desk.requests.add(
            AccessRequest(
                id="",
                requester=ANA.arn,
                requester_account=HOME,
                table=EVENTS,
                columns=(f"c{number}",),
                reason="more",
                asked_at=now,
            )
        )
    with pytest.raises(Refused, match="wait for an answer"):
        office.ask()


def test_everybody_lists_what_they_asked_and_may_answer(office: Office) -> None:
    request = office.ask()
    for asker, count in ((ANA, 1), (STEWARD, 1), (OWNER, 1), (READER, 1), (OPERATOR, 1), (BOB, 0)):
        assert len(requests_for(asker, HOME, desk=office.desk)) == count, asker.arn
    assert requests_for(ANA, HOME, desk=office.desk) == [request]


def test_every_step_is_on_record_before_and_after(office: Office) -> None:
    office.approve(OWNER, office.ask())
    deny(OWNER, office.ask(BOB).id, "no", desk=office.desk)
    for who, verb in ((ANA, "Create"), (OWNER, "Approve"), (OWNER, "Deny")):
        records = office.on_record(f"lakeveil:{verb}AccessRequest")
        assert records[:2] == [(who.arn, "allowed"), (who.arn, "done")]


def test_who_typed_for_somebody_else_is_on_record(office: Office) -> None:
    office.ask()
    entries = office.here.trail.entries(action="lakeveil:CreateAccessRequest")
    told = [entry.record.event.detail.get("operator") for entry in entries if entry.record]
    assert "local:eva" in told


def test_somebody_of_an_issuer_asks_for_themselves_and_not_for_their_role(office: Office) -> None:
    zoe = arns.federated_user_arn(HOME, "okta", "zoe")
    role = arns.role_arn(HOME, "analyst")
    session = Principal(
        arn=role, account=HOME, identities=frozenset({role, zoe, arns.iam_principals(HOME)})
    )
    request = office.ask(session)
    assert request.requester == zoe
    with pytest.raises(Refused):
        office.approve(session, request)
    office.approve(OWNER, request)
    assert sees(office, session)
    assert not sees(office, replace(session, identities=session.identities - {zoe}))
    assert [one.id for one in requests_for(session, HOME, desk=office.desk)] == [request.id]


def may_break(*actions: str, account: str = HOME, name: str = "ana") -> Principal:
    arn = arns.user_arn(account, name)
    where = f"arn:aws:lakeveil::{HOME}:table/ads/*"
    statement = Statement(effect=Effect.ALLOW, actions=actions, resources=(where,))
    return Principal(
        arn=arn,
        account=account,
        identities=frozenset({arn}),
        rights=Rights(statements=(statement,)),
    )


def emergency(office: Office, who: Principal, seconds: float = 3_600.0) -> AccessRequest:
    return break_glass(who, EVENTS, COLUMN, "breach 17", seconds=seconds, desk=office.desk)


@pytest.mark.parametrize("who", [ADMIN, may_break(BREAK_GLASS)], ids=["administrator", "right"])
def test_the_glass_is_broken_at_once_and_not_for_long(office: Office, who: Principal) -> None:
    done = emergency(office, who, seconds=MAX_EMERGENCY_S)
    assert (done.state, done.own) == (RequestState.EMERGENCY, True)
    assert sees(office, who)
    assert office.on_record(BREAK_GLASS)[:2] == [(who.arn, "allowed"), (who.arn, "done")]
    assert [one.id for one in requests_for(ADMIN, HOME, desk=office.desk)] == [done.id]
    office.here.clock.sleep(MAX_EMERGENCY_S)
    assert not sees(office, who)


@pytest.mark.parametrize(
    "who",
    [
        replace(BOB, rights=Rights()),
        replace(READER, rights=Rights()),
        STEWARD,
        may_break("lakeveil:Approve*"),
    ],
    ids=["nobody", "read-only", "steward", "another-right"],
)
def test_who_may_not_break_the_glass_is_refused_on_record(office: Office, who: Principal) -> None:
    with pytest.raises(Refused, match="break the glass"):
        emergency(office, who)
    assert not sees(office, who)
    assert office.on_record(BREAK_GLASS) == [(who.arn, "allowed"), (who.arn, "refused")]
    assert office.desk.requests.of_account(HOME) == []


def test_rights_that_another_account_gave_break_no_glass_here(office: Office) -> None:
    carl = replace(may_break(BREAK_GLASS, account=CARL.account, name="carl"))
    office.here.grant(ADMIN, carl.arn, open_class(), P.SELECT)
    with pytest.raises(NotFound):
        emergency(office, carl)
    with pytest.raises(Refused, match="break the glass"):
        break_glass(carl, EVENTS, ("id",), "why not", seconds=60, desk=office.desk)


def test_an_emergency_is_listed_until_a_week_after_it_ended(office: Office) -> None:
    done = emergency(office, ADMIN)
    waits = office.ask()
    office.here.clock.sleep(3_600.0 + LISTED_S - 1)
    listed = requests_for(ADMIN, HOME, desk=office.desk, every=False)
    assert {one.id for one in listed} == {done.id, waits.id}
    office.here.clock.sleep(2)
    assert requests_for(ADMIN, HOME, desk=office.desk, every=False) == [waits]
    assert len(requests_for(ADMIN, HOME, desk=office.desk)) == 2
    assert requests_for(BOB, HOME, desk=office.desk, every=False) == []


@pytest.mark.parametrize("seconds", [0.0, -1.0, MAX_EMERGENCY_S + 1])
def test_an_emergency_ends_after_four_hours_at_most(office: Office, seconds: float) -> None:
    with pytest.raises(UsageError, match="hours"):
        emergency(office, ADMIN, seconds=seconds)


def test_nothing_opens_when_the_audit_log_does_not_answer(office: Office) -> None:
    request = office.ask()
    cells = preview(OWNER, request.id, desk=office.desk).cells
    with office.here.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit_records RENAME TO gone")
    with pytest.raises((Unavailable, SetupError)):
        approve(OWNER, request.id, days=1, cells=cells, desk=office.desk)
    with pytest.raises((Unavailable, SetupError)):
        emergency(office, ADMIN)
    assert not sees(office)
    assert not sees(office, ADMIN)
    assert office.kept(request).state is RequestState.PENDING


def test_an_administrator_extends_a_grant_and_nobody_else_does(office: Office) -> None:
    done = office.approve(OWNER, office.ask(), days=1)
    later = office.here.clock.now() + 3 * DAY_S
    ports = {"lake": office.desk.lake, "audit": office.desk.audit, "clock": office.desk.clock}
    for other in (ANA, OWNER, CARL):
        with pytest.raises(NotFound):
            extend_grant(other, done.grant, until=later, **ports)  # type: ignore[arg-type]
    extend_grant(OPERATOR, done.grant, until=later, **ports)  # type: ignore[arg-type]
    office.here.clock.sleep(2 * DAY_S)
    assert sees(office)
    with pytest.raises(UsageError):
        extend_grant(ADMIN, done.grant, until=office.here.clock.now(), **ports)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        extend_grant(ADMIN, "no-such", until=later, **ports)  # type: ignore[arg-type]
