"""What a key may do at the object store, and the two languages in which stores understand it.

A right is a bucket, a prefix and actions. The prefix is a folder: it ends with a slash, so that
`results/bu-a/` opens nothing of `results/bu-ab/`, and it is never empty, since a forgotten value
would then open a whole bucket. Characters that either language reads as a pattern (`*`, `?`, `$`)
are refused rather than escaped: SeaweedFS has no escape for them.

`seaweedfs_actions` compares exactly. A policy does so on AWS, but SeaweedFS's engine takes `A` for
`a` in a resource, so what is to be enforced there passes `require_one_case` first.

Sources: IAM's policy grammar, S3's rules for bucket names and keys, SeaweedFS 4.48.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lakeveil.errors import UsageError

MAX_KEY_BYTES = 1024
POLICY_VERSION = "2012-10-17"
_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
# What SeaweedFS or IAM would read as a pattern or a variable, and what some reader of paths takes
# for a separator.
_NOT_IN_PREFIX = re.compile(r"[*?$\\\x00-\x1f\x7f]")


class StoreAction(StrEnum):
    """What may be done under a prefix. None includes another."""

    READ = "read"
    """Read objects."""
    LIST = "list"
    """List objects, by a prefix within the right's."""
    WRITE = "write"
    """Create, replace and delete objects, in parts, too. Nothing of ACLs, tags or versions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRight:
    """Actions on the objects below one prefix of one bucket.

    Raises:
        UsageError: the bucket's name is none, the prefix is not a folder's or holds a pattern,
            or there are no actions.
    """

    bucket: str
    prefix: str
    actions: frozenset[StoreAction]

    def __post_init__(self) -> None:
        _check_bucket(self.bucket)
        _check_prefix(self.prefix)
        if not self.actions:
            raise UsageError(
                f"the right to `{self.bucket}/{self.prefix}` allows nothing",
                why="it names no action",
                fix="leave the right out, or name read, list or write",
                code="store_right_invalid",
            )


def seaweedfs_actions(rights: Collection[StoreRight]) -> list[str]:
    """The rights as actions of a SeaweedFS identity: `Read:bucket/prefix/*`. Sorted, none twice.

    >>> seaweedfs_actions([StoreRight(bucket="results", prefix="bu-a/", actions=frozenset(
    ...     {StoreAction.READ, StoreAction.LIST}))])
    ['List:results/bu-a/*', 'Read:results/bu-a/*']
    """
    return sorted(
        {
            f"{action.value.capitalize()}:{right.bucket}/{right.prefix}*"
            for right in rights
            for action in right.actions
        }
    )


def policy_document(rights: Collection[StoreRight]) -> dict[str, object]:
    """The rights as an IAM policy document. Without any right it denies everything.

    A listing must name a prefix within the right's (`s3:prefix`).
    """
    statements = [
        *_object_statement(rights, StoreAction.READ, ["s3:GetObject"]),
        *_object_statement(
            rights,
            StoreAction.WRITE,
            [
                "s3:PutObject",
                "s3:DeleteObject",
                "s3:AbortMultipartUpload",
                "s3:ListMultipartUploadParts",
            ],
        ),
        *_list_statements(rights),
    ]
    if not statements:
        # A document without statements is malformed, and what engines make of it differs.
        statements = [{"Effect": "Deny", "Action": ["s3:*"], "Resource": ["*"]}]
    return {"Version": POLICY_VERSION, "Statement": statements}


def require_one_case(rights: Sequence[StoreRight]) -> None:
    """Refuse prefixes with letters of which the other case would be opened as well.

    Lower case ASCII is the one form allowed, so that two units' prefixes cannot meet.

    Raises:
        UsageError: a prefix has a letter outside a to z.
    """
    for right in rights:
        if any(c.isalpha() and not "a" <= c <= "z" and _has_case(c) for c in right.prefix):
            raise UsageError(
                f"sessions cannot be limited to `{right.bucket}/{right.prefix}`",
                why="the embedded store does not tell capital letters from small ones "
                "when it checks a session",
                fix="name the folder in lower case, or use a long-lived key, which is compared "
                "exactly",
                code="store_prefix_case",
            )


def _has_case(character: str) -> bool:
    return len({character, character.lower(), character.upper(), character.casefold()}) > 1


def _object_statement(
    rights: Collection[StoreRight], action: StoreAction, actions: list[str]
) -> list[Mapping[str, object]]:
    resources = sorted(
        {f"arn:aws:s3:::{r.bucket}/{r.prefix}*" for r in rights if action in r.actions}
    )
    return [{"Effect": "Allow", "Action": actions, "Resource": resources}] if resources else []


def _list_statements(rights: Collection[StoreRight]) -> list[Mapping[str, object]]:
    prefixes: dict[str, set[str]] = {}
    for right in rights:
        if StoreAction.LIST in right.actions:
            prefixes.setdefault(right.bucket, set()).add(f"{right.prefix}*")
    return [
        {
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads"],
            "Resource": [f"arn:aws:s3:::{bucket}"],
            "Condition": {"StringLike": {"s3:prefix": sorted(found)}},
        }
        for bucket, found in sorted(prefixes.items())
    ]


def _check_bucket(bucket: str) -> None:
    if not _BUCKET.fullmatch(bucket):
        raise UsageError(
            f"`{bucket}` is no bucket's name",
            why="a name has 3 to 63 small letters, digits, dots and hyphens",
            fix="name one bucket, without a pattern",
            code="store_right_invalid",
        )


def _check_prefix(prefix: str) -> None:
    why = _fault(prefix)
    if why:
        raise UsageError(
            f"`{prefix!a}` is no prefix that a key can be limited to",
            why=why,
            fix="name a folder: parts without patterns, each followed by a slash",
            code="store_right_invalid",
        )


def _fault(prefix: str) -> str:
    if not prefix:
        return "an empty prefix would open the whole bucket"
    if not prefix.endswith("/"):
        return "without a slash at its end it would also open what merely begins like it"
    if _NOT_IN_PREFIX.search(prefix):
        return "the store would read `*`, `?`, `$`, a backslash or a control character its own way"
    if any(part in {"", ".", ".."} for part in prefix[:-1].split("/")):
        return "an empty part, `.` or `..` would lead elsewhere"
    try:
        length = len(prefix.encode())
    except UnicodeEncodeError:
        return "it is no text that UTF-8 can hold"
    return "" if length < MAX_KEY_BYTES else f"it leaves no room in a key of {MAX_KEY_BYTES} bytes"
