"""The port through which a key of ours opens the object store, too, and closes it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lakeveil.core.store_rights import StoreRight

SESSION_PREFIX = "ASIA"
"""As on AWS: an access key id that begins so belongs to a session, and comes with a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCredential:
    """What a client signs with. A session's has a token and an end, a long-lived key's neither.

    `expires_at` is when the store itself ends the session (UTC seconds).
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOnRecord:
    """A key or session as our records have it. A session's token need not be at hand.

    `expires_at` is in UTC seconds; None never expires.
    """

    credential: StoreCredential
    rights: Sequence[StoreRight]
    expires_at: float | None


class StoreKeys(Protocol):
    """Who may use the store's own S3 endpoint. It holds what is allowed; it decides nothing.

    Record what is issued before `allow`, and what is revoked before `withdraw`: reconciliation
    (`flows.sync_store_keys`) trusts the records. Every method raises `Unavailable` when the
    store does not answer; the key may then be open or not, until it is asked again.
    """

    takes_keys: bool
    """Whether a long-lived key that we chose can open the store at all."""
    lingers_s: float
    """For how long (seconds) a withdrawn session may still open the store at worst."""

    def mint_session(
        self, name: str, rights: Sequence[StoreRight], *, expires_at: float
    ) -> StoreCredential:
        """A session's three strings, for our own doors to take as theirs, until `expires_at`.

        `name` is what the store's logs call it. Its end may come earlier than asked for, never
        later. Where the store makes the strings, they open it at once; elsewhere after `allow`.

        Raises:
            UsageError: the name, the rights or the time are none that the store can enforce.
        """
        ...

    def allow(
        self, key: StoreCredential, rights: Sequence[StoreRight], *, expires_at: float | None
    ) -> None:
        """Let a key do exactly this; in force once it returns. The same again changes nothing.

        Raises:
            UsageError: the key, the rights or the time are none that the store can enforce.
        """
        ...

    def withdraw(self, access_key_id: str) -> None:
        """Close the store to a key; it is closed once this returns. Nothing happens where it was.

        Where `lingers_s` is above zero it only stops counting: the store itself ends it then.
        """
        ...

    def known(self) -> frozenset[str]:
        """The access key ids of every key and session that was allowed and not withdrawn."""
        ...
