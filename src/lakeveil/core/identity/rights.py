"""What a caller may call at all: identity-based policies as IAM writes them.

A document is read in IAM's JSON grammar ("Policies and permissions", IAM user guide): Version,
Sid, Effect, Action, Resource, with `*` and `?`. Everything that would narrow a statement in a way
not judged here (Condition, NotAction, NotResource, policy variables) is refused when the
document is written: an ignored condition would be a right that nobody gave.

Deny beats Allow, and what no statement allows is refused. Actions compare without case,
resources with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self

from lakeveil.core.identity.wildcards import matches
from lakeveil.errors import UsageError

MAX_DOCUMENT = 10_240
"""Characters, without white space around them: IAM's limit for a role's inline policies."""

VERSIONS = ("2012-10-17", "2008-10-17")

_ACTION = re.compile(r"\*|[A-Za-z0-9*?-]{1,64}:[A-Za-z0-9*?]{1,128}")
# Whoever writes `s3://...` or a bare name would have a right that never matches.
_RESOURCE = re.compile(r"\*|arn:[^:]*:[^:]*:[^:]*:[^:]*:.+", re.DOTALL)


class Effect(StrEnum):
    """What a statement does with what it matches."""

    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement: what it does with which actions on which resources."""

    effect: Effect
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    sid: str = ""

    def matches(self, action: str, resource: str) -> bool:
        """Whether the statement speaks of this action on this resource."""
        return any(matches(p.lower(), action.lower()) for p in self.actions) and any(
            matches(p, resource) for p in self.resources
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What somebody may call. Without a statement: nothing.

    `within` are further rights of which each must allow a call as well: the policy that a
    session was opened with can only take away.
    """

    statements: tuple[Statement, ...] = ()
    within: tuple[Rights, ...] = ()

    def allows(self, action: str, resource: str) -> bool:
        """Whether `action` (`athena:StartQueryExecution`) on `resource` (an ARN) is allowed."""
        allowed = False
        for statement in self.statements:
            if statement.matches(action, resource):
                if statement.effect is Effect.DENY:
                    return False
                allowed = True
        return allowed and all(limit.allows(action, resource) for limit in self.within)

    def limited_to(self, limit: Rights) -> Rights:
        """These rights as far as `limit` allows them, too."""
        return replace(self, within=(*self.within, limit))

    def joined(self, others: Iterable[Self]) -> Rights:
        """The statements of all together, as a user has those of their groups."""
        return replace(
            self, statements=(*self.statements, *(s for o in others for s in o.statements))
        )


def from_policy_document(text: str, *, max_characters: int = MAX_DOCUMENT) -> Rights:
    """Read an identity-based policy.

    Raises:
        UsageError: it is not one, or says something that is not judged here.
    """
    document = read_document(text, max_characters=max_characters)
    statements = tuple(
        _statement(entry, f"Statement[{i}]") for i, entry in enumerate(document["Statement"])
    )
    return Rights(statements=statements)


def read_document(text: str, *, max_characters: int = MAX_DOCUMENT) -> Mapping[str, Any]:
    """A policy document's members, `Statement` as a list of objects; shared with trust policies.

    Raises:
        UsageError: it is not JSON of that form, or is too long.
    """
    if len(text) > max_characters:
        raise _malformed(f"it has more than {max_characters} characters")
    try:
        document = json.loads(text, object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError):
        raise _malformed("it is not valid JSON, or names something twice") from None
    if not isinstance(document, dict):
        raise _malformed("it is not a JSON object")
    check_members(document, {"Version", "Id", "Statement"}, {"Statement"}, "the document")
    if document.get("Version", VERSIONS[0]) not in VERSIONS:
        raise _malformed(f"Version is none of {', '.join(VERSIONS)}")
    given = document["Statement"]
    statements = given if isinstance(given, list) else [given]
    if not statements or not all(isinstance(entry, dict) for entry in statements):
        raise _malformed("Statement is not a list of at least one object")
    return {**document, "Statement": statements}


def check_members(
    entry: Mapping[str, Any], known: set[str], required: set[str], where: str
) -> None:
    """Refuse members that are not judged here, and missing ones.

    Raises:
        UsageError: with the first of them.
    """
    for name in entry:
        if name not in known:
            raise _malformed(f"{where} has `{name[:64]}`, which is not judged here")
    for name in sorted(required - set(entry)):
        raise _malformed(f"{where} has no {name}")


def texts(value: Any, where: str) -> tuple[str, ...]:
    """One text or a list of at least one.

    Raises:
        UsageError: it is neither, or holds a policy variable.
    """
    given = value if isinstance(value, list) else [value]
    if not given or not all(isinstance(text, str) and text for text in given):
        raise _malformed(f"{where} is neither a text nor a list of texts")
    if any("${" in text for text in given):
        raise _malformed(f"{where} has a policy variable, and these are not filled in here")
    return tuple(given)


def sid_of(entry: Mapping[str, Any], where: str) -> str:
    """A statement's Sid: letters and digits; empty where it has none.

    Raises:
        UsageError: it is something else.
    """
    sid = entry.get("Sid", "")
    if not isinstance(sid, str) or not re.fullmatch(r"[A-Za-z0-9]*", sid):
        raise _malformed(f"Sid of {where} holds more than letters and digits")
    return sid


def business_unit_role(
    *, region: str, account: str, workgroup: str, output: str
) -> Mapping[str, Any]:
    """The three rights of a business unit's role: its workgroup, its output, its data.

    `output` is `s3://bucket/prefix/`. What it sees in tables is nothing of this: Lake Formation's
    grants say so, and without `lakeformation:GetDataAccess` none of them counts.

    Raises:
        UsageError: a part that would reach further than the unit's own.
    """
    place = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/((?:[\w!'().=+@~-]+/)+)", output)
    if not place:
        raise UsageError(
            f"`{output}` is no output location",
            why="a role of its own needs a prefix of its own, without wildcards",
            fix="write it as s3://bucket/prefix/",
        )
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", workgroup):
        raise UsageError(
            f"`{workgroup}` is no workgroup's name",
            why="names have letters, digits, `.`, `_` and `-`",
            fix="name one workgroup",
        )
    if not re.fullmatch(r"[a-z0-9-]{1,32}", region) or not re.fullmatch(r"[0-9]{12}", account):
        raise UsageError(
            f"`{region}` and `{account}` are not a region and an account",
            why="a workgroup's ARN needs both",
            fix="write them as eu-central-1 and 123456789012",
        )
    bucket, prefix = place.groups()
    return {
        "Version": VERSIONS[0],
        "Statement": [
            {
                "Sid": "Workgroup",
                "Effect": "Allow",
                "Action": "athena:*",
                "Resource": f"arn:aws:athena:{region}:{account}:workgroup/{workgroup}",
            },
            {
                "Sid": "Output",
                "Effect": "Allow",
                "Action": [
                    "s3:GetObject",
                    "s3:PutObject",
                    "s3:DeleteObject",
                    "s3:AbortMultipartUpload",
                    "s3:ListMultipartUploadParts",
                    "s3:ListBucket",
                    "s3:ListBucketMultipartUploads",
                ],
                "Resource": f"arn:aws:s3:::{bucket}/{prefix}*",
            },
            {
                "Sid": "Data",
                "Effect": "Allow",
                "Action": "lakeformation:GetDataAccess",
                "Resource": "*",
            },
        ],
    }


def _statement(entry: Mapping[str, Any], where: str) -> Statement:
    check_members(
        entry,
        {"Sid", "Effect", "Action", "Resource"},
        {"Effect", "Action", "Resource"},
        where,
    )
    if entry["Effect"] not in list(Effect):
        raise _malformed(f"Effect of {where} is neither Allow nor Deny")
    actions = texts(entry["Action"], f"Action of {where}")
    for action in actions:
        if not _ACTION.fullmatch(action):
            raise _malformed(f"`{action[:128]}` in {where} is no action such as `glue:GetTable`")
    resources = texts(entry["Resource"], f"Resource of {where}")
    for resource in resources:
        if not _RESOURCE.fullmatch(resource):
            raise _malformed(f"`{resource[:128]}` in {where} is neither `*` nor an ARN")
    return Statement(
        effect=Effect(entry["Effect"]),
        actions=actions,
        resources=resources,
        sid=sid_of(entry, where),
    )


def _without_repetition(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    # JSON's readers disagree on which of two counts: a reviewer may have seen the other one.
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name is given twice")
    return document


def _malformed(why: str) -> UsageError:
    return UsageError(
        "the policy document is not valid",
        why=why,
        fix="write it as IAM's identity-based policies, with Effect, Action and Resource only",
        code="malformed_policy_document",
    )
