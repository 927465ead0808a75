"""`lakeveil blur` and `lakeveil detect`, as a user runs them, with real detectors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lakeveil.adapters.model_store import default_directory, states
from tests.command_line import lakeveil, lakeveil_process

PHOTOS = Path(__file__).parents[1] / "photos"

pytestmark = pytest.mark.skipif(
    any(s.state != "ok" for s in states(default_directory())),
    reason="the detectors' weights are not installed: lakeveil models install",
)


def pixels(path: Path) -> Any:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), int)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in" / "more").mkdir(parents=True)
    shutil.copy(PHOTOS / "group.jpg", tmp_path / "in")
    shutil.copy(PHOTOS / "no-face.jpg", tmp_path / "in" / "more")
    return tmp_path


def test_a_folder_of_photos_is_blurred_with_no_server(folder: Path) -> None:
    done = lakeveil_process("blur", "in", "-o", "out", cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = sorted(done.stdout.splitlines())
    assert lines[0].startswith("released\tin/group.jpg\tout/group.jpg\t")
    assert lines[1] == "unchanged\tin/more/no-face.jpg\tout/more/no-face.jpg\t0 faces"
    assert "1 with faces hidden, 1 without a face, 0 not released" in done.stderr
    before, after = pixels(folder / "in" / "group.jpg"), pixels(folder / "out" / "group.jpg")
    # The middle face of the picture, and its bottom, where nobody's face is.
    assert np.abs(before[75:106, 262:288] - after[75:106, 262:288]).mean() > 15
    assert np.abs(before[300:] - after[300:]).mean() < 2


def test_a_photo_that_cannot_be_examined_is_named_and_not_written(folder: Path) -> None:
    whole = (folder / "in" / "group.jpg").read_bytes()
    (folder / "in" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    done = lakeveil("blur", "in", "-o", "out", "--json", cwd=folder)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["released"], told["unchanged"], told["quarantined"]) == (1, 1, 1)
    cut = next(f for f in told["files"] if f["source"] == "in/cut.jpg")
    assert cut["outcome"] == "quarantined"
    assert cut["target"] is None
    assert cut["error"]["code"] == "truncated"
    assert not (folder / "out" / "cut.jpg").exists()


def test_options_change_how_faces_are_hidden(folder: Path) -> None:
    done = lakeveil(
        "blur", "in/more/no-face.jpg", "-o", "hidden.png.jpg",
        "--style", "fill", "--shape", "box", "--box", "10,20,30,40", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    filled = pixels(folder / "hidden.png.jpg")[25:55, 15:35]
    assert np.abs(filled - 128).max() < 12


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["in", "-o", "in"], "an original is never overwritten"),
        (["in", "-o", "out", "--box", "1,2,3,4"], "--box and --keep are for one file"),
        (["in", "-o", "out", "--box", "1,2,3"], "is no box"),
        (["in", "-o", "out", "--blocks", "9"], "a number of blocks from 1 to 8"),
        (["in", "-o", "out", "--collection", "holiday"], "there is no collection `holiday`"),
        (["nowhere", "-o", "out"], "there is no file or folder `nowhere`"),
        (["in"], "Missing option '-o'"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_written(
    folder: Path, arguments: list[str], words: str
) -> None:
    done = lakeveil("blur", *arguments, cwd=folder)
    assert done.returncode == 2
    assert words in done.stderr
    assert not (folder / "out").exists()


def test_missing_weights_are_told_with_what_to_do(folder: Path) -> None:
    (folder / "lakeveil.toml").write_text('[models]\ndir = "nothing-here"\n')
    done = lakeveil("blur", "in", "-o", "out", cwd=folder)
    assert done.returncode == 1
    assert "lakeveil models install" in done.stderr
    assert not (folder / "out").exists()


def test_detect_answers_in_the_shape_of_rekognition(folder: Path) -> None:
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    done = lakeveil(
        "detect", PHOTOS / "portrait.jpg", PHOTOS / "no-face.jpg", "broken.jpg", "--json",
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == 1
    portrait, empty, broken = json.loads(done.stdout)
    (face,) = portrait["FaceDetails"]
    assert set(face) >= {"BoundingBox", "Landmarks", "Pose", "Quality", "Confidence"}
    assert face["Confidence"] > 90
    assert 0.3 < face["BoundingBox"]["Left"] < 0.4
    assert empty["FaceDetails"] == []
    assert broken["Error"]["code"] == "truncated"


def test_detect_prints_a_line_for_each_face(folder: Path) -> None:
    done = lakeveil("detect", "in/group.jpg", cwd=folder)
    assert done.returncode == 0, done.stderr
    header, *rows = done.stdout.splitlines()
    assert header.split("\t") == ["file", "frame", "confidence", "left", "top", "width", "height"]
    assert len(rows) == 5
    assert all(row.startswith("in/group.jpg\t0\t") for row in rows)
