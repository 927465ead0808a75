"""Who may become a role: its trust policy.

Written as IAM writes them ("Role trust policies", IAM user guide), with what is judged here:
users, roles and accounts by ARN for `sts:AssumeRole`; an issuer of tokens for
`sts:AssumeRoleWithWebIdentity`, with conditions on the token's claims; `sts:TagSession` for those
who may set session tags. There is no Deny, no `*` as principal, and nobody is let in by leaving
something out: an issuer's statement must name the audience and at least one more claim. Whoever
means everybody of an issuer writes `"StringLike": {"NAME:sub": "*"}`.

When somebody who is named goes, a unique id takes the place of the name, as in IAM: whoever has the
name next is not meant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lakeveil.core.identity import arns
from lakeveil.core.identity.departure import Leaver
from lakeveil.core.identity.principal import Principal
from lakeveil.core.identity.rights import check_members, read_document, sid_of, texts
from lakeveil.core.identity.wildcards import matches
from lakeveil.errors import UsageError

MAX_DOCUMENT = 4096
"""Characters: IAM's highest quota for a trust policy, rounded down to a power of two."""

ASSUME = "sts:AssumeRole"
ASSUME_WITH_TOKEN = "sts:AssumeRoleWithWebIdentity"  # noqa: S105 - an action's name
TAG = "sts:TagSession"

# What takes the place of somebody who was deleted: it is nobody's name, so it lets nobody in.
_UNIQUE_ID = re.compile(r"[A-Z]{4}[A-Z2-7]{17}", re.ASCII)

# For any value: a claim such as `groups` holds several. One that holds one is the same as a list
# of one, so the two spellings mean the same here.
_OPERATORS = {
    "StringEquals": False,
    "ForAnyValue:StringEquals": False,
    "StringLike": True,
    "ForAnyValue:StringLike": True,
}

Claims = Mapping[str, tuple[str, ...]]
"""The claims of a checked token that hold text: a list's items, or one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One claim must have one of these values; with `like` they may hold `*`."""

    claim: str
    values: tuple[str, ...]
    like: bool = False

    def holds(self, claims: Claims) -> bool:
        """Whether one of the claim's values is one of ours; an absent claim never is."""
        return any(
            matches(value, had) if self.like else value == had
            for had in claims.get(self.claim, ())
            for value in self.values
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustStatement:
    """Who a statement lets in: `principals` (ARNs and accounts), or the people of an `issuer`."""

    actions: frozenset[str]
    principals: frozenset[str] = frozenset()
    issuer: str = ""
    """Its ARN."""
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Who may become a role. Without a statement: nobody."""

    statements: tuple[TrustStatement, ...] = ()

    def admits(self, who: Principal, *, tagging: bool = False) -> bool:
        """Whether a caller is let in; with `tagging` also with session tags of its choice."""
        named = {who.arn, who.account}
        return self._covers(
            {ASSUME, TAG} if tagging else {ASSUME},
            (s for s in self.statements if s.principals & named),
        )

    def admits_token(self, issuer: str, claims: Claims) -> bool:
        """Whether whoever has a token with these claims, from this issuer (an ARN), is let in."""
        return self._covers(
            {ASSUME_WITH_TOKEN},
            (
                s
                for s in self.statements
                if s.issuer == issuer and all(c.holds(claims) for c in s.conditions)
            ),
        )

    @staticmethod
    def _covers(needed: set[str], statements: Iterator[TrustStatement]) -> bool:
        allowed: set[str] = set()
        for statement in statements:
            allowed |= statement.actions
        return needed <= allowed


def from_trust_document(text: str) -> Trust:
    """Read a role's trust policy.

    Raises:
        UsageError: it is not one, or says something that is not judged here.
    """
    document = read_document(text, max_characters=MAX_DOCUMENT)
    return Trust(
        statements=tuple(
            _statement(entry, f"Statement[{i}]") for i, entry in enumerate(document["Statement"])
        )
    )


def without(text: str, who: Leaver) -> str:
    """A trust policy in which a unique id stands in for whoever goes; it lets in nobody else.

    Raises:
        UsageError: it is no trust policy.
    """
    from_trust_document(text)
    document = read_document(text, max_characters=MAX_DOCUMENT)
    statements = [_forgetting(entry, who) for entry in document["Statement"]]
    if statements == document["Statement"]:
        return text
    # An ASCII text stays one, and gets no longer: our form is the shortest.
    return json.dumps(
        {**document, "Statement": statements},
        separators=(",", ":"),
        ensure_ascii=text.isascii(),
    )


def _forgetting(entry: Mapping[str, Any], who: Leaver) -> Mapping[str, Any]:
    forgotten = {
        kind: [_forgotten(one, who) for one in given]
        if isinstance(given, list)
        else _forgotten(given, who)
        for kind, given in entry["Principal"].items()
    }
    return {**entry, "Principal": forgotten}


def _forgotten(identifier: str, who: Leaver) -> str:
    return who.id if who.covers(identifier) else identifier


def _statement(entry: Mapping[str, Any], where: str) -> TrustStatement:
    check_members(
        entry,
        {"Sid", "Effect", "Principal", "Action", "Condition"},
        {"Effect", "Principal", "Action"},
        where,
    )
    sid_of(entry, where)
    if entry["Effect"] != "Allow":
        raise _malformed(f"Effect of {where} is not Allow")
    actions = frozenset(texts(entry["Action"], f"Action of {where}"))
    match entry["Principal"]:
        case {"AWS": named, **rest} if not rest:
            _check_actions(actions, {ASSUME, TAG}, where)
            if "Condition" in entry:
                raise _malformed(f"{where} has a Condition, and only tokens have claims to judge")
            principals = frozenset(_principal(p) for p in texts(named, f"Principal of {where}"))
            return TrustStatement(actions=actions, principals=principals)
        case {"Federated": str(issuer), **rest} if not rest:
            _check_actions(actions, {ASSUME_WITH_TOKEN}, where)
            if _UNIQUE_ID.fullmatch(issuer):
                return TrustStatement(actions=frozenset())
            return _of_an_issuer(issuer, actions, entry.get("Condition"), where)
        case _:
            raise _malformed(
                f"Principal of {where} is neither one member AWS nor one member Federated"
            )


def _of_an_issuer(issuer: str, actions: frozenset[str], given: Any, where: str) -> TrustStatement:
    identifier = arns.parse(issuer)
    if identifier.kind is not arns.Kind.ISSUER:
        raise _malformed(f"`{issuer}` in {where} is no issuer")
    conditions = tuple(_conditions(given, identifier.provider, where))
    exact = {c.claim for c in conditions if not c.like}
    if "aud" not in exact or {c.claim for c in conditions} == {"aud"}:
        raise _malformed(
            f"{where} does not say whom it trusts: it needs StringEquals on "
            f"`{identifier.provider}:aud` and a condition on one more claim"
        )
    return TrustStatement(actions=actions, issuer=issuer, conditions=conditions)


def _conditions(given: Any, provider: str, where: str) -> Iterator[Condition]:
    if not isinstance(given, dict):
        raise _malformed(f"{where} trusts an issuer without a Condition")
    check_members(given, set(_OPERATORS), set(), f"Condition of {where}")
    for operator, keys in given.items():
        if not isinstance(keys, dict) or not keys:
            raise _malformed(f"{operator} of {where} is not an object")
        for key, values in keys.items():
            name, _, claim = key.rpartition(":")
            if name != provider or not claim:
                raise _malformed(f"`{key}` in {where} is no claim, such as `{provider}:sub`")
            wanted = texts(values, f"`{key}` in {where}")
            like = _OPERATORS[operator]
            if like and any("?" in value for value in wanted):
                raise _malformed(f"`{key}` in {where} has a `?`, and only `*` is a wildcard there")
            yield Condition(claim=claim, values=wanted, like=like)


def _check_actions(actions: frozenset[str], known: set[str], where: str) -> None:
    if unknown := actions - known:
        raise _malformed(f"`{min(unknown)[:128]}` in {where} is none of {', '.join(sorted(known))}")


def _principal(text: str) -> str:
    if _UNIQUE_ID.fullmatch(text):
        return text
    identifier = arns.parse(text)
    if identifier.kind is arns.Kind.ACCOUNT:
        return identifier.account
    if identifier.kind not in {arns.Kind.USER, arns.Kind.ROLE}:
        raise _malformed(f"`{text}` is neither a user, a role nor an account")
    return text


def _malformed(why: str) -> UsageError:
    return UsageError(
        "the trust policy is not valid",
        why=why,
        fix="name users, roles, accounts or an issuer, and for an issuer its audience and claims",
        code="malformed_policy_document",
    )
