"""What a caller's rights mean at the store's own S3 endpoint: folders, or nothing.

The store knows folders only (`core.store_rights`), so a policy is translated as far as it says
folders, and never widened to one:

- **Candidates** are the folders that Allow statements name: `arn:aws:s3:::BUCKET/FOLDER/*`, those
  of session policies too. Whole buckets, `*`, and patterns within a name give nothing.
- **A candidate counts** for a kind of action if one statement allows the whole of it, and one of
  each limit does as well. A Deny that could match anything inside takes it away, whichever way
  its letters are written: the embedded store does not tell `A` from `a` in a session.
- **A kind of action** is given if everything that it opens at the store is allowed: for *write*
  that is deleting and uploading in parts, too (`ACTIONS`).
- **Listing** is asked of the folder. IAM asks it of the bucket and narrows it by a Condition, which
  is not judged here; so `s3:ListBucket` may be allowed on either: on the bucket's ARN or on the
  folder's. A Deny on either takes it away.

Source: IAM's policy grammar as `core.identity.rights` reads it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from lakeveil.core.identity.rights import Effect, Rights
from lakeveil.core.identity.wildcards import matches
from lakeveil.core.store_rights import StoreAction, StoreRight, require_one_case
from lakeveil.errors import UsageError

ACTIONS: Mapping[StoreAction, tuple[str, ...]] = {
    StoreAction.READ: ("s3:GetObject",),
    StoreAction.LIST: ("s3:ListBucket", "s3:ListBucketMultipartUploads"),
    StoreAction.WRITE: (
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    ),
}
"""What each kind opens at the store, in IAM's words. All of it must be allowed."""

_ARN = "arn:aws:s3:::"
_FOLDER = re.compile(rf"{_ARN}([^/]+)/(.+/)\*", re.DOTALL)


def store_rights_of(rights: Rights) -> list[StoreRight]:
    """The folders that somebody may use, by bucket and prefix; none that lies in a wider one.

    >>> from lakeveil.core.identity.rights import from_policy_document
    >>> [right] = store_rights_of(from_policy_document('''{"Statement": {
    ...     "Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::results/bu-a/*"}}'''))
    >>> right.bucket, right.prefix, [action.value for action in right.actions]
    ('results', 'bu-a/', ['read'])
    """
    found: list[StoreRight] = []
    for bucket, prefix in sorted(set(_folders(rights))):
        actions = {kind for kind in StoreAction if _gives(rights, kind, bucket, prefix)}
        for wider in found:
            if wider.bucket == bucket and prefix.startswith(wider.prefix):
                actions -= wider.actions
        if actions:
            found += _right(bucket, prefix, actions)
    return found


def rights_at_store(
    rights: Rights, *, temporary: bool, closed_buckets: Collection[str] = ()
) -> tuple[StoreRight, ...]:
    """What a key of somebody with these rights is let in for.

    `temporary` is for sessions at the embedded store, which compares their folders without case:
    those must be in small letters. `closed_buckets` open to no key of ours, whatever a policy says.
    """
    return tuple(
        right
        for right in store_rights_of(rights)
        if right.bucket not in closed_buckets and not (temporary and _in_two_cases(right))
    )


def _folders(rights: Rights) -> Iterator[tuple[str, str]]:
    """Bucket and prefix of every folder that a statement names, whether or not it counts."""
    for statement in rights.statements:
        if statement.effect is Effect.ALLOW:
            for resource in statement.resources:
                named = _FOLDER.fullmatch(resource)
                # A pattern within a name is refused here, with whatever else is no folder.
                if named and _right(named[1], named[2], tuple(StoreAction)):
                    yield named[1], named[2]
    for limit in rights.within:
        yield from _folders(limit)


def _right(bucket: str, prefix: str, actions: Collection[StoreAction]) -> list[StoreRight]:
    """The right to a folder; none where the store could not be told of it."""
    try:
        return [StoreRight(bucket=bucket, prefix=prefix, actions=frozenset(actions))]
    except UsageError:
        return []


def _in_two_cases(right: StoreRight) -> bool:
    try:
        require_one_case([right])
    except UsageError:
        return True
    return False


def _gives(rights: Rights, kind: StoreAction, bucket: str, prefix: str) -> bool:
    """Whether everything that `kind` opens is allowed in the whole folder, by every limit."""
    folder = f"{_ARN}{bucket}/{prefix}"
    whole = [f"{_ARN}{bucket}"] if kind is StoreAction.LIST else []
    return all(_allows(rights, action, folder, whole) for action in ACTIONS[kind]) and all(
        _gives(limit, kind, bucket, prefix) for limit in rights.within
    )


def _allows(rights: Rights, action: str, folder: str, whole: list[str]) -> bool:
    """Whether a statement allows the folder, or one of `whole`, and none denies any of it."""
    allowed = False
    for statement in rights.statements:
        if not any(matches(name.lower(), action.lower()) for name in statement.actions):
            continue
        for pattern in statement.resources:
            if statement.effect is Effect.DENY:
                if _touches(pattern, folder) or any(_is_like(pattern, arn) for arn in whole):
                    return False
            elif _covers(pattern, folder) or any(matches(pattern, arn) for arn in whole):
                allowed = True
    return allowed


def _covers(pattern: str, folder: str) -> bool:
    """Whether a pattern fits whatever begins with `folder`."""
    return pattern.endswith("*") and matches(pattern, folder)


def _touches(pattern: str, folder: str) -> bool:
    """Whether a pattern fits anything that begins with `folder`, in whichever case."""
    return _meets(pattern, folder) or _meets(pattern.lower(), folder.lower())


def _is_like(pattern: str, arn: str) -> bool:
    return matches(pattern, arn) or matches(pattern.lower(), arn.lower())


def _meets(pattern: str, beginning: str) -> bool:
    """Whether some text begins so and fits: what is left of the pattern always fits something."""
    reached = _past_stars(pattern, {0})
    for character in beginning:
        reached = _past_stars(
            pattern,
            {
                at if pattern[at] == "*" else at + 1
                for at in reached
                if at < len(pattern) and pattern[at] in {"*", "?", character}
            },
        )
    return bool(reached)


def _past_stars(pattern: str, positions: set[int]) -> set[int]:
    """The positions, and those behind any stars there: a star may stand for nothing."""
    found = set(positions)
    for at in positions:
        end = at
        while end < len(pattern) and pattern[end] == "*":
            end += 1
            found.add(end)
    return found
