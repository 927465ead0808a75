"""A right opens what lies below its prefix and nothing else, in either language."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lakeveil.core.store_rights import (
    MAX_KEY_BYTES,
    StoreAction,
    StoreRight,
    policy_document,
    require_one_case,
    seaweedfs_actions,
)
from lakeveil.errors import UsageError

READ, LIST, WRITE = StoreAction.READ, StoreAction.LIST, StoreAction.WRITE
OBJECT_ACTIONS = {
    READ: {"s3:GetObject"},
    WRITE: {
        *("s3:PutObject", "s3:DeleteObject"),
        *("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
    },
}

# Few letters, so that prefixes often begin like each other.
parts = st.text("ab-.=%+ üß日", min_size=1, max_size=3).filter(lambda p: p not in {".", ".."})
prefixes = st.lists(parts, min_size=1, max_size=3).map(lambda found: "/".join(found) + "/")
buckets = st.sampled_from(["results", "results-2", "other"])
rights = st.lists(
    st.builds(
        StoreRight,
        bucket=buckets,
        prefix=prefixes,
        actions=st.frozensets(st.sampled_from(StoreAction), min_size=1),
    ),
    max_size=4,
)
keys = st.one_of(
    st.text("ab-/.ü", max_size=8), st.builds("{}{}".format, prefixes, st.text("ab/", max_size=3))
)


def right(prefix: str, *actions: StoreAction, bucket: str = "results") -> StoreRight:
    return StoreRight(bucket=bucket, prefix=prefix, actions=frozenset(actions or (READ,)))


def allowed(document: dict[str, object], action: str, arn: str, prefix: str = "") -> bool:
    """What IAM's published grammar makes of a document; written without a look at ours."""
    found = False
    statements: Any = document["Statement"]
    for statement in statements:
        if not any(glob(a, action) for a in statement["Action"]):
            continue
        if not any(glob(r, arn) for r in statement["Resource"]):
            continue
        wanted = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
        if wanted is not None and not any(glob(w, prefix) for w in wanted):
            continue
        if statement["Effect"] == "Deny":
            return False
        found = True
    return found


def glob(pattern: str, text: str) -> bool:
    tokens = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(tokens), text, re.DOTALL) is not None


@given(held=rights, bucket=buckets, key=keys)
@example(held=[right("bu-a/")], bucket="results", key="bu-ab/x")
@example(held=[right("bu-a/")], bucket="results-2", key="bu-a/x")
def test_a_policy_opens_exactly_the_objects_below_a_prefix(
    held: list[StoreRight], bucket: str, key: str
) -> None:
    document = policy_document(held)
    for action, operations in OBJECT_ACTIONS.items():
        opened = any(
            r.bucket == bucket and key.startswith(r.prefix) and action in r.actions for r in held
        )
        for operation in operations:
            assert allowed(document, operation, f"arn:aws:s3:::{bucket}/{key}") == opened
    listed = any(
        r.bucket == bucket and key.startswith(r.prefix) and LIST in r.actions for r in held
    )
    assert allowed(document, "s3:ListBucket", f"arn:aws:s3:::{bucket}", key) == listed


@given(held=rights, bucket=buckets, key=keys)
@example(held=[right("bu-a/")], bucket="results", key="bu-ab/x")
def test_seaweedfs_actions_open_exactly_the_objects_below_a_prefix(
    held: list[StoreRight], bucket: str, key: str
) -> None:
    actions = seaweedfs_actions(held)
    for name, action in (("Read", READ), ("Write", WRITE), ("List", LIST)):
        opened = any(
            r.bucket == bucket and key.startswith(r.prefix) and action in r.actions for r in held
        )
        assert any(glob(a, f"{name}:{bucket}/{key}") for a in actions) == opened


@given(held=rights)
def test_neither_language_ever_names_more_than_objects_and_their_listing(
    held: list[StoreRight],
) -> None:
    for action in seaweedfs_actions(held):
        assert action.split(":")[0] in {"Read", "Write", "List"}
        assert action.endswith("/*")
        assert action.count("*") == 1
        assert "?" not in action
    granted = {
        action
        for statement in json.loads(json.dumps(policy_document(held)))["Statement"]
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
    }
    assert granted <= set().union(
        *OBJECT_ACTIONS.values(), {"s3:ListBucket", "s3:ListBucketMultipartUploads"}
    )


@given(held=rights, seed=st.randoms())
def test_the_order_of_rights_does_not_matter(held: list[StoreRight], seed: Any) -> None:
    shuffled = [*held, *held]
    seed.shuffle(shuffled)
    assert seaweedfs_actions(shuffled) == seaweedfs_actions(held)
    assert policy_document(shuffled) == policy_document(held)


def test_without_rights_everything_is_denied() -> None:
    assert seaweedfs_actions([]) == []
    assert not allowed(policy_document([]), "s3:GetObject", "arn:aws:s3:::results/bu-a/x")
    assert policy_document([])["Statement"] == [
        {"Effect": "Deny", "Action": ["s3:*"], "Resource": ["*"]}
    ]


@pytest.mark.parametrize(
    "prefix",
    [
        *("", "/", "bu-a", "/bu-a/", "bu-a//", "bu-a//x/", "./", "../", "bu-a/../bu-b/", "a/./b/"),
        *("*", "*/", "bu-?/", "bu-a/*/", "${aws:username}/", "$/", "a\\b/", "a\x00/", "a\n/"),
        *("\ud800/", "a" * MAX_KEY_BYTES + "/", "ü" * 600 + "/"),
    ],
)
def test_a_prefix_that_could_open_something_else_is_refused(prefix: str) -> None:
    with pytest.raises(UsageError) as caught:
        right(prefix)
    assert caught.value.code == "store_right_invalid"
    str(caught.value.as_dict()).encode()


@pytest.mark.parametrize(
    "bucket", ["", "*", "re*", "a/b", "Results", "ab", "..", "a..b", "-ab", "ab-", "a" * 64, "ü12"]
)
def test_what_is_no_buckets_name_is_refused(bucket: str) -> None:
    with pytest.raises(UsageError) as caught:
        right("bu-a/", bucket=bucket)
    assert caught.value.code == "store_right_invalid"


def test_a_right_without_actions_is_refused() -> None:
    with pytest.raises(UsageError, match="allows nothing"):
        StoreRight(bucket="results", prefix="bu-a/", actions=frozenset())


@given(prefix=prefixes)
def test_one_case_passes_only_where_no_letter_has_another(prefix: str) -> None:
    try:
        require_one_case([right(prefix)])
    except UsageError:
        assert any(c in "üß" for c in prefix)
    else:
        assert all(c.isascii() or c == c.upper() == c.lower() for c in prefix)
        assert prefix == prefix.lower()


@pytest.mark.parametrize("prefix", ["BU-A/", "dt=2026/Country=de/", "\u017fales/", "\u212aelvin/"])
def test_a_prefix_with_another_case_is_refused_for_sessions(prefix: str) -> None:
    with pytest.raises(UsageError) as caught:
        require_one_case([right("bu-a/"), right(prefix)])
    assert caught.value.code == "store_prefix_case"
