"""Ids and secrets, made at random: keys in the shape AWS clients expect, and ids of entities.

| id | of |
|---|---|
| `LVIA` + 16 | a user's long-lived key |
| `ASIA` + 16 | a session's temporary key, as AWS marks them |
| `AIDA`, `AROA`, `AGPA` + 17 | a user, a role, a group, as IAM makes them |

The embedded store's own keys are `LV` and hexadecimal digits, so an id never is both. A session's
key must begin as AWS's do: whoever meets one knows from it that it is nothing without its token.
"""

from __future__ import annotations

import re
import secrets

from lakeveil.core.identity.directory import IssuedKey, Session
from lakeveil.core.identity.principal import Principal
from lakeveil.ports.store_keys import SESSION_PREFIX

USER_KEY_PREFIX = "LVIA"

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_KEY_ID = re.compile(r"\w{16,128}", re.ASCII)


def new_entity_id(prefix: str) -> str:
    """The unique id of a user, role or group: it is never given again, as names may be."""
    return prefix + _characters(17)


def new_user_key() -> tuple[str, str]:
    """Id and secret of a long-lived key."""
    return USER_KEY_PREFIX + _characters(16), secrets.token_urlsafe(30)


class DoorKeys:
    """The `KeyMint` for keys that our own doors alone need to know."""

    def mint(self, session: Session, who: Principal) -> IssuedKey:
        """A random key with its token."""
        del who
        return IssuedKey(
            access_key_id=SESSION_PREFIX + _characters(16),
            secret_access_key=secrets.token_urlsafe(30),
            session_token=secrets.token_urlsafe(96),
            expires_at=session.expires_at,
        )

    def let_in(self, key: IssuedKey, who: Principal) -> None:
        """There is nowhere else."""


def is_key_id(text: str) -> bool:
    """Whether it could be a key's id at all (AWS's own pattern)."""
    return _KEY_ID.fullmatch(text) is not None


def _characters(count: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(count))
