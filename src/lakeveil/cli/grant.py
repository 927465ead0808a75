"""`lakeveil grant`: what Lake Formation's API has no field for, masks and grants that end."""

from __future__ import annotations

import click

from lakeveil.cli.access_session import account_of, account_option, as_option, opened, principal_of
from lakeveil.cli.identity_session import local_user, when
from lakeveil.cli.session import Session, json_option
from lakeveil.core.access.changing.change_text import end_of_day, expression_of, place_of
from lakeveil.core.access.governing.resource_document import resource_document
from lakeveil.core.access.grants import Grant, OnDatabase, PolicyKind, Resource, TagPolicy
from lakeveil.core.access.lake import Policy
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.permissions import Permission
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import UsageError

MASKS = "|".join(kind.value for kind in MaskKind)


@click.command()
@click.argument("principal")
@click.argument("what", metavar="DATABASE[.TABLE[.COLUMN]]|EXPRESSION")
@click.option(
    "--on", type=click.Choice([kind.value.lower() for kind in PolicyKind], case_sensitive=False),
    help="What an expression matches: databases, or tables with their columns; default: table.",
)  # fmt: skip
@click.option(
    "--permission", "permissions", multiple=True, metavar="NAME",
    help="What to grant; default: SELECT, or DESCRIBE on a database.",
)  # fmt: skip
@click.option("--mask", metavar="KIND[:TEXT]", help=f"Through a mask: {MASKS}.")
@click.option("--until", metavar="DAY", help="Until the end of that day (UTC), as 2026-12-31.")
@click.option("--reason", default="", help="What it is for; goes on record.")
@account_option
@as_option
@json_option
@click.pass_obj
def command(
    session: Session,
    *,
    principal: str,
    what: str,
    on: str | None,
    permissions: tuple[str, ...],
    mask: str | None,
    until: str | None,
    reason: str,
    account: str,
    asker: str,
) -> None:
    """Grant access, through a mask or for a time where asked.

    PRINCIPAL is a user's or role's name, or any identifier: a group's ARN, an account. An
    expression is `class=private|open and owner=internal`, and grants on tables, or with
    `--on database` on databases: who shall find the tables, too, needs both. Plain grants can be
    made with the AWS CLI, too, and all of them are revoked with it.

    \b
    Examples:
      lakeveil grant ana ads.events.ip_address --mask hash
      lakeveil grant ana 'class=private' --until 2026-12-31 --reason 'audit of 2026'
      lakeveil grant ana 'owner=internal' --on database
    """
    from lakeveil.flows.asked_grants import Asked
    from lakeveil.flows.change_access import Call
    from lakeveil.flows.change_grants import grant
    from lakeveil.wiring.grants import open_access_desk

    with opened(session) as people:
        account = account_of(people, account)
        to = principal_of(people, principal, account).arn if "/" not in principal else principal
        who = principal_of(people, asker, account) if asker else None
    resource = _resource(what, on, account)
    asked = Asked(
        principal=to,
        resource=resource,
        permissions=_permissions(permissions, resource),
        mask=_mask(mask) if mask else None,
        expires_at=end_of_day(until) if until else None,
        reason=reason,
    )
    with open_access_desk(session.settings, writer="cli") as desk:
        call = Call(who=who or _operator(account, desk.lake.policy()), action="lakeveil:Grant")
        made = grant(asked, call=call, desk=desk)
    if not made:
        session.say("that was granted already")
    session.emit_rows([_row(one) for one in made], ["id", "principal", "permissions", "until"])


def _operator(account: str, policy: Policy) -> Principal:
    """Whoever types here could write the state itself, so they act as an administrator does."""
    return Principal(
        arn=local_user(),
        account=account,
        identities=policy.settings_of(account).administrators,
    )


def _resource(what: str, on: str | None, account: str) -> Resource:
    if "=" in what:
        kind = PolicyKind(on.upper()) if on else PolicyKind.TABLE
        return TagPolicy(account, kind, expression=expression_of(what))
    if on is not None:
        raise UsageError(
            f"`{what}` is named, so there is nothing for --on to say",
            why="it says what an expression of tags matches",
            fix="leave --on out, or give an expression as class=private",
        )
    return place_of(what, account=account)


def _permissions(names: tuple[str, ...], resource: Resource) -> frozenset[Permission]:
    if not names:
        of_databases = isinstance(resource, OnDatabase) or (
            isinstance(resource, TagPolicy) and resource.kind is PolicyKind.DATABASE
        )
        return frozenset({Permission.DESCRIBE if of_databases else Permission.SELECT})
    try:
        return frozenset(Permission(name.upper()) for name in names)
    except ValueError as error:
        raise UsageError(
            "there is no such permission",
            why=str(error),
            fix=f"name one of {', '.join(Permission)}",
        ) from error


def _mask(text: str) -> Mask:
    kind, separator, value = text.partition(":")
    try:
        found = MaskKind(kind)
    except ValueError:
        raise UsageError(f"`{kind}` is no mask", fix=f"name one of {MASKS}") from None
    if (found is MaskKind.FIXED) != bool(separator):
        raise UsageError(
            f"`{text}` is no mask",
            why="a fixed mask has a text, and no other has",
            fix="write it as fixed:hidden",
        )
    return Mask(found, value)


def _row(grant: Grant) -> dict[str, object]:
    return {
        "id": grant.id,
        "principal": grant.principal,
        "resource": resource_document(grant.resource),
        "permissions": " ".join(sorted(grant.permissions)),
        "mask": str(grant.mask) if grant.mask else None,
        "until": when(grant.expires_at),
    }
