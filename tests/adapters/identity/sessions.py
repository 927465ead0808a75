"""Sessions made without asking anybody, to see what becomes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lakeveil.adapters.identity import IdentityStore
from lakeveil.adapters.identity.key_ids import DoorKeys
from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import IssuedKey, Session
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import Refused
from tests.identity_parts import ACCOUNT, OTHER, Identity, trusting

HOUR = 3600.0
NOBODY = trusting(arns.user_arn(OTHER, "nobody"))


def opened(identity: Identity, session: Session) -> IssuedKey:
    """A key for a session, an hour long unless it says otherwise."""
    lasting = replace(session, expires_at=session.expires_at or identity.clock.now() + HOUR)
    nobody = Principal(arn="", account=ACCOUNT, identities=frozenset())
    key = DoorKeys().mint(lasting, nobody)
    identity.store.sessions.open(lasting, key)
    return key


def as_role(identity: Identity, role: str = "bu-a", **more: Any) -> IssuedKey:
    """A key for a session of a role."""
    session = Session(key_id="", account=ACCOUNT, role=role, name="ana", expires_at=0.0)
    return opened(identity, replace(session, **more))


def refuses(store: IdentityStore, key: IssuedKey) -> bool:
    """Whether neither the signature nor the caller would be accepted; both must agree."""
    unknown = store.secret_of(key.access_key_id, key.session_token or None) is None
    try:
        store.principal_of(key.access_key_id)
    except Refused:
        assert unknown
        return True
    assert not unknown
    return False
