"""`lakeveil identity account|user|group`: tenants, and who is in them."""

from __future__ import annotations

import secrets
from typing import IO

import click

from lakeveil.cli.identity_session import (
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
        also = identity.store.directory.standing_on(number).sentence()
        session.confirm(f"Delete account {number}?{also}", yes=yes)
        with change(identity, "iam:DeleteAccount", number, account=number) as made:
            gone = identity.store.directory.delete_account(number)
            made.became["took_along"] = gone.as_record()
    session.emit({"deleted": number, "took_along": gone.counts()})


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
    with opened(session) as identity:
        number = account_of(identity, account)
        arn = arns.user_arn(number, name)
        with change(identity, "iam:CreateUser", arn, account=number, after={"policy": text}):
            made = identity.store.directory.create_user(number, name, policy=text)
    session.emit(named(made))


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
    with opened(session) as identity:
        number = account_of(identity, account)
        arn = arns.user_arn(number, name)
        with change(identity, "iam:PutUserPolicy", arn, account=number, after={"policy": text}):
            identity.store.directory.put_user_policy(number, name, text)
    session.emit({"arn": arn})


@user.command(name="delete")
@click.argument("name")
@yes_option
@account_option
@json_option
@click.pass_obj
def delete_user(session: Session, name: str, account: str, *, yes: bool) -> None:
    """Delete a user; its keys and sessions end at once, and its grants go along."""
    with opened(session) as identity:
        number = account_of(identity, account)
        arn = arns.user_arn(number, name)
        also = identity.store.directory.standing_on(arn).sentence()
        session.confirm(f"Delete user {name} with its keys and sessions?{also}", yes=yes)
        with change(identity, "iam:DeleteUser", arn, account=number) as made:
            gone = identity.store.directory.delete_user(number, name)
            made.became["took_along"] = gone.as_record()
    session.emit({"deleted": arn, "took_along": gone.counts()})


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
    with opened(session) as identity:
        number = account_of(identity, account)
        arn = arns.group_arn(number, name)
        with change(identity, "iam:CreateGroup", arn, account=number, after={"policy": text}):
            made = identity.store.directory.create_group(number, name, policy=text)
    session.emit(named(made))


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
    with opened(session) as identity:
        number = account_of(identity, account)
        arn = arns.group_arn(number, name)
        with change(identity, "iam:PutGroupPolicy", arn, account=number, after={"policy": text}):
            identity.store.directory.put_group_policy(number, name, text)
    session.emit({"arn": arn})


@group.command(name="add")
@click.argument("name")
@click.argument("member", metavar="USER")
@account_option
@json_option
@click.pass_obj
def add_member(session: Session, name: str, member: str, account: str) -> None:
    """Put a user into a group."""
    with opened(session) as identity:
        number = account_of(identity, account)
        arn = arns.group_arn(number, name)
        with change(identity, "iam:AddUserToGroup", arn, account=number, after={"user": member}):
            identity.store.directory.add_member(number, name, member)
    session.emit({"group": arn, "added": arns.user_arn(number, member)})


@group.command(name="remove")
@click.argument("name")
@click.argument("member", metavar="USER")
@account_option
@json_option
@click.pass_obj
def remove_member(session: Session, name: str, member: str, account: str) -> None:
    """Take a user out of a group, from the next call on."""
    with opened(session) as identity:
        number = account_of(identity, account)
        arn = arns.group_arn(number, name)
        after = {"removed": member}
        with change(identity, "iam:RemoveUserFromGroup", arn, account=number, after=after):
            identity.store.directory.remove_member(number, name, member)
    session.emit({"group": arn, "removed": arns.user_arn(number, member)})


@group.command(name="delete")
@click.argument("name")
@yes_option
@account_option
@json_option
@click.pass_obj
def delete_group(session: Session, name: str, account: str, *, yes: bool) -> None:
    """Delete a group; its members stay, without what it gave them, and its grants go along."""
    with opened(session) as identity:
        number = account_of(identity, account)
        arn = arns.group_arn(number, name)
        also = identity.store.directory.standing_on(arn).sentence()
        session.confirm(f"Delete group {name}?{also}", yes=yes)
        with change(identity, "iam:DeleteGroup", arn, account=number) as made:
            gone = identity.store.directory.delete_group(number, name)
            made.became["took_along"] = gone.as_record()
    session.emit({"deleted": arn, "took_along": gone.counts()})
