"""What an identity store keeps: accounts, users, groups, roles, keys, sessions, issuers.

Names and limits are IAM's ("IAM and AWS STS quotas"). Times are UTC seconds. No secret is in any
of these but `IssuedKey`, which exists between making a key and handing it over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from lakeveil.core.identity import arns
from lakeveil.errors import UsageError

MAX_KEYS_PER_USER = 2
"""So that a key can be rotated without a gap: make one, use it, disable the other, delete it."""

SHORTEST_SESSION_S = 900
LONGEST_SESSION_S = 43_200
DEFAULT_SESSION_S = 3_600
LONGEST_CHAINED_S = 3_600
"""A role that was assumed by the session of a role."""
LONGEST_USER_SESSION_S = 129_600
DEFAULT_USER_SESSION_S = 43_200
DEEPEST_CHAIN = 8
"""So many sessions may stand on each other. AWS has no such limit, but no use for more either."""

_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}", re.ASCII)
_ISSUER_NAME = re.compile(r"[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*", re.ASCII)
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A tenant. `organisation` and `units` are the ARNs of what it belongs to, if anything."""

    id: str
    name: str
    organisation: str = ""
    units: tuple[str, ...] = ()
    created_at: float = 0.0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d{12}", self.id, re.ASCII):
            raise _bad("account", self.id, "twelve digits")
        if not 1 <= len(self.name) <= 128 or not self.name.isprintable():  # noqa: PLR2004 - IAM's
            raise _bad("account's name", self.name, "1 to 128 printable characters")
        for arn, kind in (
            *((unit, arns.Kind.ORGANISATIONAL_UNIT) for unit in self.units),
            *([(self.organisation, arns.Kind.ORGANISATION)] if self.organisation else []),
        ):
            if arns.parse(arn).kind is not kind:
                raise _bad(kind.value, arn, f"the ARN of an {kind.value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person or a program with long-lived keys. `policy` is its policy document, or empty."""

    account: str
    name: str
    id: str = ""
    policy: str = ""
    created_at: float = 0.0

    def __post_init__(self) -> None:
        check_name("user", self.name)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return arns.user_arn(self.account, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Users under one name, which grants may use. Its `policy` counts for each of them."""

    account: str
    name: str
    id: str = ""
    policy: str = ""
    created_at: float = 0.0

    def __post_init__(self) -> None:
        check_name("group", self.name)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return arns.group_arn(self.account, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What callers become for a while. `trust` and `policy` are documents."""

    account: str
    name: str
    trust: str
    id: str = ""
    policy: str = ""
    max_session_s: int = DEFAULT_SESSION_S
    created_at: float = 0.0

    def __post_init__(self) -> None:
        check_name("role", self.name)
        if not DEFAULT_SESSION_S <= self.max_session_s <= LONGEST_SESSION_S:
            raise _bad(
                "longest session",
                str(self.max_session_s),
                f"{DEFAULT_SESSION_S} to {LONGEST_SESSION_S} seconds",
            )

    @property
    def arn(self) -> str:
        """Its ARN."""
        return arns.role_arn(self.account, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """A user's long-lived key, without its secret."""

    id: str
    account: str
    user: str
    active: bool = True
    created_at: float = 0.0
    expires_at: float | None = None
    last_used_at: float | None = None
    """To the hour at best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A temporary key, without its secret and token: a user's own, or somebody's as a role.

    It is good as long as everything it stands on: the user or role, the `parent` key or session
    that asked for it, the issuer that vouched for it.
    """

    key_id: str
    account: str
    expires_at: float
    issued_at: float = 0.0
    user: str = ""
    role: str = ""
    """One of the two is set."""
    name: str = ""
    """Of a role's session."""
    policy: str = ""
    """What its rights are cut down to; empty for all of the role's."""
    tags: Mapping[str, str] = field(default_factory=dict)
    identities: tuple[str, ...] = ()
    """What a token said of its bearer: issuer's user and groups, as grants name them."""
    parent: str = ""
    issuer: str = ""
    """Name of the issuer in this account whose token opened it."""
    depth: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Somebody whose tokens we believe: an OpenID Connect provider.

    `groups_claim` names the claim that lists the bearer's groups, `user_claim` the one that names
    the bearer in grants. Both are believed as the issuer writes them: choose claims that its
    users cannot set for themselves.
    """

    account: str
    name: str
    url: str
    audiences: tuple[str, ...]
    groups_claim: str = "groups"
    user_claim: str = "sub"
    created_at: float = 0.0

    def __post_init__(self) -> None:
        if not _ISSUER_NAME.fullmatch(self.name) or len(self.name) > 128:  # noqa: PLR2004
            raise _bad("issuer's name", self.name, "up to 128 letters, digits and `._~-/`")
        check_issuer_url(self.url)
        if not self.audiences or not all(self.audiences):
            raise _bad("audience", "", "at least one, or tokens made for others would be good here")
        for claim in (self.groups_claim, self.user_claim):
            if not re.fullmatch(r"[!-~]{1,128}", claim):
                raise _bad("claim's name", claim, "up to 128 printable characters")

    @property
    def arn(self) -> str:
        """What a role's trust calls it."""
        return arns.issuer_arn(self.account, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedKey:
    """A key as its owner gets it, once. `session_token` and `expires_at` of temporary ones."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    expires_at: float | None = None


def check_name(what: str, name: str) -> None:
    """Refuse a name that IAM would refuse.

    Raises:
        UsageError: it is not 1 to 64 letters, digits and `_+=,.@-`.
    """
    if not _NAME.fullmatch(name):
        raise _bad(f"{what}'s name", name, "1 to 64 letters, digits and `_+=,.@-`")


def check_issuer_url(url: str) -> None:
    """Refuse an address where others could put keys of their own in the issuer's place.

    Raises:
        UsageError: it is not https (http is for loopback), or has a query or a fragment.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _bad("issuer", url, "a URL such as https://login.example.com") from None
    plain = parts.scheme == "http" and host in _LOOPBACK
    if not host or not (parts.scheme == "https" or plain) or not url.isprintable():
        raise _bad("issuer", url, "an https URL; http is for this machine only")
    if parts.query or parts.fragment or parts.username is not None or " " in url:
        raise _bad("issuer", url, "a URL without a user, a query or a fragment")


def _bad(what: str, value: str, wanted: str) -> UsageError:
    return UsageError(
        f"`{value[:128]}` is no {what}",
        why=f"it must be {wanted}",
        fix="give another one",
        code="invalid_identity",
    )
