"""Buckets that keep versions, on both sides, through the whole stack."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running_stack import RunningStack, running_stack, wait_for

PHOTOS = Path(__file__).resolve().parent.parent / "photos"
KEY = "versions/photo.jpg"


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    command = [sys.executable, "-m", "lakeveil"]
    with running_stack(command, arguments=("--workers", "1")) as running:
        for bucket in ("photos", "photos-released"):
            running.s3().put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        yield running


def put(stack: RunningStack, name: str) -> str:
    """Upload; returns the new version."""
    written = stack.s3().put_object(Bucket="photos", Key=KEY, Body=(PHOTOS / name).read_bytes())
    return str(written["VersionId"])


def released_version(stack: RunningStack) -> str | None:
    """Which version of the original is released now."""
    s3 = stack.s3()
    if not s3.list_objects_v2(Bucket="photos-released", Prefix=KEY).get("Contents"):
        return None
    found = s3.head_object(Bucket="photos-released", Key=KEY)["Metadata"]
    return str(found["lakeveil-source-version"])


def kept(stack: RunningStack, kind: str = "Versions") -> list[Any]:
    """Versions (or DeleteMarkers) of the release that can still be read."""
    listed = stack.s3().list_object_versions(Bucket="photos-released", Prefix=KEY)
    return list(listed.get(kind, []))


def test_each_version_is_released_and_a_deletion_leaves_none(stack: RunningStack) -> None:
    first = put(stack, "portrait.jpg")
    wait_for(lambda: released_version(stack) == first, why=stack.log())
    second = put(stack, "group.jpg")
    wait_for(lambda: released_version(stack) == second, why=stack.log())
    assert stack.lakeveil("photo", "show", KEY)["version"] == second
    assert len(kept(stack)) == 2
    stack.s3().delete_object(Bucket="photos", Key=KEY)
    wait_for(lambda: not kept(stack), why=stack.log())
    assert not kept(stack, "DeleteMarkers")
    shown = wait_for(
        lambda: (
            found
            if (found := stack.lakeveil("photo", "show", KEY))["outcome"] == "deleted"
            else None
        )
    )
    assert shown["reason_code"] == "source_deleted"


def test_a_correction_and_a_withdrawal_leave_no_older_version(stack: RunningStack) -> None:
    version = put(stack, "portrait.jpg")
    wait_for(lambda: released_version(stack) == version, why=stack.log())
    (before,) = kept(stack)
    stack.lakeveil("photo", "redact", KEY, "--box", "0,0,40,40")
    wait_for(
        lambda: (
            [v["VersionId"] for v in kept(stack)] not in ([], [before["VersionId"]])
            and len(kept(stack)) == 1
        ),
        why=stack.log(),
    )
    stack.lakeveil("photo", "withdraw", KEY, "--yes")
    assert not kept(stack)
    assert not kept(stack, "DeleteMarkers")
