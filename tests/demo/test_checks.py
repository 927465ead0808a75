"""The demo's checks must fail on a bad release: each test plants one fault."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from demo.checks import Box, Seen, faces_left, frames, problems_with_release
from demo.expected import PHOTOS
from PIL import Image, ImageFilter, ImageOps

FACE: Box = (170, 60, 280, 210)
"""Roughly, on `portrait.jpg`."""
FOUND = Seen(FACE, 0.9)


def photo(name: str) -> bytes:
    return (PHOTOS / name).read_bytes()


def jpeg(picture: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90, **options)
    return out.getvalue()


def upright(name: str) -> Image.Image:
    with Image.open(PHOTOS / name) as opened:
        return ImageOps.exif_transpose(opened).convert("RGB")


def redacted(name: str, *boxes: Box) -> Image.Image:
    picture = upright(name)
    for box in boxes:
        picture.paste((128, 128, 128), box)
    return picture


def test_a_good_release_has_no_problems() -> None:
    release = jpeg(redacted("portrait.jpg", FACE))
    assert problems_with_release(photo("portrait.jpg"), release, before=[[FOUND]], after=[[]]) == []


def test_a_face_that_a_second_look_finds_is_a_problem() -> None:
    release = jpeg(redacted("portrait.jpg", FACE))
    (problem,) = problems_with_release(
        photo("portrait.jpg"), release, before=[[FOUND]], after=[[FOUND, FOUND]]
    )
    assert problem == "2 face(s) can still be seen"


@pytest.mark.parametrize(
    ("seen", "left"),
    [
        (Seen((100, 100, 120, 130), 0.2), 0),  # the veil itself
        (Seen((98, 98, 124, 134), 0.2), 0),  # the veil itself, with its margin
        (Seen((100, 100, 120, 130), 0.6), 1),  # in a hidden place, but rather a face
        (Seen((80, 90, 140, 180), 0.2), 0),  # the veil on its shoulders
        (Seen((80, 90, 140, 180), 0.6), 1),  # rather a face than shoulders
        (Seen((118, 100, 138, 130), 0.2), 1),  # reaches out of the hidden place
        (Seen((300, 100, 320, 130), 0.2), 1),  # elsewhere
    ],
)
def test_a_veil_is_no_face_but_anything_else_is(seen: Seen, left: int) -> None:
    assert faces_left([seen], [(100, 100, 120, 130)]) == left


def test_a_face_that_was_left_as_it_is_is_a_problem() -> None:
    release = jpeg(upright("portrait.jpg"))
    (problem,) = problems_with_release(photo("portrait.jpg"), release, before=[[FOUND]], after=[[]])
    assert "hardly changed" in problem


def test_a_photo_that_changed_elsewhere_is_a_problem() -> None:
    release = jpeg(redacted("portrait.jpg", FACE).filter(ImageFilter.GaussianBlur(6)))
    (problem,) = problems_with_release(photo("portrait.jpg"), release, before=[[FOUND]], after=[[]])
    assert "the rest of frame 0 changed" in problem


def test_a_release_that_lies_on_its_side_is_a_problem() -> None:
    turned = jpeg(upright("rotated.jpg").transpose(Image.Transpose.ROTATE_90))
    (problem,) = problems_with_release(
        photo("rotated.jpg"), turned, before=[[Seen((100, 60, 200, 200), 0.9)]], after=[[]]
    )
    assert "upright size" in problem


def test_a_missing_frame_is_a_problem() -> None:
    with Image.open(PHOTOS / "animated.webp") as animation:
        out = io.BytesIO()
        animation.save(out, "WEBP")
    (problem,) = problems_with_release(
        photo("animated.webp"), out.getvalue(), before=[[]] * 8, after=[[]]
    )
    assert problem == "it has 1 frames, the original 8"


def test_a_photo_without_a_face_must_keep_every_pixel() -> None:
    original = photo("no-face.jpg")
    assert problems_with_release(original, original, before=[[]], after=[[]]) == []
    again = jpeg(upright("no-face.jpg"))
    (problem,) = problems_with_release(original, again, before=[[]], after=[[]])
    assert problem == "it shows no face, and yet its pixels changed"


def test_what_the_metadata_hides_is_a_problem() -> None:
    original = photo("thumbnail.jpg")
    problems = problems_with_release(original, original, before=[[]], after=[[]])
    assert problems == [
        "a second image hides in the file",
        "it has an embedded thumbnail",
        "it says where it was taken",
        "its metadata holds 'SN-0042-PRIVATE'",
        "its metadata holds 'A. Photographer'",
    ]


def test_frames_are_upright_and_all_there() -> None:
    assert [f.shape for f in frames(photo("rotated.jpg"))] == [(480, 360, 3)]
    every = frames(photo("animated.webp"))
    assert len(every) == 8
    assert not np.array_equal(every[0], every[7])


@pytest.mark.parametrize("folder", [PHOTOS, Path(__file__).parents[1] / "photos"])
def test_every_photo_has_its_source_written_down(folder: Path) -> None:
    sources = (folder / "SOURCES.md").read_text("utf-8")
    photos = [path for path in folder.iterdir() if path.suffix != ".md"]
    assert photos
    for path in photos:
        _, _, entry = sources.partition(f"## {path.name}\n")
        entry = entry.partition("\n## ")[0]
        assert "Source" in entry, path.name
        assert "icence" in entry, path.name


def test_the_photos_stay_small() -> None:
    assert sum(path.stat().st_size for path in PHOTOS.iterdir()) < 1_500_000
