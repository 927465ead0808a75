"""The identifiers of principals, as IAM and Lake Formation write them: read, checked, made.

| kind | identifier |
|---|---|
| account | `123456789012` |
| user, role, group | `arn:aws:iam::123456789012:user/ana`, `...:role/bu-a`, `...:group/analysts` |
| person or group of an issuer | `arn:aws:iam::123456789012:saml-provider/okta:user/ana@a.example` |
| everybody in an account | `123456789012:IAMPrincipals` |
| session of a role | `arn:aws:sts::123456789012:assumed-role/bu-a/ana` |
| organisation, unit | `arn:aws:organizations::123456789012:organization/o-a1b2c3d4e5` |

Lake Formation documents one form for people who sign in elsewhere (developer guide, "Lake
Formation permissions reference", DataLakePrincipalIdentifier), so those of an OpenID Connect
issuer are written in it, too: grants that name Okta's groups keep working. Everything is compared
case-sensitively. `IAM_ALLOWED_PRINCIPALS` is no principal here: it means "not governed".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from lakeveil.errors import UsageError

MAX_IDENTIFIER = 255
"""Characters, as in Lake Formation's model of DataLakePrincipalIdentifier."""

_ACCOUNT = r"(?P<account>\d{12})"
_NAME = r"[A-Za-z0-9_+=,.@-]+"
_PATH_AND_NAME = rf"(?P<name>(?:[!-.0-~]+/)*{_NAME})"
_PROVIDER = r"(?P<provider>[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*)"
_UNIT = r"o-[a-z0-9]{10,32}/ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}"


class Kind(StrEnum):
    """What an identifier stands for."""

    ACCOUNT = "account"
    USER = "user"
    ROLE = "role"
    GROUP = "group"
    FEDERATED_USER = "federated user"
    FEDERATED_GROUP = "federated group"
    IAM_PRINCIPALS = "everybody in an account"
    ASSUMED_ROLE = "session of a role"
    ORGANISATION = "organisation"
    ORGANISATIONAL_UNIT = "organisational unit"
    ISSUER = "issuer"


# A grant to one of the others could never be used: nobody speaks as an issuer, and the name of a
# session is chosen by whoever opens it.
_GRANTABLE = frozenset(Kind) - {Kind.ASSUMED_ROLE, Kind.ISSUER}

_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.ASCII))
    for kind, pattern in (
        (Kind.ACCOUNT, _ACCOUNT),
        (Kind.IAM_PRINCIPALS, rf"{_ACCOUNT}:IAMPrincipals"),
        (Kind.ACCOUNT, rf"arn:aws:iam::{_ACCOUNT}:root"),
        (Kind.USER, rf"arn:aws:iam::{_ACCOUNT}:user/{_PATH_AND_NAME}"),
        (Kind.ROLE, rf"arn:aws:iam::{_ACCOUNT}:role/{_PATH_AND_NAME}"),
        (Kind.GROUP, rf"arn:aws:iam::{_ACCOUNT}:group/{_PATH_AND_NAME}"),
        (
            Kind.FEDERATED_USER,
            rf"arn:aws:iam::{_ACCOUNT}:saml-provider/{_PROVIDER}:user/(?P<name>.+)",
        ),
        (
            Kind.FEDERATED_GROUP,
            rf"arn:aws:iam::{_ACCOUNT}:saml-provider/{_PROVIDER}:group/(?P<name>.+)",
        ),
        (Kind.ISSUER, rf"arn:aws:iam::{_ACCOUNT}:oidc-provider/{_PROVIDER}"),
        (
            Kind.ASSUMED_ROLE,
            rf"arn:aws:sts::{_ACCOUNT}:assumed-role/(?P<name>{_NAME})/(?P<session>{_NAME})",
        ),
        (
            Kind.ORGANISATION,
            rf"arn:aws:organizations::{_ACCOUNT}:organization/(?P<name>o-[a-z0-9]{{10,32}})",
        ),
        (
            Kind.ORGANISATIONAL_UNIT,
            rf"arn:aws:organizations::{_ACCOUNT}:ou/(?P<name>{_UNIT})",
        ),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """An identifier, taken apart. `name` holds the path of a user, role or group, too."""

    kind: Kind
    account: str
    name: str = ""
    provider: str = ""
    session: str = ""


def parse(identifier: str) -> Identifier:
    """Take an identifier apart.

    Raises:
        UsageError: it is none of those that are known here.
    """
    if len(identifier) <= MAX_IDENTIFIER and identifier.isprintable():
        for kind, pattern in _PATTERNS:
            if match := pattern.fullmatch(identifier):
                parts = {name: value for name, value in match.groupdict().items() if value}
                return Identifier(kind=kind, **parts)
    raise UsageError(
        f"`{identifier[:MAX_IDENTIFIER]}` names no principal",
        why="it is neither a 12-digit account, nor an ARN of a user, role, group or issuer, nor "
        "`ACCOUNT:IAMPrincipals`",
        fix="write it as `arn:aws:iam::123456789012:role/NAME`",
        code="invalid_principal",
    )


def account_of(identifier: str) -> str:
    """The 12 digits of the account an identifier belongs to.

    Raises:
        UsageError: it is none of those that are known here.
    """
    return parse(identifier).account


def is_valid_principal(identifier: str) -> bool:
    """Whether a grant may name it."""
    try:
        return parse(identifier).kind in _GRANTABLE
    except UsageError:
        return False


def user_arn(account: str, name: str) -> str:
    """`arn:aws:iam::ACCOUNT:user/NAME`."""
    return f"arn:aws:iam::{account}:user/{name}"


def role_arn(account: str, name: str) -> str:
    """`arn:aws:iam::ACCOUNT:role/NAME`."""
    return f"arn:aws:iam::{account}:role/{name}"


def group_arn(account: str, name: str) -> str:
    """`arn:aws:iam::ACCOUNT:group/NAME`."""
    return f"arn:aws:iam::{account}:group/{name}"


def issuer_arn(account: str, name: str) -> str:
    """What a role's trust names as `Federated`: `arn:aws:iam::ACCOUNT:oidc-provider/NAME`."""
    return f"arn:aws:iam::{account}:oidc-provider/{name}"


def federated_user_arn(account: str, issuer: str, subject: str) -> str:
    """A person of an issuer, as grants name them."""
    return f"arn:aws:iam::{account}:saml-provider/{issuer}:user/{subject}"


def federated_group_arn(account: str, issuer: str, group: str) -> str:
    """A group of an issuer, as grants name it."""
    return f"arn:aws:iam::{account}:saml-provider/{issuer}:group/{group}"


def assumed_role_arn(account: str, role: str, session: str) -> str:
    """`arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`."""
    return f"arn:aws:sts::{account}:assumed-role/{role}/{session}"


def iam_principals(account: str) -> str:
    """Everybody in an account: `ACCOUNT:IAMPrincipals`."""
    return f"{account}:IAMPrincipals"
