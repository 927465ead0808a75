"""`lakeveil workgroup`: the business units' doors to SQL, and what went through them.

To make and change them there is Athena's API (`aws athena create-work-group`); what they used has
no operation there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from lakeveil.cli.identity_session import account_of, account_option, opened
from lakeveil.cli.session import Session, json_option

if TYPE_CHECKING:
    from lakeveil.ports.queries import Usage

LAST_DAYS = 30


def _day(text: str) -> datetime:
    """A day such as 2026-03-01, at its beginning in UTC."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise click.BadParameter(f"`{text}` is not a day such as 2026-03-01") from error


@click.group()
def command() -> None:
    """Show the workgroups, and what their queries have read and cost."""


@command.command(name="ls")
@account_option
@json_option
@click.pass_obj
def list_workgroups(session: Session, account: str) -> None:
    """List the workgroups with their outputs, limits and tags.

    \b
    Examples:
      lakeveil workgroup ls
    """
    from lakeveil.wiring.workgroups import open_workgroups

    with opened(session) as identity:
        number = account_of(identity, account)
    with open_workgroups(session.settings) as records:
        rows = [
            {
                "name": one.name,
                "state": "ENABLED" if one.enabled else "DISABLED",
                "output": one.output,
                "enforced": one.enforced,
                "bytes_cutoff": one.bytes_cutoff,
                "limits": [
                    {"bytes": limit.bytes, "period_s": limit.period_s} for limit in one.limits
                ],
                "strict": one.strict,
                "tags": dict(one.tags),
            }
            for one in records.workgroups.all(number)
        ]
    session.emit_rows(rows, ["name", "state", "output", "enforced", "bytes_cutoff", "tags"])


@command.command()
@click.option("--since", type=_day, metavar="DAY", help="From this day (UTC) on; else 30 days.")
@click.option("--until", type=_day, metavar="DAY", help="Before this day (UTC).")
@click.option("--by", "tag", default="", metavar="TAG", help="Added up by this tag's values.")
@account_option
@json_option
@click.pass_obj
def usage(
    session: Session, *, since: datetime | None, until: datetime | None, tag: str, account: str
) -> None:
    """Show what was scanned, and what it cost, by day and workgroup, or by day and tag.

    The price of a TiB is the setting `sql.price_per_tib`. Tags are those that a workgroup has now.

    \b
    Examples:
      lakeveil workgroup usage --since 2026-03-01
      lakeveil workgroup usage --by cost-center --json
    """
    from lakeveil.wiring.workgroups import open_workgroups

    until = until or datetime.now(UTC) + timedelta(days=1)
    since = since or until - timedelta(days=LAST_DAYS)
    with opened(session) as identity:
        number = account_of(identity, account)
    with open_workgroups(session.settings) as records:
        found = records.log.usage(number, since=since.timestamp(), until=until.timestamp())
    rows = _by_tag(found, tag) if tag else [_row(one) for one in found]
    session.emit_rows(
        rows,
        ["day", "value" if tag else "workgroup", "queries", "scanned_bytes", "price"],
        empty="no queries in these days",
    )


def _row(one: Usage) -> Mapping[str, Any]:
    return {
        "day": one.day,
        "workgroup": one.workgroup,
        "queries": one.queries,
        "scanned_bytes": one.scanned_bytes,
        "price": one.price,
        "tags": dict(one.tags),
    }


def _by_tag(found: Iterable[Usage], tag: str) -> list[Mapping[str, Any]]:
    """The same, added up; workgroups without the tag are together under an empty value."""
    added: dict[tuple[str, str], dict[str, Any]] = {}
    for one in found:
        value = one.tags.get(tag, "")
        sums = added.setdefault(
            (one.day, value),
            {
                "day": one.day,
                "tag": tag,
                "value": value,
                "queries": 0,
                "scanned_bytes": 0,
                "price": 0.0,
            },
        )
        sums["queries"] += one.queries
        sums["scanned_bytes"] += one.scanned_bytes
        sums["price"] += one.price
    return [added[key] for key in sorted(added)]
