"""Who asks, with everything that speaks for them. What a decision is made about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import Group, Role, Session, User
from lakeveil.core.identity.rights import Rights, from_policy_document

_NO_TAGS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks, with everything that speaks for them.

    `arn` is the user's, or the role's for every session of it. `identities` are all identifiers
    that grants may name: the ARN, those of the groups, and `ACCOUNT:IAMPrincipals`. The account
    itself is none of them: what is granted to an account, its administrators pass on (Lake
    Formation developer guide, "Cross-account data sharing"). `rights` are what it may call at all.
    """

    arn: str
    account: str
    identities: frozenset[str]
    session_arn: str = ""
    """Of a role's session: `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`."""
    user_id: str = ""
    """What GetCallerIdentity calls UserId: `AIDA...`, or `AROA...:SESSION`."""
    session_tags: Mapping[str, str] = field(default_factory=lambda: _NO_TAGS)
    rights: Rights = field(default_factory=Rights)

    @property
    def caller_arn(self) -> str:
        """The ARN that AWS shows of the caller: the session's where there is one."""
        return self.session_arn or self.arn


def principal_of_user(user: User, groups: Iterable[Group]) -> Principal:
    """A user with all of its groups: their policies add up."""
    every = list(groups)
    return Principal(
        arn=user.arn,
        account=user.account,
        identities=frozenset(
            {user.arn, arns.iam_principals(user.account), *(group.arn for group in every)}
        ),
        user_id=user.id,
        rights=_rights(user.policy).joined(_rights(group.policy) for group in every),
    )


def principal_of_role(role: Role) -> Principal:
    """A role by itself, as whoever becomes it without a session policy."""
    return Principal(
        arn=role.arn,
        account=role.account,
        identities=frozenset({role.arn, arns.iam_principals(role.account)}),
        user_id=role.id,
        rights=_rights(role.policy),
    )


def principal_of_session(role: Role, session: Session) -> Principal:
    """Somebody as a role: nothing of who opened the session but what an issuer vouched for."""
    rights = _rights(role.policy)
    if session.policy:
        rights = rights.limited_to(from_policy_document(session.policy))
    return Principal(
        arn=role.arn,
        account=role.account,
        identities=frozenset({role.arn, arns.iam_principals(role.account), *session.identities}),
        session_arn=arns.assumed_role_arn(role.account, role.name, session.name),
        user_id=f"{role.id}:{session.name}",
        session_tags=session.tags,
        rights=rights,
    )


def _rights(policy: str) -> Rights:
    return from_policy_document(policy) if policy else Rights()
