"""How every change of access goes: on record first, then checked and written in one transaction.

What is asked is validated before this, without the state. Then the intent goes on record; where it
cannot, nothing happens. Inside `Lake.changing()` the caller's authority is checked against the
very state that is changed, so that a right revoked meanwhile no longer counts and two changes at
once cannot both build on what neither of them left. What became of it goes on record after.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.audit import AuditEvent, AuditOutcome, Json
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import LakeveilError, NotFound, Refused, UsageError
from lakeveil.ports import Clock
from lakeveil.ports.audit import AuditLog
from lakeveil.ports.lake import Lake, LakeWriter


class Directory(Protocol):
    """Knows who there is. Never asked within a transaction."""

    def knows(self, identifier: str) -> bool:
        """Whether a principal of ours, an account or an organisation is there, by its identifier.

        People and groups of an issuer are known where their issuer is.

        Raises:
            Unavailable: the directory did not answer.
        """
        ...

    def identities_of(self, identifier: str) -> frozenset[str]:
        """All identifiers that speak for a user or role, its own included."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessDesk:
    """What access is changed with."""

    lake: Lake
    audit: AuditLog
    directory: Directory
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Who asks, and what the audit log says of it. `action` is as IAM names it."""

    who: Principal
    action: str
    access_key: str = ""
    request_id: str = ""
    source_ip: str = ""

    def event(
        self,
        outcome: AuditOutcome,
        resource: str,
        *,
        asked: Mapping[str, Json] | None = None,
        sensitive: Mapping[str, str] | None = None,
        error_code: str = "",
    ) -> AuditEvent:
        """An event about this call."""
        return AuditEvent(
            principal=self.who.arn,
            session=self.who.session_arn,
            account=self.who.account,
            action=self.action,
            access_key=self.access_key,
            request_id=self.request_id,
            source_ip=self.source_ip,
            resource=resource,
            outcome=outcome,
            after=asked,
            sensitive=sensitive or {},
            error_code=error_code,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change under way: the state to write to, and the caller's authority over it as it is.

    `said` is what the completion will tell, such as what was there before.
    """

    lake: LakeWriter
    authority: Authority
    said: dict[str, Json] = field(default_factory=dict)

    @property
    def now(self) -> float:
        """When it happens, UTC seconds."""
        return self.authority.now


@contextmanager
def changing(
    call: Call,
    desk: AccessDesk,
    resource: str,
    *,
    asked: Mapping[str, Json] | None = None,
    sensitive: Mapping[str, str] | None = None,
) -> Iterator[Change]:
    """Put a change on record, and run it in one transaction; an error undoes all of it."""
    intent = desk.audit.intend(
        call.event(AuditOutcome.ALLOWED, resource, asked=asked, sensitive=sensitive)
    )
    said: dict[str, Json] = {}
    try:
        with desk.lake.changing() as lake:
            authority = Authority(who=call.who, policy=lake.policy(), now=desk.clock.now())
            yield Change(lake=lake, authority=authority, said=said)
    except (Refused, NotFound) as error:
        desk.audit.complete(intent, outcome=AuditOutcome.REFUSED, error_code=error.code)
        raise
    except BaseException as error:
        code = error.code if isinstance(error, LakeveilError) else type(error).__name__
        desk.audit.complete(intent, outcome=AuditOutcome.FAILED, error_code=code)
        raise
    try:
        desk.audit.complete(intent, outcome=AuditOutcome.DONE, detail=said)
    except UsageError:
        # It is done and was announced; only what it replaced is too long for a record.
        desk.audit.complete(intent, outcome=AuditOutcome.DONE, detail={"too_long": sorted(said)})


def looking(who: Principal, desk: AccessDesk) -> Authority:
    """The caller's authority over the state as it is now, to look and not to change."""
    return Authority(who=who, policy=desk.lake.policy(), now=desk.clock.now())


def insufficient(required: str, on: str) -> Refused:
    """The refusal of what is known to the caller, and not its to do."""
    return Refused(
        f"Insufficient Lake Formation permission(s): Required {required} on {on}",
        code="insufficient_permissions",
    )
