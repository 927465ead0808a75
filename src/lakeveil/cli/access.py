"""`lakeveil access`: who sees what, what a change would do, and asking for more."""

from __future__ import annotations

import click

from lakeveil.cli.access_discovery import discoverable, guard
from lakeveil.cli.access_find import find
from lakeveil.cli.access_matrix import diff, matrix
from lakeveil.cli.access_requests import (
    approve,
    break_glass,
    deny,
    extend,
    list_requests,
    request,
    withdraw,
)


@click.group()
def command() -> None:
    """Who sees what; what a change would do; asking for access and answering.

    \b
    Examples:
      lakeveil access matrix --principal ana
      lakeveil access diff --change 'tag ads.events.email class=non-private'
      lakeveil access request ads.events.email --as ana --reason 'churn model'
    """


for part in (
    find,
    matrix,
    diff,
    request,
    list_requests,
    approve,
    deny,
    withdraw,
    break_glass,
    extend,
    guard,
    discoverable,
):
    command.add_command(part)
