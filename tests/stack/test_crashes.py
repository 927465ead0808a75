"""Worker, broker and store are killed in mid-run: no photo is lost, none shows a face."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running_stack import RunningStack, running_stack, wait_for

PHOTOS = Path(__file__).resolve().parent.parent / "photos"
COUNT = 24
SETTINGS = """
[queue]
visibility_timeout_s = 6
[reconcile]
every_s = 3
grace_s = 1
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    with running_stack([sys.executable, "-m", "lakeveil"], settings=SETTINGS) as running:
        yield running


def released_keys(stack: RunningStack, prefix: str) -> list[str]:
    """What is released below a prefix."""
    listed = stack.s3().list_objects_v2(Bucket="photos-released", Prefix=prefix)
    return [one["Key"] for one in listed.get("Contents", [])]


def releases(stack: RunningStack, prefix: str) -> dict[str, str]:
    """Key -> SHA-256 of what is released below a prefix."""
    s3 = stack.s3()
    return {
        key: hashlib.sha256(
            s3.get_object(Bucket="photos-released", Key=key)["Body"].read()
        ).hexdigest()
        for key in released_keys(stack, prefix)
    }


def killed_now(pid: int) -> bool:
    """Kill a process; whether it was there. It may have died with the one that started it."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    "victim", ["run worker", "nats-server", "weed", "lakeveil.wiring.darkroom_child"]
)
def test_a_killed_part_loses_no_photo_and_releases_none_unredacted(
    stack: RunningStack, victim: str
) -> None:
    prefix = f"{victim.replace(' ', '-')}/"
    s3 = stack.s3()
    names = ["portrait.jpg", "group.jpg"]
    originals = {name: (PHOTOS / name).read_bytes() for name in names}
    for i in range(COUNT):
        s3.put_object(
            Bucket="photos", Key=f"{prefix}{i:02d}-{names[i % 2]}", Body=originals[names[i % 2]]
        )
        if i in {8, 16}:
            # In mid-run: some are released, some are in work, some wait.
            pids = wait_for(lambda: stack.children(victim), why=f"no {victim} runs")
            killed = [pid for pid in pids if killed_now(pid)]
            assert killed, f"no {victim} was there to be killed"
    try:
        wait_for(lambda: len(released_keys(stack, prefix)) == COUNT, seconds=80)
    except AssertionError:
        pytest.fail(f"{len(released_keys(stack, prefix))} of {COUNT} were released\n{stack.log()}")
    seen = releases(stack, prefix)
    # The flow is deterministic: each kind of photo has one release, whatever was killed.
    for name in names:
        assert len({digest for key, digest in seen.items() if key.endswith(name)}) == 1
        assert hashlib.sha256(originals[name]).hexdigest() not in seen.values()
    records = {r["photo"]: r for r in stack.lakeveil("photo", "ls", "--prefix", prefix)}
    assert len(records) == COUNT
    assert {r["outcome"] for r in records.values()} == {"released"}
    time.sleep(2)
    assert releases(stack, prefix) == seen


def test_changes_that_no_event_told_of_are_found(stack: RunningStack) -> None:
    s3 = stack.s3()
    for pid in stack.children("run bridge"):
        os.kill(pid, signal.SIGSTOP)
    try:
        s3.put_object(
            Bucket="photos", Key="unseen.jpg", Body=(PHOTOS / "portrait.jpg").read_bytes()
        )
        wait_for(lambda: released_keys(stack, "unseen.jpg"), seconds=40)
    finally:
        for pid in stack.children("run bridge"):
            os.kill(pid, signal.SIGCONT)
    s3.delete_object(Bucket="photos", Key="unseen.jpg")
    wait_for(lambda: not released_keys(stack, "unseen.jpg"), seconds=40)
