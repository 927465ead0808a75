"""What a token says of its bearer, once its signature is good: OpenID Connect's claims, checked.

The rules are OpenID Connect Core's ("ID Token Validation") and RFC 7519's: `iss`, `aud`, `exp`,
`iat` and `sub` must be there and right, `nbf` where it is there. Pure: the clock is an argument.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import Issuer
from lakeveil.core.identity.trust import Claims
from lakeveil.errors import Refused

LEEWAY_S = 30.0
"""How far the issuer's clock may be from ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebIdentity:
    """The bearer of a good token.

    `claims` are those that hold text, `aud` among them with the audiences that are ours alone.
    `identities` are the ARNs by which grants name the bearer and the bearer's groups.
    """

    issuer: Issuer
    subject: str
    audience: str
    claims: Claims
    identities: tuple[str, ...]


def web_identity(claims: Mapping[str, Any], issuer: Issuer, *, now: float) -> WebIdentity:
    """Check the claims of a token whose signature is the issuer's.

    Raises:
        Refused: `token_expired`, or `invalid_token` for anything else; claims are never quoted.
    """
    if claims.get("iss") != issuer.url:
        raise invalid("it is another issuer's")
    audiences = tuple(a for a in _texts(claims.get("aud")) if a in issuer.audiences)
    if not audiences:
        raise invalid("it was made for another audience")
    expires, issued = _time(claims, "exp"), _time(claims, "iat")
    if now - LEEWAY_S >= expires:
        raise Refused(
            "the token has expired",
            why="it was good for a while only",
            fix="sign in again",
            code="token_expired",
        )
    starts = _time(claims, "nbf") if "nbf" in claims else issued
    if max(starts, issued) > now + LEEWAY_S:
        raise invalid("it is not valid yet")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise invalid("it does not say whom it is about")
    held = {name: texts for name, value in claims.items() if (texts := _texts(value))}
    return WebIdentity(
        issuer=issuer,
        subject=subject,
        audience=audiences[0],
        claims={**held, "aud": audiences},
        identities=_identities(held, issuer),
    )


def invalid(why: str) -> Refused:
    """A token that is not good here; `why` never quotes it."""
    return Refused(
        "the token is not valid here", why=why, fix="sign in at a trusted issuer",
        code="invalid_token",
    )  # fmt: skip


def _identities(claims: Claims, issuer: Issuer) -> tuple[str, ...]:
    """ARNs of the bearer and the bearer's groups; names that no grant could hold are left out."""
    named = [
        *(
            arns.federated_user_arn(issuer.account, issuer.name, user)
            for user in claims.get(issuer.user_claim, ())[:1]
        ),
        *(
            arns.federated_group_arn(issuer.account, issuer.name, group)
            for group in claims.get(issuer.groups_claim, ())
        ),
    ]
    return tuple(sorted({arn for arn in named if arns.is_valid_principal(arn)}))


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    if isinstance(value, list):
        return tuple(item for item in value if isinstance(item, str) and item)
    return ()


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        # JSON's numbers have no end: one too long for a float is no time either.
        with suppress(OverflowError):
            if math.isfinite(seconds := float(value)):
                return seconds
    raise invalid(f"its `{name}` is no time")
