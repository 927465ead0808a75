"""`lakeveil identity key`: users' access keys. A secret is printed once, when it is made."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from lakeveil.cli.identity_session import (
    account_of,
    account_option,
    change,
    opened,
    when,
    yes_option,
)
from lakeveil.cli.session import Session, json_option
from lakeveil.core.identity import arns

if TYPE_CHECKING:
    from lakeveil.core.audit import Json
    from lakeveil.core.identity.directory import AccessKey


@click.group()
def key() -> None:
    """Access keys of users: two at most each, to change from one to the other."""


@key.command()
@click.argument("user")
@click.option("--days", type=click.IntRange(1, 3650), help="Good for so long; default: no end.")
@account_option
@json_option
@click.pass_obj
def create(session: Session, user: str, days: int | None, account: str) -> None:
    """Make a key and print it; its secret cannot be shown again.

    \b
    Examples:
      lakeveil identity key create ana
      lakeveil identity key create ana --days 90 --json
    """
    from lakeveil.adapters.clock import SystemClock

    expires_at = (
        None if days is None else SystemClock().now() + timedelta(days=days).total_seconds()
    )
    with opened(session) as identity:
        number = account_of(identity, account)
        arn = arns.user_arn(number, user)
        with change(identity, "iam:CreateAccessKey", arn, account=number) as made:
            issued = identity.store.keys.create(number, user, expires_at=expires_at)
            made.became["access_key"] = issued.access_key_id
    session.emit(
        {
            "access_key_id": issued.access_key_id,
            "secret_access_key": issued.secret_access_key,
            "expires_at": when(issued.expires_at),
        }
    )


@key.command(name="ls")
@click.argument("user")
@account_option
@json_option
@click.pass_obj
def list_keys(session: Session, user: str, account: str) -> None:
    """List the keys of a user, without their secrets."""
    with opened(session) as identity:
        number = account_of(identity, account)
        identity.store.directory.user(number, user)
        rows = [_row(k) for k in identity.store.keys.of_user(number, user)]
    session.emit_rows(
        rows,
        ["id", "active", "created_at", "expires_at", "last_used_at"],
        empty=f"no keys: lakeveil identity key create {user}",
    )


@key.command()
@click.argument("key_id", metavar="ID")
@json_option
@click.pass_obj
def disable(session: Session, key_id: str) -> None:
    """Refuse a key, and the sessions that stand on it, from the next call on."""
    _set_active(session, key_id, active=False)


@key.command()
@click.argument("key_id", metavar="ID")
@json_option
@click.pass_obj
def enable(session: Session, key_id: str) -> None:
    """Take a disabled key again."""
    _set_active(session, key_id, active=True)


@key.command()
@click.argument("key_id", metavar="ID")
@yes_option
@json_option
@click.pass_obj
def delete(session: Session, key_id: str, *, yes: bool) -> None:
    """Delete a key; the sessions that stand on it end, too."""
    session.confirm(f"Delete key {key_id}?", yes=yes)
    with opened(session) as identity:
        found = identity.store.keys.find(key_id)
        arn = arns.user_arn(found.account, found.user)
        after = {"access_key": key_id}
        with change(identity, "iam:DeleteAccessKey", arn, account=found.account, after=after):
            identity.store.keys.delete(key_id)
    session.emit({"deleted": key_id})


def _set_active(session: Session, key_id: str, *, active: bool) -> None:
    with opened(session) as identity:
        found = identity.store.keys.find(key_id)
        arn = arns.user_arn(found.account, found.user)
        after: dict[str, Json] = {"access_key": key_id, "active": active}
        with change(identity, "iam:UpdateAccessKey", arn, account=found.account, after=after):
            identity.store.keys.set_active(key_id, active=active)
    session.emit({"id": key_id, "active": active})


def _row(found: AccessKey) -> dict[str, Any]:
    return {
        "id": found.id,
        "user": found.user,
        "active": found.active,
        "created_at": when(found.created_at),
        "expires_at": when(found.expires_at),
        "last_used_at": when(found.last_used_at),
    }
