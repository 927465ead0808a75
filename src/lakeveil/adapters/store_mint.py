"""Temporary keys that open both endpoints: our doors, and the store for their holder's folders.

Whoever has no folder at the store, by `core.identity.store_access`, gets a key for our doors
alone; so does whoever's rights the store cannot be told of. That is in the log.

**Order**: the strings are made, the session goes on record, and only then the store lets the key
in. What changes meanwhile is looked for afterwards, since whoever revokes a session withdraws
its key at once, and our `allow` may come later than that.

A store that cannot take a session back (`lingers_s`) is not told anew: its session is none then.

**The end** is part of the token, and all that the store looks at. A session ends with the
long-lived key that it stands on, so no token outlives that key.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import suppress
from typing import Protocol

from lakeveil.core.identity.directory import AccessKey, IssuedKey, Session
from lakeveil.core.identity.principal import Principal
from lakeveil.core.identity.store_access import rights_at_store
from lakeveil.core.store_rights import StoreRight
from lakeveil.errors import NotFound, Refused, Unavailable, UsageError
from lakeveil.ports.identity import Callers, KeyMint, Sessions
from lakeveil.ports.store_keys import StoreCredential, StoreKeys

_log = logging.getLogger(__name__)

MOST_LOOKS = 5
"""So often may rights change while one key is let in."""
_SHORTEST_NAME = 2


class UserKeys(Protocol):
    """Finds users' long-lived keys."""

    def find(self, key_id: str) -> AccessKey:
        """One key.

        Raises:
            NotFound: there is none of that id.
        """
        ...


class StoreMint:
    """The `KeyMint` over a store of objects; `doors` makes keys for our own doors. Thread-safe.

    `closed_buckets` open to no key of ours, whatever a policy says. `one_case` says that the store
    does not tell capital letters from small ones when it checks a session.
    """

    def __init__(
        self,
        store_keys: StoreKeys,
        *,
        doors: KeyMint,
        callers: Callers,
        sessions: Sessions,
        user_keys: UserKeys,
        closed_buckets: Collection[str] = (),
        one_case: bool = True,
    ) -> None:
        self._store_keys = store_keys
        self._doors = doors
        self._callers = callers
        self._sessions = sessions
        self._user_keys = user_keys
        self._closed_buckets = frozenset(closed_buckets)
        self._one_case = one_case

    def mint(self, session: Session, who: Principal) -> IssuedKey:
        """A key with its token; it opens nothing before it is on record and let in.

        Raises:
            Unavailable: the store makes the strings itself and did not answer.
        """
        rights = self._rights(who)
        self._tell_of_capitals(who, rights)
        if rights:
            # A role's session has a name of two characters at least, a user may have one.
            name = (session.name or session.user).ljust(_SHORTEST_NAME, "_")
            try:
                made = self._store_keys.mint_session(name, rights, expires_at=self._end(session))
            except UsageError as error:
                _log.warning(
                    "a session of %s does not open the store: %s, %s",
                    who.caller_arn,
                    error.what,
                    error.why,
                )
            else:
                return IssuedKey(
                    access_key_id=made.access_key_id,
                    secret_access_key=made.secret_access_key,
                    session_token=made.session_token or "",
                    expires_at=made.expires_at,
                )
        return self._doors.mint(session, who)

    def let_in(self, key: IssuedKey, who: Principal) -> None:
        """Let a key that is on record into the store, for the rights it has by then.

        Raises:
            Refused: the session was revoked meanwhile.
            Unavailable: the store did not answer, or the rights never came to rest.
        """
        rights = self._rights(who)
        if not rights:
            return
        credential = StoreCredential(
            access_key_id=key.access_key_id,
            secret_access_key=key.secret_access_key,
            session_token=key.session_token,
            expires_at=key.expires_at,
        )
        for _ in range(MOST_LOOKS):
            self._store_keys.allow(credential, rights, expires_at=key.expires_at)
            try:
                found = self._rights(self._callers.principal_of(key.access_key_id))
            except Refused:
                # Whoever revoked it may have closed the store before we opened it.
                self._store_keys.withdraw(key.access_key_id)
                raise
            if found == rights:
                return
            if self._store_keys.lingers_s:
                break
            rights = found
        self._store_keys.withdraw(key.access_key_id)
        raise Unavailable(
            "the session cannot be opened",
            why="what it may do changes too often",
            fix="try again",
        )

    def _rights(self, who: Principal) -> tuple[StoreRight, ...]:
        return rights_at_store(
            who.rights, temporary=self._one_case, closed_buckets=self._closed_buckets
        )

    def _tell_of_capitals(self, who: Principal, rights: Collection[StoreRight]) -> None:
        every = rights_at_store(who.rights, temporary=False, closed_buckets=self._closed_buckets)
        for right in every:
            if right not in rights:
                _log.warning(
                    "a session of %s does not open %s/%s at the store, which does not tell "
                    "capital letters from small ones there; name the folder in small letters",
                    who.caller_arn,
                    right.bucket,
                    right.prefix,
                )

    def _end(self, session: Session) -> float:
        """When it ends by its own time or by that of the user's key that it stands on."""
        key_id = session.parent
        while (above := self._sessions.find(key_id)) is not None:
            key_id = above.parent
        # Without a user's key it stands on a token, or on nothing: it is not opened then.
        with suppress(NotFound):
            ends = self._user_keys.find(key_id).expires_at
            if ends is not None:
                return min(session.expires_at, ends)
        return session.expires_at
