"""The first account, made when the stack first starts."""

from __future__ import annotations

import sqlalchemy as sa

from lakeveil.adapters.lake import open_lake
from lakeveil.core.access.lake import LakeSettings
from lakeveil.flows.first_account import FirstAccount, ensure_first_account
from lakeveil.settings import Settings
from lakeveil.wiring.identity import identity_over


def found_account(engine: sa.Engine, settings: Settings) -> FirstAccount:
    """The first account; whoever makes it becomes administrator of its lake, too."""
    identity = identity_over(engine, settings, writer="up")
    first = ensure_first_account(identity.store.founder, audit=identity.audit)
    lake = open_lake(engine)
    if first.key is not None and not lake.policy().settings_of(first.account).administrators:
        with lake.changing() as change:
            change.put_settings(
                first.account, LakeSettings(administrators=frozenset({first.administrator}))
            )
    return first
