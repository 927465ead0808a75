"""`lakeveil identity account|user|group`: tenants, and who is in them."""

from __future__ import annotations

import secrets
from typing import IO

import click

from lakeveil.cli.identity_session import (
    Subject,
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
from lakeveil.core.identity.directory import Account

COLUMNS = ["name", "arn", "created_at"]
policy_option = click.option(
    "--policy", type=click.File(), help="Policy document; without one nothing may be called."
)
policy_argument = click.argument("policy", type=click.File())


@click.group()
def account() -> None:
    """Tenants: producers and consumers of data."""


@account.command(name="create")
@click.argument("name")
@click.option("--id", "number", default="", metavar="ID", help="12 digits; default: drawn.")
@click.option("--organisation", default="", metavar="ARN", help="That it belongs to.")
@click.option("--unit", "units", multiple=True, metavar="ARN", help="Organisational unit.")
@json_option
@click.pass_obj
def create_account(
    session: Session, name: str, number: str, organisation: str, units: tuple[str, ...]
) -> None:
    """Add an account."""
    number = number or str(secrets.randbelow(9 * 10**11) + 10**11)
    wanted = Account(id=number, name=name, organisation=organisation, units=units)
    with (
        opened(session) as identity,
        change(identity, "iam:CreateAccount", number, account=number, after={"name": name}),
    ):
        identity.store.directory.create_account(wanted)
    session.emit({"id": wanted.id, "name": wanted.name})


@account.command(name="ls")
@json_option
@click.pass_obj
def list_accounts(session: Session) -> None:
    """List the accounts."""
    with opened(session) as identity:
        rows = [
            {
                "id": a.id,
                "name": a.name,
                "organisation": a.organisation,
                "units": list(a.units),
                "created_at": when(a.created_at),
            }
            for a in identity.store.directory.accounts()
        ]
    session.emit_rows(
        rows, ["id", "name", "created_at"], empty="no account yet: `lakeveil up` makes the first"
    )


@account.command(name="delete")
@click.argument("number", metavar="ID")
@yes_option
@json_option
@click.pass_obj
def delete_account(session: Session, number: str, *, yes: bool) -> None:
    """Delete an account that nobody and no data is in, with its LF-Tags, settings and grants."""
    with opened(session) as identity:
        tenant = Subject(session=session, identity=identity, account=number, arn=number)
        tenant.delete(
            "iam:DeleteAccount",
            lambda: tenant.directory.delete_account(number),
            question=f"Delete account {number}?",
            yes=yes,
        )


@click.group()
def user() -> None:
    """Users: people and programs with keys of their own."""


@user.command(name="create")
@click.argument("name")
@policy_option
@account_option
@json_option
@click.pass_obj
def create_user(session: Session, name: str, policy: IO[str] | None, account: str) -> None:
    """Add a user.

    \b
    Example:
      lakeveil identity user create ana --policy ana.json
    """
    text = document(policy)
    with (
        about(session, account, arns.user_arn, name) as one,
        one.changing("iam:CreateUser", {"policy": text}),
    ):
        created = one.directory.create_user(one.account, name, policy=text)
    session.emit(named(created))


@user.command(name="ls")
@account_option
@json_option
@click.pass_obj
def list_users(session: Session, account: str) -> None:
    """List the users."""
    with opened(session) as identity:
        rows = [named(u) for u in identity.store.directory.users(account_of(identity, account))]
    session.emit_rows(rows, COLUMNS, empty="no users: lakeveil identity user create NAME")


@user.command(name="show")
@click.argument("name")
@account_option
@json_option
@click.pass_obj
def show_user(session: Session, name: str, account: str) -> None:
    """Show a user with its groups and its policy."""
    with opened(session) as identity:
        number = account_of(identity, account)
        found = identity.store.directory.user(number, name)
        groups = identity.store.directory.groups_of(number, name)
    session.emit({**named(found), "groups": list(groups), "policy": found.policy})


@user.command(name="policy")
@click.argument("name")
@policy_argument
@account_option
@json_option
@click.pass_obj
def put_user_policy(session: Session, name: str, policy: IO[str], account: str) -> None:
    """Replace what a user may call, from the next call on."""
    text = document(policy)
    with (
        about(session, account, arns.user_arn, name) as one,
        one.changing("iam:PutUserPolicy", {"policy": text}),
    ):
        one.directory.put_user_policy(one.account, name, text)
    session.emit({"arn": one.arn})


@user.command(name="delete")
@click.argument("name")
@yes_option
@account_option
@json_option
@click.pass_obj
def delete_user(session: Session, name: str, account: str, *, yes: bool) -> None:
    """Delete a user; its keys and sessions end at once, and its grants go along."""
    with about(session, account, arns.user_arn, name) as one:
        one.delete(
            "iam:DeleteUser",
            lambda: one.directory.delete_user(one.account, name),
            question=f"Delete user {name} with its keys and sessions?",
            yes=yes,
        )


@click.group()
def group() -> None:
    """Groups: users under one name, which grants may use."""


@group.command(name="create")
@click.argument("name")
@policy_option
@account_option
@json_option
@click.pass_obj
def create_group(session: Session, name: str, policy: IO[str] | None, account: str) -> None:
    """Add a group."""
    text = document(policy)
    with (
        about(session, account, arns.group_arn, name) as one,
        one.changing("iam:CreateGroup", {"policy": text}),
    ):
        created = one.directory.create_group(one.account, name, policy=text)
    session.emit(named(created))


@group.command(name="ls")
@account_option
@json_option
@click.pass_obj
def list_groups(session: Session, account: str) -> None:
    """List the groups."""
    with opened(session) as identity:
        rows = [named(g) for g in identity.store.directory.groups(account_of(identity, account))]
    session.emit_rows(rows, COLUMNS, empty="no groups: lakeveil identity group create NAME")


@group.command(name="show")
@click.argument("name")
@account_option
@json_option
@click.pass_obj
def show_group(session: Session, name: str, account: str) -> None:
    """Show a group with its members and its policy."""
    with opened(session) as identity:
        number = account_of(identity, account)
        found = identity.store.directory.group(number, name)
        members = identity.store.directory.members(number, name)
    session.emit({**named(found), "members": list(members), "policy": found.policy})


@group.command(name="policy")
@click.argument("name")
@policy_argument
@account_option
@json_option
@click.pass_obj
def put_group_policy(session: Session, name: str, policy: IO[str], account: str) -> None:
    """Replace what the members of a group may call, from the next call on."""
    text = document(policy)
    with (
        about(session, account, arns.group_arn, name) as one,
        one.changing("iam:PutGroupPolicy", {"policy": text}),
    ):
        one.directory.put_group_policy(one.account, name, text)
    session.emit({"arn": one.arn})


@group.command(name="add")
@click.argument("name")
@click.argument("member", metavar="USER")
@account_option
@json_option
@click.pass_obj
def add_member(session: Session, name: str, member: str, account: str) -> None:
    """Put a user into a group."""
    with (
        about(session, account, arns.group_arn, name) as one,
        one.changing("iam:AddUserToGroup", {"user": member}),
    ):
        one.directory.add_member(one.account, name, member)
    session.emit({"group": one.arn, "added": arns.user_arn(one.account, member)})


@group.command(name="remove")
@click.argument("name")
@click.argument("member", metavar="USER")
@account_option
@json_option
@click.pass_obj
def remove_member(session: Session, name: str, member: str, account: str) -> None:
    """Take a user out of a group, from the next call on."""
    with (
        about(session, account, arns.group_arn, name) as one,
        one.changing("iam:RemoveUserFromGroup", {"removed": member}),
    ):
        one.directory.remove_member(one.account, name, member)
    session.emit({"group": one.arn, "removed": arns.user_arn(one.account, member)})


@group.command(name="delete")
@click.argument("name")
@yes_option
@account_option
@json_option
@click.pass_obj
def delete_group(session: Session, name: str, account: str, *, yes: bool) -> None:
    """Delete a group; its members stay, without what it gave them, and its grants go along."""
    with about(session, account, arns.group_arn, name) as one:
        one.delete(
            "iam:DeleteGroup",
            lambda: one.directory.delete_group(one.account, name),
            question=f"Delete group {name}?",
            yes=yes,
        )
