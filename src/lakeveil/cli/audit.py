"""`lakeveil audit`: show the log, verify it, export its head, erase what it keeps encrypted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lakeveil.cli.identity_session import local_user
from lakeveil.cli.session import Session, json_option
from lakeveil.core.audit import AuditEvent, AuditOutcome
from lakeveil.errors import LakeveilError, UsageError

if TYPE_CHECKING:
    from lakeveil.adapters.audit_trail import Entry
    from lakeveil.adapters.audit_verification import Verification
    from lakeveil.core.audit_chain import Finding
    from lakeveil.wiring.audit import OpenAudit

_IDS_PER_RECORD = 500
OUTCOMES = [outcome.value for outcome in AuditOutcome]


def _when(text: str) -> float:
    """A date or a time as ISO 8601 has it, UTC unless it says otherwise; gives UTC seconds."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"`{text}` is not a time such as 2026-03-01 or 2026-03-01T09:30"
        raise click.BadParameter(message) from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


@click.group()
def command() -> None:
    """Show the audit log and verify it; erase what it keeps encrypted."""


@command.command()
@click.option("--principal", default="", help="Only this ARN; `...*` for all that begin so.")
@click.option("--action", default="", help="Only this action; `glue:*` for all that begin so.")
@click.option("--resource", default="", help="Only this resource; `...*` for all that begin so.")
@click.option("--outcome", type=click.Choice(OUTCOMES), help="Only what ended so.")
@click.option("--since", type=_when, metavar="TIME", help="Only from this time (UTC) on.")
@click.option("--until", type=_when, metavar="TIME", help="Only before this time (UTC).")
@click.option("--open", "only_open", is_flag=True, help="Only intents without a completion.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True,
              help="At most so many, the newest.")  # fmt: skip
@click.option("--reveal", is_flag=True, help="Decrypt literals; goes on record itself.")
@json_option
@click.pass_obj
def show(session: Session, /, *, outcome: str | None, reveal: bool, **selected: Any) -> None:
    """Show records, the newest first.

    \b
    Examples:
      lakeveil audit show --principal 'arn:aws:iam::123456789012:role/bu-a' --since 2026-03-01
      lakeveil audit show --action 'lakeformation:*' --json
    """
    wanted = AuditOutcome(outcome) if outcome else None
    with _opened(session) as audit:
        entries = audit.trail.entries(outcome=wanted, **selected)
        clear = _revealed(entries, audit, selected) if reveal else {}
    session.emit_rows(
        [_row(entry, clear.get(entry.id), session) for entry in entries],
        ["at", "principal", "action", "resource", "outcome", "id", *(["literals"] * reveal)],
        empty="nothing on record fits",
    )


@command.command()
@click.option(
    "--against", type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="HEAD.json",
    help="A head exported before, kept elsewhere.",
)  # fmt: skip
@json_option
@click.pass_obj
def verify(session: Session, against: Path | None) -> int:
    """Verify every record, and the end of every chain. Exits 1 if anything is wrong.

    \b
    Examples:
      lakeveil audit verify
      lakeveil audit verify --against HEAD.json
    """
    from lakeveil.adapters.audit_verification import read_head, verify_log

    anchored = read_head(against.read_bytes()) if against else None
    with _opened(session) as audit:
        verified = verify_log(audit.engine, audit.log.keys, against=anchored)
    session.emit(_verified(verified))
    if not verified.findings:
        return 0
    for finding in verified.findings[1:]:
        session.say(f"also: {_named(finding)}: {finding.explanation}")
    session.fail(_as_error(verified.findings[0]))
    return 1


@command.command()
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file."
)
@json_option
@click.pass_obj
def head(session: Session, out: Path | None) -> None:
    """Export where each chain ends now, signed, to be kept elsewhere.

    Whoever holds the database and the keys can rewrite the log, but not what was exported before:
    keep heads where nobody who runs Lakeveil can change them.

    \b
    Example:
      lakeveil audit head -o HEAD.json
    """
    import msgspec

    from lakeveil.adapters.audit_verification import export_head

    with _opened(session) as audit:
        now = datetime.now(UTC).timestamp()
        document = export_head(audit.engine, audit.log.keys, now=now)
    if out is not None:
        out.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    if session.as_json:
        session.emit(msgspec.to_builtins(document))
        return
    session.emit_rows(
        [{"chain": h.writer, "records": h.count, "hash": h.hash} for h in document.heads],
        ["chain", "records", "hash"],
    )


@command.command()
@click.option("--id", "ids", multiple=True, metavar="ID", help="This record; may be repeated.")
@click.option("--principal", default="", help="Everything this ARN asked.")
@click.option("--before", type=_when, metavar="TIME", help="Everything before this time (UTC).")
@click.option("--reason", default="", help="Kept on record.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def erase(
    session: Session,
    *,
    ids: tuple[str, ...],
    principal: str,
    before: float | None,
    reason: str,
    yes: bool,
) -> None:
    """Erase the literals of records for good; the records and their chain stay.

    Where several options are given, all must apply.

    \b
    Examples:
      lakeveil audit erase --principal arn:aws:iam::123456789012:user/ana --reason 'request 17'
      lakeveil audit erase --before 2025-01-01 --yes
    """
    if not ids and not principal and before is None:
        raise UsageError(
            "nothing says what to erase",
            why="none of --id, --principal and --before was given",
            fix="see `lakeveil audit erase --help`",
        )
    session.confirm("Erase these literals? Nobody can read them again.", yes=yes)
    with _opened(session) as audit:
        count = audit.log.erase(
            ids=ids, principal=principal, before=before, requested_by=local_user(), reason=reason
        )
    session.emit({"erased": count})


@contextmanager
def _opened(session: Session) -> Iterator[OpenAudit]:
    from lakeveil.wiring.audit import open_audit

    with open_audit(session.settings, writer="cli") as opened:
        yield opened


def _revealed(entries: list[Entry], audit: OpenAudit, selected: dict[str, Any]) -> dict[str, Any]:
    """Record id -> literals, or why they cannot be read; on record before anything is shown."""
    sealed = [entry for entry in entries if entry.record is not None and entry.record.sealed]
    criteria = {name: value for name, value in selected.items() if value}
    found: dict[str, Any] = {}
    for start in range(0, len(sealed), _IDS_PER_RECORD):
        some = sealed[start : start + _IDS_PER_RECORD]
        event = AuditEvent(
            principal=local_user(),
            action="audit:Reveal",
            outcome=AuditOutcome.ALLOWED,
            detail={"selected": criteria, "records": [entry.id for entry in some]},
        )
        intent = audit.log.intend(event)
        for entry in some:
            try:
                found[entry.id] = audit.trail.reveal(entry.id)
            except LakeveilError as error:
                found[entry.id] = error.what
        audit.log.complete(intent, outcome=AuditOutcome.DONE, rows=len(some))
    return found


def _row(entry: Entry, clear: Any, session: Session) -> dict[str, Any]:
    place = {"id": entry.id, "writer": entry.writer, "sequence": entry.sequence}
    record = entry.record
    if record is None:
        return {**place, "outcome": "damaged: see `lakeveil audit verify`", "damaged": True}
    event = record.event
    outcome = event.outcome.value
    shown = {
        **place,
        "at": datetime.fromtimestamp(record.at, UTC).isoformat(timespec="milliseconds"),
        "kind": record.kind.value,
        "intent": record.intent,
        "open": entry.is_open,
        "principal": event.principal,
        "session": event.session,
        "access_key": event.access_key,
        "account": event.account,
        "action": event.action,
        "resource": event.resource,
        # People see one word; programs see both.
        "outcome": outcome if session.as_json or not entry.is_open else f"{outcome}, open",
        "error_code": event.error_code,
        "request_id": event.request_id,
        "source_ip": event.source_ip,
        "decision": event.decision,
        "grants": event.grants,
        "before": event.before,
        "after": event.after,
        "size_bytes": event.size_bytes,
        "rows": event.rows,
        "detail": event.detail,
        "encrypted": bool(record.sealed),
    }
    return shown if clear is None else {**shown, "literals": clear}


def _verified(verified: Verification) -> dict[str, Any]:
    return {
        "sound": not verified.findings,
        "chains": verified.chains,
        "records": verified.records,
        "open_intents": verified.open_intents,
        "encrypted": verified.encrypted,
        "erased": verified.erased,
        "findings": [
            {
                "problem": finding.problem.value,
                "writer": finding.writer,
                "sequence": finding.sequence,
                "id": finding.id,
                "explanation": finding.explanation,
            }
            for finding in verified.findings
        ],
    }


def _as_error(finding: Finding) -> dict[str, str]:
    return {
        "code": "audit_log_damaged",
        "what": f"{_named(finding)} is not as it was written ({finding.problem})",
        "why": finding.explanation,
        "fix": "keep a copy of the database as it is, find out who could write to it, "
        "then restore a backup",
    }


def _named(finding: Finding) -> str:
    if not finding.sequence:
        return f"audit chain `{finding.writer}`"
    named = f" ({finding.id})" if finding.id else ""
    return f"record {finding.sequence} of audit chain `{finding.writer}`{named}"
