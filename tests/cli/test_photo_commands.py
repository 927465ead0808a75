"""`lakeveil photo`, `review` and `backfill` against a stack that runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import PROGRAM, run_here
from tests.running_stack import RunningStack, running_stack, wait_for

PHOTOS = Path(__file__).resolve().parent.parent / "photos"
SETTINGS = """
[[collections]]
name = "photos"
source = "s3://photos"
release = "s3://photos-released"
review_share = 1.0
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    with running_stack(PROGRAM, settings=SETTINGS, arguments=("--workers", "1")) as running:
        yield running


def upload(stack: RunningStack, key: str, data: bytes | None = None) -> None:
    body = (PHOTOS / "portrait.jpg").read_bytes() if data is None else data
    stack.s3("uploader").put_object(Bucket="photos", Key=key, Body=body)


def outcome(stack: RunningStack, key: str, wanted: str, revision: int = 0) -> dict[str, object]:
    """Wait until a photo has this outcome under at least this revision of instructions."""

    def look() -> dict[str, object] | None:
        for row in stack.lakeveil("photo", "ls", "--prefix", key):
            shown: dict[str, object] = stack.lakeveil("photo", "show", row["photo"])
            if shown["outcome"] == wanted and seen_revision(stack, key) >= revision:
                return shown
        return None

    return wait_for(look, why=f"{key} never became {wanted}\n{stack.log()}")


def seen_revision(stack: RunningStack, key: str) -> int:
    """The revision of instructions that the release says it was made under."""
    found = stack.s3().list_objects_v2(Bucket="photos-released", Prefix=key).get("Contents")
    if not found:
        return 1_000
    head = stack.s3().head_object(Bucket="photos-released", Key=key)
    return int(head["Metadata"]["lakeveil-instructions"])


def refused(stack: RunningStack, *arguments: str) -> str:
    done = run_here([*arguments], cwd=stack.directory, environ=stack.environ)
    assert done.returncode != 0
    return done.stderr


def test_a_released_photo_shows_its_boxes_and_timings(stack: RunningStack) -> None:
    upload(stack, "show.jpg")
    shown = outcome(stack, "show.jpg", "released")
    assert isinstance(shown["faces"], list)
    assert shown["faces"][0]["confidence"] > 0.8
    assert isinstance(shown["timings_ms"], dict)
    assert {"get", "detect", "redact", "look_again", "encode", "put"} <= shown["timings_ms"].keys()


def test_a_box_makes_a_new_release_and_keep_leaves_a_face_alone(stack: RunningStack) -> None:
    upload(stack, "box.jpg")
    outcome(stack, "box.jpg", "released")
    given = stack.lakeveil("photo", "redact", "box.jpg", "--box", "1,2,30,40")
    assert given["hide"] == [[1, 2, 30, 40]]
    outcome(stack, "box.jpg", "released", revision=1)
    shown = stack.lakeveil("photo", "show", "box.jpg")
    everything = f"0,0,{shown['width']},{shown['height']}"
    stack.lakeveil("photo", "redact", "box.jpg", "--reset", "--keep", everything)
    outcome(stack, "box.jpg", "unchanged", revision=2)


def test_withdraw_and_release(stack: RunningStack) -> None:
    upload(stack, "back.jpg")
    outcome(stack, "back.jpg", "released")
    assert "Pass --yes" in refused(stack, "photo", "withdraw", "back.jpg")
    done = stack.lakeveil("photo", "withdraw", "back.jpg", "--yes", "--reason", "she asked")
    assert done["outcome"] == "withdrawn"
    assert not stack.s3().list_objects_v2(Bucket="photos-released", Prefix="back").get("Contents")
    stack.lakeveil("photo", "release", "back.jpg")
    outcome(stack, "back.jpg", "released")


def test_a_broken_photo_is_quarantined_and_retried_by_reason(stack: RunningStack) -> None:
    upload(stack, "broken.jpg", (PHOTOS / "portrait.jpg").read_bytes()[:2000])
    shown = outcome(stack, "broken.jpg", "quarantined")
    assert shown["reason"]
    assert "never hidden" in refused(stack, "photo", "release", "broken.jpg")
    count = stack.lakeveil(
        "photo", "retry", "--all", "--reason", str(shown["reason_code"]), "--yes"
    )
    assert count == {"enqueued": 1}
    wait_for(lambda: stack.lakeveil("queue", "show")["messages"] == 0)
    assert stack.lakeveil("photo", "show", "broken.jpg")["outcome"] == "quarantined"


def test_only_what_another_policy_or_model_made_is_stale(stack: RunningStack) -> None:
    assert stack.lakeveil("photo", "retry", "--all", "--stale", "--yes") == {"enqueued": 0}


def test_a_review_gives_the_miss_rate_with_its_interval(
    stack: RunningStack, tmp_path: Path
) -> None:
    upload(stack, "look.jpg")
    outcome(stack, "look.jpg", "released")
    waiting = [row["photo"] for row in stack.lakeveil("review", "ls")]
    assert "s3://photos/look.jpg" in waiting
    files = stack.lakeveil("review", "fetch", "look.jpg", "-o", str(tmp_path / "look"))
    assert Path(files["before"]).read_bytes() == (PHOTOS / "portrait.jpg").read_bytes()
    assert Path(files["after"]).read_bytes() != Path(files["before"]).read_bytes()
    assert Path(files["before"]).stat().st_mode & 0o077 == 0
    (tmp_path / "open").mkdir(mode=0o755)
    told = refused(stack, "review", "fetch", "look.jpg", "-o", str(tmp_path / "open"))
    assert "is open to others" in told
    (tmp_path / "look" / "before-look.jpg").unlink()
    (tmp_path / "look" / "before-look.jpg").symlink_to(tmp_path / "elsewhere")
    stack.lakeveil("review", "fetch", "look.jpg", "-o", str(tmp_path / "look"))
    assert not (tmp_path / "elsewhere").exists()
    stack.lakeveil("review", "verdict", "look.jpg", "good")
    assert "not on offer" in refused(stack, "review", "verdict", "look.jpg", "good")
    (rate,) = stack.lakeveil("review", "rate")
    assert (rate["looked_at"], rate["missed"], rate["miss_rate"]) == (1, 0, 0.0)
    assert 0.5 < rate["high_95"] < 1


def test_a_backfill_passes_over_what_is_done(stack: RunningStack) -> None:
    upload(stack, "old/1.jpg")
    outcome(stack, "old/1.jpg", "released")
    done = stack.lakeveil("backfill", "s3://photos/old/", "--wait")
    assert (done["listed"], done["enqueued"]) == (1, 0)
    assert "no collection takes photos" in refused(stack, "backfill", "s3://elsewhere/")
    assert "is not an address" in refused(stack, "backfill", "elsewhere")


@pytest.mark.parametrize("box", ["1,2,3", "a,b,c,d", "1,2,0,5", "1,2,-3,5"])
def test_a_bad_box_is_refused(stack: RunningStack, box: str) -> None:
    assert "is not a box" in refused(stack, "photo", "redact", "x.jpg", "--box", box)


def test_doctor_finds_a_running_stack_well(stack: RunningStack) -> None:
    rows = stack.lakeveil("doctor")
    assert [row for row in rows if not row["ok"]] == []


def test_tables_are_tab_separated_in_a_pipe(stack: RunningStack) -> None:
    upload(stack, "tab\tname.jpg")
    outcome(stack, "tab\tname.jpg", "released")
    listing = ["photo", "ls", "--prefix", "tab"]
    done = run_here(listing, cwd=stack.directory, environ=stack.environ)
    assert done.returncode == 0, done.stderr
    head, row = done.stdout.splitlines()
    assert head.split("\t") == ["photo", "outcome", "faces", "updated_at", "reason"]
    assert row.split("\t")[0] == "s3://photos/tab\\x09name.jpg"
