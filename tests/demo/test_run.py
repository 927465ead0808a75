"""The demo from end to end, and that it would notice a wrong outcome."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from demo import stack
from demo.checks import Seen
from demo.expected import EXPECTED, Expected
from demo.lake import PEOPLE
from demo.progress import Progress
from demo.run import verdict
from PIL import Image

RUN = Path(__file__).resolve().parents[2] / "demo" / "run.py"
BY_NAME = {photo.name: photo for photo in EXPECTED}
GOOD, UNTOUCHED, BROKEN = (BY_NAME[n] for n in ("portrait.jpg", "no-face.jpg", "broken.jpg"))


def problems(photo: Expected, progress: Progress, release: bytes | None) -> tuple[str, ...]:
    nothing: dict[str, list[list[Seen]]] = {photo.name: [[]]}
    return verdict(photo, progress, release, nothing, nothing).problems


def test_the_demo_notices_a_photo_that_is_released_though_nobody_could_look() -> None:
    found = problems(BROKEN, Progress(key=BROKEN.name, state="released"), BROKEN.original)
    assert found == (
        "its outcome is `released`, not `quarantined`",
        "something was released all the same",
    )


def test_the_demo_notices_a_release_beside_a_quarantine() -> None:
    progress = Progress(key=BROKEN.name, state="quarantined")
    assert problems(BROKEN, progress, BROKEN.original) == ("something was released all the same",)
    assert problems(BROKEN, progress, None) == ()


def test_the_demo_notices_a_photo_that_never_arrived() -> None:
    found = problems(UNTOUCHED, Progress(key=UNTOUCHED.name, state="queued"), None)
    assert found == ("its outcome is `queued`, not `unchanged`", "nothing was released")


def test_the_demo_notices_a_face_that_was_not_found() -> None:
    found = problems(GOOD, Progress(key=GOOD.name, state="released", faces=0), GOOD.original)
    assert found == ("0 face(s) were found, not 1",)


@pytest.mark.timeout(300)
def test_the_demo_runs_without_a_terminal_and_every_outcome_is_the_expected_one(
    tmp_path: Path,
) -> None:
    home, output = tmp_path / "home", tmp_path / "output"
    done = subprocess.run(
        [
            *(sys.executable, str(RUN), "--events", "20000"),
            *("--home", str(home), "--output", str(output)),
        ],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\x1b" not in done.stdout
    assert done.stdout.count("as expected") == len(EXPECTED) + 2 * len(PEOPLE)
    assert "ana may not see ads.impressions.ip_address" in done.stdout
    assert "ana may not see" in (output / "access.html").read_text("utf-8")
    assert (output / "access.svg").exists()
    assert "COLUMN_NOT_FOUND" in done.stdout
    assert "COLUMN_NOT_FOUND" in (output / "queries.svg").read_text("utf-8")
    for photo in EXPECTED:
        assert (output / "released" / photo.name).exists() is (photo.outcome != "quarantined")
    with Image.open(output / "before-after.png") as sheet:
        assert sheet.format == "PNG"
    assert "7 of 7" in (output / "index.html").read_text("utf-8")
    assert "everything is stopped" in (output / "stack.log").read_text("utf-8")


def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(stack.StackError, match="not ours"), stack.running(tmp_path):
        pass
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_a_stack_that_does_not_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(stack.StackError, match="no_such_setting"),
        stack.running(tmp_path / "home", settings="[no_such_setting]\nvalue = 1\n"),
    ):
        pass


def test_settings_of_the_surroundings_do_not_reach_the_demos_stack() -> None:
    program = "from demo import stack; print(stack.lakeveil('config', 'show', 'ports.s3'))"
    shown = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=RUN.parents[1],
        env=os.environ | {"LAKEVEIL_PORTS__S3": "1"},
    )
    assert "8333" in shown.stdout
