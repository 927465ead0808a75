"""`lakeveil access request|requests|approve|deny|withdraw|break-glass|extend`."""

from __future__ import annotations

from typing import Any

import click

from lakeveil.cli.access_session import (
    account_of,
    account_option,
    as_option,
    asker_of,
    opened,
    principal_of,
    table_and_columns,
)
from lakeveil.cli.identity_session import when, yes_option
from lakeveil.cli.session import Session, json_option
from lakeveil.cli.why_text import exposure_text, gain_document
from lakeveil.core.access.changing.change_text import end_of_day
from lakeveil.core.access.changing.change_words import spoken
from lakeveil.core.access.explaining.access_requests import (
    DEFAULT_DAYS,
    MAX_DAYS,
    AccessRequest,
)

COLUMNS = ["id", "state", "requester", "columns", "asked_at", "until", "reason"]

for_somebody = click.option(
    "--as", "asker", required=True, metavar="PRINCIPAL", help="Who asks: name or ARN."
)
reason_option = click.option("--reason", required=True, help="What it is for; goes on record.")


@click.command()
@click.argument("what", metavar="DATABASE.TABLE[.COLUMN]")
@for_somebody
@reason_option
@account_option
@json_option
@click.pass_obj
def request(session: Session, what: str, asker: str, reason: str, account: str) -> None:
    """Ask for access to a table or column.

    It goes to the owner of the tag in the way and of the table, else to the administrators.

    \b
    Example:
      lakeveil access request ads.events.email --as ana --reason 'churn model'
    """
    from lakeveil.flows.request_access import request_access

    with opened(session) as desk:
        account = account_of(desk, account)
        name, columns = table_and_columns(what, account)
        who = principal_of(desk, asker, account)
        session.emit(_document(request_access(who, name, columns, reason, desk=desk)))


@click.command(name="requests")
@click.argument("request_id", metavar="[ID]", required=False)
@click.option("--all", "every", is_flag=True, help="Answered ones, too, and all that ended.")
@as_option
@account_option
@json_option
@click.pass_obj
def list_requests(
    session: Session, request_id: str | None, asker: str, account: str, *, every: bool
) -> None:
    """List the requests, or show one with what approving it would expose.

    Listed are those that wait for an answer and emergencies, until 7 days after they ended.
    """
    from lakeveil.flows.request_access import preview, requests_for

    with opened(session) as desk:
        account = account_of(desk, account)
        who = asker_of(desk, asker, account)
        if request_id:
            seen = preview(who, request_id, desk=desk)
            session.emit(
                _document(seen.request)
                | {
                    "asked": sorted(seen.approvers.asked),
                    "cells": seen.cells,
                    "exposes": [gain_document(gain) for gain in seen.exposure.gains],
                }
            )
            return
        found = requests_for(who, account, desk=desk, every=every)
    session.emit_rows(
        [_document(one) for one in found],
        COLUMNS,
        empty="no requests wait for an answer",
    )


@click.command()
@click.argument("request_id", metavar="ID")
@click.option(
    "--days", type=click.IntRange(1, MAX_DAYS), default=DEFAULT_DAYS, show_default=True,
    help="For how long.",
)  # fmt: skip
@as_option
@account_option
@yes_option
@json_option
@click.pass_obj
def approve(
    session: Session, request_id: str, days: int, asker: str, account: str, *, yes: bool
) -> None:
    """Approve a request: a grant that ends after some days.

    Shows what that exposes and asks, unless --yes.
    """
    from lakeveil.flows import request_access as flow

    with opened(session) as desk:
        who = asker_of(desk, asker, account_of(desk, account))
        seen = flow.preview(who, request_id, desk=desk)
        for gain in seen.exposure.gains:
            session.say(f"  {gain}")
        session.say(exposure_text(seen.exposure.gains, seen.exposure.losses))
        asked = f"Let {spoken(seen.request.requester)} see this for {days} days?"
        session.confirm(asked, yes=yes)
        done = flow.approve(who, request_id, days=days, cells=seen.cells, desk=desk)
    session.emit(_document(done))


@click.command()
@click.argument("request_id", metavar="ID")
@reason_option
@as_option
@account_option
@json_option
@click.pass_obj
def deny(session: Session, request_id: str, reason: str, asker: str, account: str) -> None:
    """Deny a request, with the reason that whoever asked will read."""
    from lakeveil.flows import request_access as flow

    with opened(session) as desk:
        who = asker_of(desk, asker, account_of(desk, account))
        session.emit(_document(flow.deny(who, request_id, reason, desk=desk)))


@click.command()
@click.argument("request_id", metavar="ID")
@for_somebody
@account_option
@json_option
@click.pass_obj
def withdraw(session: Session, request_id: str, asker: str, account: str) -> None:
    """Take a request back."""
    from lakeveil.flows import request_access as flow

    with opened(session) as desk:
        who = principal_of(desk, asker, account_of(desk, account))
        session.emit(_document(flow.withdraw(who, request_id, desk=desk)))


@click.command(name="break-glass")
@click.argument("what", metavar="DATABASE.TABLE[.COLUMN]")
@for_somebody
@reason_option
@click.option(
    "--hours", type=click.FloatRange(0, 4, min_open=True), default=1.0, show_default=True,
    help="For how long, at most 4.",
)  # fmt: skip
@account_option
@yes_option
@json_option
@click.pass_obj
def break_glass(
    session: Session, *, what: str, asker: str, reason: str, hours: float, account: str, yes: bool
) -> None:
    """Open a table or column at once, in an emergency, for at most four hours.

    For administrators, and for who has the right lakeveil:BreakGlass on it. It is on record with
    its reason before anything opens, and listed by `lakeveil access requests`.
    """
    from lakeveil.flows import request_access as flow

    with opened(session) as desk:
        account = account_of(desk, account)
        name, columns = table_and_columns(what, account)
        who = principal_of(desk, asker, account)
        session.confirm(
            f"Open {what} to {spoken(who.arn)} for {hours:g} hours, on record?", yes=yes
        )
        done = flow.break_glass(who, name, columns, reason, seconds=hours * 3600, desk=desk)
    session.say(f"EMERGENCY ACCESS: {spoken(who.arn)} sees {what} until {when(done.until)}")
    session.emit(_document(done))


@click.command()
@click.argument("grant_id", metavar="GRANT")
@click.option("--until", required=True, metavar="DAY", help="The last day, such as 2026-12-31.")
@as_option
@account_option
@json_option
@click.pass_obj
def extend(session: Session, grant_id: str, until: str, asker: str, account: str) -> None:
    """Let a grant count until the end of another day (UTC)."""
    from lakeveil.flows.extend_grant import extend_grant

    with opened(session) as desk:
        who = asker_of(desk, asker, account_of(desk, account))
        done = extend_grant(
            who, grant_id, until=end_of_day(until), lake=desk.lake, audit=desk.audit,
            clock=desk.clock,
        )  # fmt: skip
    session.emit({"grant": done.id, "to": done.principal, "until": when(done.expires_at)})


def _document(one: AccessRequest) -> dict[str, Any]:
    return {
        "id": one.id,
        "state": one.state.value,
        "requester": one.requester,
        "table": str(one.table),
        "columns": [f"{one.table}.{column}" for column in one.columns],
        "reason": one.reason,
        "asked_at": when(one.asked_at),
        "until": when(one.until),
        "grant": one.grant or None,
        "answered_by": one.answered_by or None,
        "answer": one.answer or None,
        "own": one.own,
    }
