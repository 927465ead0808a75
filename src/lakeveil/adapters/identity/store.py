"""The identity store of an installation: its parts, opened together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from lakeveil.adapters.identity.callers import CachedCallers
from lakeveil.adapters.identity.directory import Directory
from lakeveil.adapters.identity.founding import Founder
from lakeveil.adapters.identity.issuers import IssuerTable
from lakeveil.adapters.identity.key_cipher import open_key_cipher
from lakeveil.adapters.identity.keys import AccessKeys
from lakeveil.adapters.identity.sessions import TemporaryKeys
from lakeveil.core.identity.principal import Principal
from lakeveil.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityStore:
    """Accounts and roles, keys and sessions, issuers, and whose key a key is. Thread-safe."""

    directory: Directory
    keys: AccessKeys
    sessions: TemporaryKeys
    issuers: IssuerTable
    callers: CachedCallers
    founder: Founder

    def secret_of(self, access_key_id: str, session_token: str | None = None) -> str | None:
        """The secret of a key that is good now, or None; a session's with its token only."""
        return self.callers.secret_of(access_key_id, session_token)

    def principal_of(self, access_key_id: str) -> Principal:
        """Who calls with a key whose signature was checked.

        Raises:
            Refused: the key is unknown, disabled, revoked or expired.
        """
        return self.callers.principal_of(access_key_id)


def open_identity_store(engine: sa.Engine, home: Path, clock: Clock) -> IdentityStore:
    """The store over an engine from `open_database`; its key file is in `home`.

    Raises:
        SetupError: the key file is open to others, or damaged.
    """
    cipher = open_key_cipher(home)
    return IdentityStore(
        directory=Directory(engine, clock),
        keys=AccessKeys(engine, cipher, clock),
        sessions=TemporaryKeys(engine, cipher, clock),
        issuers=IssuerTable(engine, clock),
        callers=CachedCallers(engine, cipher, clock),
        founder=Founder(engine, cipher, clock),
    )
