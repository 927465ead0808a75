"""`lakeveil identity key`: users' access keys.

A secret is printed once, when it is made, or never, where it goes into a profile.
"""

from __future__ import annotations

import shlex
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from lakeveil.cli.identity_session import (
    Subject,
    about,
    account_of,
    account_option,
    change,
    opened,
    when,
    yes_option,
)
from lakeveil.cli.session import Session, json_option
from lakeveil.core.identity import arns
from lakeveil.errors import Conflict

if TYPE_CHECKING:
    from pathlib import Path

    from lakeveil.core.audit import Json
    from lakeveil.core.identity.directory import AccessKey, IssuedKey


@click.group()
def key() -> None:
    """Access keys of users: two at most each, to change from one to the other."""


@key.command()
@click.argument("user")
@click.option("--days", type=click.IntRange(1, 3650), help="Good for so long; default: no end.")
@click.option(
    "--profile", default="", metavar="NAME",
    help="Keep it as a profile of AWS clients in the home, and print no secret.",
)  # fmt: skip
@account_option
@json_option
@click.pass_obj
def create(session: Session, *, user: str, days: int | None, profile: str, account: str) -> None:
    """Make a key and print it; its secret cannot be shown again.

    With --profile the secret goes where `lakeveil up` keeps its own, into a file that only you can
    read, and what to type to use it is printed. A profile that holds another key of the same user
    gets the new one.

    \b
    Examples:
      lakeveil identity key create ana
      lakeveil identity key create ana --days 90 --json
      eval "$(lakeveil identity key create ana --profile ana)"
    """
    from lakeveil.adapters.clock import SystemClock

    expires_at = (
        None if days is None else SystemClock().now() + timedelta(days=days).total_seconds()
    )
    with about(session, account, arns.user_arn, user) as owner:
        if profile:
            _refuse_anothers_profile(owner, user, profile)
        with owner.changing("iam:CreateAccessKey") as made:
            issued = owner.store.keys.create(owner.account, user, expires_at=expires_at)
            made.became["access_key"] = issued.access_key_id
            env = _kept(owner, profile, issued) if profile else None
    shown: dict[str, Any] = {"access_key_id": issued.access_key_id}
    if env is None:
        shown["secret_access_key"] = issued.secret_access_key
        session.emit({**shown, "expires_at": when(issued.expires_at)})
        return
    use = [f". {shlex.quote(str(env))}", f"export AWS_PROFILE={profile}"]
    document = {
        **shown,
        "profile": profile,
        "expires_at": when(issued.expires_at),
        "use": use,
    }
    session.emit(document) if session.as_json else print("\n".join(use))


def _refuse_anothers_profile(owner: Subject, user: str, profile: str) -> None:
    """Look before a key is made: what the profile held would be gone, and may be its only copy."""
    from lakeveil.adapters.aws_profiles import KEYS, key_in_profile

    home = owner.session.settings.home_path
    held = key_in_profile(home, profile)
    if held is None:
        return
    ours = owner.store.keys.of_user(owner.account, user)
    if held not in {one.id for one in ours}:
        raise Conflict(
            f"the profile `{profile}` is there already",
            why=f"its key is not one of {user}'s, and would be lost",
            fix=f"choose another name, or remove [{profile}] from {home / KEYS}",
            code="profile_exists",
        )


def _kept(owner: Subject, profile: str, issued: IssuedKey) -> Path:
    """Write the key down; one that cannot be kept is nobody's, so it does not stay."""
    from lakeveil.adapters.credentials import S3Key
    from lakeveil.wiring.profiles import keep_profiles

    new = S3Key(issued.access_key_id, issued.secret_access_key)
    try:
        return keep_profiles(owner.session.settings, {profile: new})
    except BaseException:
        owner.store.keys.delete(issued.access_key_id)
        raise


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
