"""Every change is on record: before it is made, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from lakeveil.core.access.grants import OnTable
from lakeveil.core.audit import AuditEvent, AuditId, AuditOutcome, Json
from lakeveil.core.identity.rights import Rights
from lakeveil.errors import NotFound, Refused, Unavailable, UsageError
from lakeveil.flows.asked_grants import Asked
from lakeveil.flows.change_access import AccessDesk, changing
from lakeveil.flows.change_grants import grant
from lakeveil.flows.vend_access import refuse_location_credentials, refuse_table_credentials
from tests.flows.lakes import ADMIN, ANA, BOB, EVENTS, HOME, OWNER, P, World, on_table


def records(lake: World) -> list[tuple[str, str, str, str]]:
    """Kind, action, outcome and error code of what is on record, but for the log's own."""
    found = [entry.record for entry in lake.trail.entries() if entry.record][::-1]
    return [
        (
            r.kind.value,
            r.event.principal.rpartition("/")[2],
            r.event.outcome.value,
            r.event.error_code,
        )
        for r in found
        if r.writer == "local"
    ]


def test_a_change_is_on_record_before_and_after(lake: World) -> None:
    lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT)

    assert records(lake) == [
        ("intent", "admin", "allowed", ""),
        ("completion", "admin", "done", ""),
    ]
    entries = [entry.record for entry in lake.trail.entries() if entry.record]
    done = next(r for r in entries if r.kind.value == "completion")
    after = done.event.detail["after"]
    assert isinstance(after, list)
    assert isinstance(after[0], Mapping)
    assert after[0]["permissions"] == ["SELECT"]


def test_a_refusal_is_on_record(lake: World) -> None:
    with pytest.raises(NotFound):
        lake.grant(BOB, BOB.arn, on_table(), P.SELECT)
    with pytest.raises(UsageError):
        lake.grant(ADMIN, ANA.arn, OnTable(HOME, "ads", "events"))

    # The second one was refused before anything was looked at.
    assert records(lake) == [
        ("intent", "bob", "allowed", ""),
        ("completion", "bob", "refused", "not_found"),
    ]


def test_a_change_that_goes_wrong_changes_nothing_and_is_on_record(lake: World) -> None:
    def go_wrong() -> None:
        with changing(lake.call(ADMIN), lake.desk, "test") as change:
            change.lake.remove_table(EVENTS)
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        go_wrong()

    assert lake.desk.lake.table(EVENTS) is not None
    assert records(lake)[-1] == ("completion", "admin", "failed", "RuntimeError")


def test_a_change_is_done_though_what_it_replaced_is_too_long_to_tell(lake: World) -> None:
    with changing(lake.call(ADMIN), lake.desk, "test") as change:
        change.lake.remove_table(EVENTS)
        change.said["before"] = "x" * 2**19

    assert lake.desk.lake.table(EVENTS) is None
    assert records(lake)[-1] == ("completion", "admin", "done", "")


class _SilentLog:
    """A log that cannot be written."""

    def intend(self, event: AuditEvent) -> AuditId:
        raise Unavailable(f"no room for {event.action}")

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

    def record(self, event: AuditEvent) -> AuditId:
        raise Unavailable(f"no room for {event.action}")


def test_what_cannot_be_put_on_record_does_not_happen(lake: World) -> None:
    desk = AccessDesk(
        lake=lake.desk.lake,
        audit=_SilentLog(),
        directory=lake.desk.directory,
        clock=lake.clock,
    )
    asked = Asked(principal=ANA.arn, resource=on_table(), permissions=frozenset({P.SELECT}))

    with pytest.raises(Unavailable):
        grant(asked, call=lake.call(ADMIN), desk=desk)

    assert lake.grants_to(ANA.arn) == []


def test_credentials_are_refused_and_say_nothing_about_what_is_hidden(lake: World) -> None:
    with pytest.raises(Refused, match="not vended by Lakeveil yet"):
        refuse_table_credentials(EVENTS, call=lake.call(OWNER), desk=lake.desk)
    with pytest.raises(Refused, match=r"Required Select on ads\.events"):
        refuse_table_credentials(EVENTS, call=lake.call(ADMIN), desk=lake.desk)
    with pytest.raises(NotFound, match="Table not found"):
        refuse_table_credentials(EVENTS, call=lake.call(ANA), desk=lake.desk)
    with pytest.raises(Refused):
        refuse_location_credentials(["s3://lake/ads"], call=lake.call(ANA), desk=lake.desk)

    assert [(kind, who, outcome) for kind, who, outcome, _ in records(lake)] == [
        ("event", "dave", "refused"),
        ("event", "admin", "refused"),
        ("event", "ana", "refused"),
        ("event", "ana", "refused"),
    ]


def test_without_the_right_to_read_data_not_even_the_owner_is_told_of_vending(lake: World) -> None:
    no_data = replace(OWNER, rights=Rights())
    with pytest.raises(Refused, match=r"Required Select on ads\.events") as refused:
        refuse_table_credentials(EVENTS, call=lake.call(no_data), desk=lake.desk)
    assert refused.value.code == "insufficient_permissions"
    assert [(who, outcome) for _, who, outcome, _ in records(lake)] == [("dave", "refused")]
