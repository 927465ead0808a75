"""`lakeveil identity role`: what callers become, who may, and what it lets them call."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING

import click

from lakeveil.cli.identity_session import (
    about,
    account_of,
    account_option,
    change,
    document,
    named,
    opened,
    when,
    yes_option,
)
from lakeveil.cli.session import Session, json_option
from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import DEFAULT_SESSION_S, Role
from lakeveil.core.identity.rights import business_unit_role
from lakeveil.errors import UsageError

if TYPE_CHECKING:
    from lakeveil.core.audit import Json


@click.group()
def role() -> None:
    """Roles: what callers become for a while."""


@role.command()
@click.argument("name")
@click.option("--trust", type=click.File(), required=True, help="Trust policy: who may.")
@click.option("--policy", type=click.File(), help="Policy document: what it may call.")
@click.option("--workgroup", default="", help="Of a business unit, in place of --policy.")
@click.option("--output", default="", metavar="s3://BUCKET/PREFIX/", help="The unit's results.")
@click.option(
    "--max-session", type=int, default=DEFAULT_SESSION_S, show_default=True, metavar="SECONDS",
    help="Longest session, 3600 to 43200.",
)  # fmt: skip
@account_option
@json_option
@click.pass_obj
def create(
    session: Session,
    *,
    name: str,
    trust: IO[str],
    policy: IO[str] | None,
    workgroup: str,
    output: str,
    max_session: int,
    account: str,
) -> None:
    """Add a role.

    With --workgroup and --output it gets the three rights of a business unit: its workgroup, its
    output location, and to ask for data at all.

    \b
    Examples:
      lakeveil identity role create etl --trust trust.json --policy etl.json
      lakeveil identity role create bu-a --trust trust.json \\
        --workgroup bu-a --output s3://results/bu-a/
    """
    if bool(workgroup) != bool(output) or (workgroup and policy is not None):
        raise UsageError(
            "the role's rights are not clear",
            why="--workgroup and --output go together, and replace --policy",
            fix="give both of them, or --policy",
        )
    with opened(session) as identity:
        number = account_of(identity, account)
        text = document(policy)
        if workgroup:
            region = session.settings.store.region
            text = json.dumps(
                business_unit_role(
                    region=region, account=number, workgroup=workgroup, output=output
                )
            )
        wanted = Role(
            account=number,
            name=name,
            trust=document(trust),
            policy=text,
            max_session_s=max_session,
        )
        after: dict[str, Json] = {
            "trust": wanted.trust,
            "policy": text,
            "max_session_s": max_session,
        }
        with change(identity, "iam:CreateRole", wanted.arn, account=number, after=after):
            made = identity.store.directory.create_role(wanted)
    session.emit(named(made))


@role.command(name="ls")
@account_option
@json_option
@click.pass_obj
def list_roles(session: Session, account: str) -> None:
    """List the roles."""
    with opened(session) as identity:
        rows = [
            {**named(r), "max_session_s": r.max_session_s}
            for r in identity.store.directory.roles(account_of(identity, account))
        ]
    session.emit_rows(
        rows,
        ["name", "arn", "max_session_s", "created_at"],
        empty="no roles: lakeveil identity role create NAME --trust FILE",
    )


@role.command()
@click.argument("name")
@account_option
@json_option
@click.pass_obj
def show(session: Session, name: str, account: str) -> None:
    """Show a role with its trust and its policy."""
    with opened(session) as identity:
        found = identity.store.directory.role(account_of(identity, account), name)
    session.emit(
        {
            **named(found),
            "max_session_s": found.max_session_s,
            "trust": found.trust,
            "policy": found.policy,
        }
    )


@role.command()
@click.argument("name")
@click.argument("file", type=click.File())
@account_option
@json_option
@click.pass_obj
def policy(session: Session, name: str, file: IO[str], account: str) -> None:
    """Replace what a role may call; open sessions have it from their next call on."""
    text = document(file)
    with (
        about(session, account, arns.role_arn, name) as one,
        one.changing("iam:PutRolePolicy", {"policy": text}),
    ):
        one.directory.put_role_policy(one.account, name, text)
    session.emit({"arn": one.arn})


@role.command()
@click.argument("name")
@click.argument("file", type=click.File())
@account_option
@json_option
@click.pass_obj
def trust(session: Session, name: str, file: IO[str], account: str) -> None:
    """Replace who may become a role. Who is one stays: see `role revoke`."""
    text = document(file)
    with (
        about(session, account, arns.role_arn, name) as one,
        one.changing("iam:UpdateAssumeRolePolicy", {"trust": text}),
    ):
        one.directory.put_role_trust(one.account, name, text)
    session.emit({"arn": one.arn})


@role.command()
@click.argument("name")
@account_option
@json_option
@click.pass_obj
def sessions(session: Session, name: str, account: str) -> None:
    """List who is the role now, newest first."""
    with opened(session) as identity:
        number = account_of(identity, account)
        identity.store.directory.role(number, name)
        rows = [
            {
                "key": s.key_id,
                "session": s.name,
                "issuer": s.issuer,
                "identities": list(s.identities),
                "issued_at": when(s.issued_at),
                "expires_at": when(s.expires_at),
            }
            for s in identity.store.sessions.of(number, role=name)
        ]
    session.emit_rows(
        rows, ["key", "session", "issuer", "issued_at", "expires_at"], empty="nobody is this role"
    )


@role.command()
@click.argument("name")
@click.option("--key", "key_id", default="", metavar="ID", help="Only the session of this key.")
@yes_option
@account_option
@json_option
@click.pass_obj
def revoke(session: Session, name: str, key_id: str, account: str, *, yes: bool) -> None:
    """End the sessions of a role, and those opened from them, at once."""
    session.confirm(f"End {'this session' if key_id else 'every session'} of {name}?", yes=yes)
    with opened(session) as identity:
        number = account_of(identity, account)
        arn = identity.store.directory.role(number, name).arn
        after = {"access_key": key_id} if key_id else None
        with change(identity, "sts:RevokeSessions", arn, account=number, after=after) as made:
            count = 1
            if key_id:
                identity.store.sessions.revoke(key_id, role=(number, name))
            else:
                count = identity.store.sessions.revoke_all(number, role=name)
            made.became["revoked"] = count
    session.emit({"revoked": count})


@role.command()
@click.argument("name")
@yes_option
@account_option
@json_option
@click.pass_obj
def delete(session: Session, name: str, account: str, *, yes: bool) -> None:
    """Delete a role; its sessions end at once, and its grants go along."""
    with about(session, account, arns.role_arn, name) as one:
        one.delete(
            "iam:DeleteRole",
            lambda: one.directory.delete_role(one.account, name),
            question=f"Delete role {name} with its sessions?",
            yes=yes,
        )
