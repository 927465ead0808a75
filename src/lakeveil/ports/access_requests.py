"""Ports of asking for access: where requests are kept, and who there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lakeveil.core.access.explaining.access_requests import AccessRequest, RequestState
from lakeveil.core.identity.principal import Principal


class AccessRequests(Protocol):
    """Requests and their answers. Thread-safe; `Unavailable` where the state does not answer."""

    def add(self, request: AccessRequest) -> AccessRequest:
        """Keep a request; its empty `id` gets one that is hard to guess."""
        ...

    def find(self, request_id: str) -> AccessRequest | None:
        """One request."""
        ...

    def of_account(
        self,
        account: str,
        *,
        states: frozenset[RequestState] = frozenset(),
        since: float | None = None,
    ) -> Sequence[AccessRequest]:
        """The requests for tables of an account, the longest waiting first; no state: all.

        With `since` (UTC seconds), those that had not ended by then (`AccessRequest.ends_at`).
        """
        ...

    def of_requester(self, arn: str) -> Sequence[AccessRequest]:
        """What one principal asked for, the oldest first."""
        ...

    def replace(self, before: AccessRequest, after: AccessRequest) -> None:
        """Change a request that is still as it was.

        Raises:
            Conflict: somebody changed it meanwhile.
        """
        ...


class People(Protocol):
    """Everybody who could see something. `Unavailable` where the directory does not answer."""

    def principal(self, identifier: str) -> Principal | None:
        """Somebody by ARN, with all that speaks for them.

        People and groups of an issuer, and accounts of others, are what their identifier says:
        which groups a person is in stands in tokens that nobody keeps.
        """
        ...

    def principals(self) -> Sequence[Principal]:
        """Every user and role, in order of ARN."""
        ...

    def accounts(self) -> Sequence[str]:
        """Every account's id."""
        ...
