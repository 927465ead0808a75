"""Refusals are on record, and nobody fills the log with them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.adapters.clock import ManualClock
from lakeveil.core.audit import AuditEvent, AuditId, AuditOutcome, Json
from lakeveil.errors import Unavailable
from lakeveil.flows.refusals import MOST_A_MINUTE, MOST_SUBJECTS, Refusals

REFUSED = AuditEvent(
    principal="anonymous",
    action="sts:AssumeRoleWithWebIdentity",
    outcome=AuditOutcome.REFUSED,
    detail={"session_name": "x"},
)


class Records:
    """A log that keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []

    def record(self, event: AuditEvent) -> AuditId:
        self.events.append(event)
        return AuditId("")

    def intend(self, event: AuditEvent) -> AuditId:
        raise Unavailable(event.action)

    def complete(
        self,
        intent: AuditId,
        *,
        outcome: AuditOutcome,
        size_bytes: int | None = None,
        rows: int | None = None,
        error_code: str = "",
        detail: Mapping[str, Json] | None = None,
    ) -> AuditId:
        raise Unavailable(f"{intent} {outcome} {size_bytes} {rows} {error_code} {detail}")


@pytest.fixture
def log() -> Records:
    return Records()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000.0)


@pytest.fixture
def refusals(log: Records, clock: ManualClock) -> Refusals:
    return Refusals(audit=log, clock=clock)


def test_a_few_refusals_are_each_on_record_as_they_were(log: Records, refusals: Refusals) -> None:
    for _ in range(MOST_A_MINUTE):
        refusals.record(REFUSED, subject="a")
    assert log.events == [REFUSED] * MOST_A_MINUTE


def test_a_flood_is_on_record_with_its_size_in_a_few_records(
    log: Records, refusals: Refusals
) -> None:
    for _ in range(2_000):
        refusals.record(REFUSED, subject="a")
    sizes = [event.detail.get("refusals_this_minute") for event in log.events[MOST_A_MINUTE:]]
    assert sizes == [MOST_A_MINUTE + more for more in (1, 10, 100, 1_000)]
    assert {event.detail["session_name"] for event in log.events} == {"x"}


def test_a_flood_hides_no_refusal_of_somebody_else(log: Records, refusals: Refusals) -> None:
    for _ in range(500):
        refusals.record(REFUSED, subject="a")
    before = len(log.events)
    refusals.record(REFUSED, subject="b")
    assert log.events[before:] == [REFUSED]


def test_after_a_minute_refusals_are_listed_again(
    log: Records, refusals: Refusals, clock: ManualClock
) -> None:
    for _ in range(500):
        refusals.record(REFUSED, subject="a")
    before = len(log.events)
    clock.sleep(59)
    refusals.record(REFUSED, subject="a")
    assert len(log.events) == before
    clock.sleep(1)
    refusals.record(REFUSED, subject="a")
    assert log.events[before:] == [REFUSED]


def test_whoever_makes_up_subjects_has_no_more_records_for_it(
    log: Records, refusals: Refusals, clock: ManualClock
) -> None:
    for number in range(MOST_SUBJECTS + 1_000):
        refusals.record(REFUSED, subject=f"{number:012}")
    assert len(log.events) <= MOST_SUBJECTS + MOST_A_MINUTE + 4
    clock.sleep(60)
    before = len(log.events)
    refusals.record(REFUSED, subject="new")
    assert log.events[before:] == [REFUSED]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 40)), max_size=400))
def test_of_no_subject_there_are_ever_more_than_its_share(steps: list[tuple[str, float]]) -> None:
    log, clock = Records(), ManualClock(0.0)
    refusals = Refusals(audit=log, clock=clock)
    began: dict[str, float] = {}
    listed: dict[str, int] = {}
    for subject, wait in steps:
        clock.sleep(wait / 100)
        before = len(log.events)
        refusals.record(REFUSED, subject=subject)
        if clock.now() - began.get(subject, -60.0) >= 60:
            began[subject], listed[subject] = clock.now(), 0
        listed[subject] += len(log.events) - before
        assert listed[subject] <= MOST_A_MINUTE + 3


def test_what_cannot_be_put_on_record_is_not_passed_over(clock: ManualClock) -> None:
    class Silent(Records):
        def record(self, event: AuditEvent) -> AuditId:
            raise Unavailable(event.action)

    with pytest.raises(Unavailable):
        Refusals(audit=Silent(), clock=clock).record(REFUSED, subject="a")
