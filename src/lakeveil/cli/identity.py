"""`lakeveil identity`: accounts, users, groups, roles, keys, and whose tokens are believed."""

from __future__ import annotations

import click

from lakeveil.cli.identity_issuers import issuer
from lakeveil.cli.identity_keys import key
from lakeveil.cli.identity_people import account, group, user
from lakeveil.cli.identity_roles import role


@click.group()
def command() -> None:
    """Manage who calls: accounts, users, groups, roles, keys and issuers.

    \b
    Examples:
      lakeveil identity user create ana --policy ana.json
      lakeveil identity key create ana
      lakeveil identity role ls
    """


for part in (account, user, group, role, key, issuer):
    command.add_command(part)
