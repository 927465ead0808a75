"""`lakeveil identity issuer`: OpenID Connect providers whose tokens are believed."""

from __future__ import annotations

import click

from lakeveil.cli.identity_session import (
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
from lakeveil.core.identity.directory import Issuer


@click.group()
def issuer() -> None:
    """Issuers: providers such as Okta, Entra or Keycloak whose tokens open sessions."""


@issuer.command()
@click.argument("name")
@click.argument("url")
@click.option(
    "--audience", "audiences", multiple=True, required=True,
    help="Client id that tokens must be made for; may be repeated.",
)  # fmt: skip
@click.option("--groups-claim", default="groups", show_default=True, help="Lists groups.")
@click.option("--user-claim", default="sub", show_default=True, help="Names the person in grants.")
@account_option
@json_option
@click.pass_obj
def add(
    session: Session,
    *,
    name: str,
    url: str,
    audiences: tuple[str, ...],
    groups_claim: str,
    user_claim: str,
    account: str,
) -> None:
    """Believe the tokens of an issuer that are made for us.

    That alone lets nobody in: a role must trust the issuer as `oidc-provider/NAME`.

    \b
    Example:
      lakeveil identity issuer add okta https://example.okta.com --audience 0oa1b2c3d4
    """
    with opened(session) as identity:
        wanted = Issuer(
            account=account_of(identity, account),
            name=name,
            url=url,
            audiences=audiences,
            groups_claim=groups_claim,
            user_claim=user_claim,
        )
        after = {"url": url, "audiences": audiences, "groups_claim": groups_claim}
        with change(
            identity,
            "iam:CreateOpenIDConnectProvider",
            wanted.arn,
            account=wanted.account,
            after=after,
        ):
            identity.store.issuers.add(wanted)
    session.emit({"name": name, "arn": wanted.arn, "url": url})


@issuer.command(name="ls")
@account_option
@json_option
@click.pass_obj
def list_issuers(session: Session, account: str) -> None:
    """List the issuers."""
    with opened(session) as identity:
        rows = [
            {
                "name": i.name,
                "arn": i.arn,
                "url": i.url,
                "audiences": list(i.audiences),
                "groups_claim": i.groups_claim,
                "user_claim": i.user_claim,
                "created_at": when(i.created_at),
            }
            for i in identity.store.issuers.issuers(account_of(identity, account))
        ]
    session.emit_rows(
        rows,
        ["name", "url", "audiences", "groups_claim"],
        empty="no issuers: lakeveil identity issuer add NAME URL --audience ID",
    )


@issuer.command()
@click.argument("name")
@yes_option
@account_option
@json_option
@click.pass_obj
def remove(session: Session, name: str, account: str, *, yes: bool) -> None:
    """Believe an issuer no longer; its sessions end at once, and its people's grants go along."""
    with about(session, account, arns.issuer_arn, name) as one:
        one.delete(
            "iam:DeleteOpenIDConnectProvider",
            lambda: one.store.issuers.remove(one.account, name),
            question=f"Remove issuer {name} and end its sessions?",
            yes=yes,
            said="removed",
        )
