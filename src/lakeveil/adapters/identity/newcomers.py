"""Whoever is new begins with nothing, also where a namesake's last calls left something behind.

Who goes takes everything along (`adapters.lake.departures`). A call that was under way meanwhile,
of theirs or about them, may still write a grant or a table with their name; nobody can use it, and
it goes here before somebody could.
"""

from __future__ import annotations

import sqlalchemy as sa
import structlog

from lakeveil.adapters.identity.key_ids import new_entity_id
from lakeveil.adapters.lake.departures import arrive
from lakeveil.core.identity.departure import leaver

NOBODY = "GONE"
"""Begins the unique id that stands in for an issuer or an account, which have none in IAM."""

log = structlog.get_logger(component="identity")


def begin_afresh(tx: sa.Connection, identifier: str, *, now: float) -> None:
    """Take away what stands on the name of somebody who is made in this transaction."""
    found = arrive(tx, leaver(identifier, new_entity_id(NOBODY)), now=now)
    if found:
        log.warning("a newcomer's name still stood somewhere", name=identifier, **found.counts())
