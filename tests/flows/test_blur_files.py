"""Folders of photos: originals are never touched, and nothing is left of what was not released."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from PIL import Image

from lakeveil.core.geometry import Box
from lakeveil.core.outcomes import Outcome
from lakeveil.core.photos import Instructions, RedactionPolicy
from lakeveil.errors import Unavailable, UsageError
from lakeveil.flows.blur_files import FileResult, Plan, blur_files, plan_files
from lakeveil.flows.develop_photo import develop
from lakeveil.pixels.files.limits import Limits
from lakeveil.pixels.rendition import Rendition
from tests.planted_faces import MagentaFaces, file_of, frames_of, magenta_areas, picture

FACE = Box(40, 40, 60, 60)
WITH_FACE = file_of(picture(120, 100, FACE))
WITHOUT = file_of(picture(120, 100))


class LocalDarkroom:
    """Develops right here; photos wider than 500 pixels find it closed."""

    def __init__(self) -> None:
        self.threads: set[str] = set()

    def develop(
        self, data: bytes, *, policy: RedactionPolicy, instructions: Instructions
    ) -> Rendition:
        self.threads.add(threading.current_thread().name)
        rendition = develop(
            data,
            policy=policy,
            instructions=instructions,
            detector=MagentaFaces(),
            limits=Limits(),
        )
        if rendition.width > 500:
            raise Unavailable("the darkroom is closed", code="cancelled")
        return rendition


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    folder = tmp_path / "originals"
    (folder / "trip" / "day 1").mkdir(parents=True)
    (folder / "a.png").write_bytes(WITH_FACE)
    (folder / "trip" / "b.png").write_bytes(WITHOUT)
    (folder / "trip" / "day 1" / "no suffix").write_bytes(WITH_FACE)
    (folder / "trip" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much of a photo")
    (folder / "trip" / "notes.txt").write_text("people at the beach")
    return folder


def blurred(plan: Plan, *, jobs: int = 1, max_bytes: int = 10_000_000) -> list[FileResult]:
    return sorted(
        blur_files(
            plan,
            policy=RedactionPolicy(tint=False),
            darkroom=LocalDarkroom(),
            max_bytes=max_bytes,
            jobs=jobs,
        ),
        key=lambda r: r.source,
    )


def everything_in(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def faces_in(path: Path) -> list[Box]:
    return [b for frame in frames_of(path.read_bytes()) for b in magenta_areas(frame)]


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_folder_is_redacted_under_the_same_relative_paths(
    originals: Path, tmp_path: Path, jobs: int
) -> None:
    before, out = everything_in(originals), tmp_path / "out"
    plan = plan_files([originals], out)
    results = blurred(plan, jobs=jobs)
    assert everything_in(originals) == before
    assert sorted(everything_in(out)) == ["a.png", "trip/b.png", "trip/day 1/no suffix"]
    assert [(r.source.name, r.outcome, r.faces) for r in results] == [
        ("a.png", Outcome.RELEASED, 1),
        ("b.png", Outcome.UNCHANGED, 0),
        ("broken.jpg", Outcome.QUARANTINED, 0),
        ("no suffix", Outcome.RELEASED, 1),
    ]
    assert faces_in(out / "a.png") == faces_in(out / "trip" / "day 1" / "no suffix") == []
    assert plan.skipped == (originals / "trip" / "notes.txt",)
    broken = results[2]
    assert broken.target is None
    assert broken.error["code"] in {"malformed", "truncated"}
    assert broken.error["fix"]


def test_one_file_may_be_given_its_new_name(originals: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "hidden.png"
    (result,) = blurred(plan_files([originals / "a.png"], target))
    assert result.target == target
    assert faces_in(target) == []


@pytest.mark.parametrize("out", ["exists", "no-such-folder"])
def test_one_file_goes_into_a_folder_under_its_own_name(
    originals: Path, tmp_path: Path, out: str
) -> None:
    (tmp_path / "exists").mkdir()
    (result,) = blurred(plan_files([originals / "a.png"], tmp_path / out))
    assert result.target == tmp_path / out / "a.png"


def test_a_heic_photo_becomes_a_jpeg_and_is_named_so(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    source = tmp_path / "IMG_1.HEIC"
    image = Image.fromarray(picture(128, 128, FACE))
    pillow_heif.from_pillow(image).save(source, quality=90)
    (result,) = blurred(plan_files([source], tmp_path / "out"))
    assert result.target == tmp_path / "out" / "IMG_1.HEIC.jpg"
    assert result.target.read_bytes().startswith(b"\xff\xd8\xff")
    assert faces_in(result.target) == []


def test_results_that_lie_among_the_originals_are_not_blurred_again(originals: Path) -> None:
    out = originals / "blurred"
    blurred(plan_files([originals], out))
    again = plan_files([originals], out, overwrite=True)
    assert len(again.files) == 4
    assert not [f for f in again.files if "blurred" in f.source.parts]


def refused(sources: list[Path], out: Path, *, overwrite: bool = False) -> str:
    with pytest.raises(UsageError) as caught:
        plan_files(sources, out, overwrite=overwrite)
    return caught.value.code


def test_an_original_is_never_a_target(originals: Path, tmp_path: Path) -> None:
    a = originals / "a.png"
    assert refused([originals], originals, overwrite=True) == "over_an_original"
    assert refused([a], a, overwrite=True) == "over_an_original"
    assert refused([a], originals / "trip" / ".." / "a.png", overwrite=True) == "over_an_original"
    (tmp_path / "link.png").symlink_to(a)
    assert refused([a], tmp_path / "link.png", overwrite=True) == "over_an_original"
    os.link(a, tmp_path / "hard.png")
    assert refused([a], tmp_path / "hard.png", overwrite=True) == "over_an_original"
    (tmp_path / "same").symlink_to(originals, target_is_directory=True)
    assert refused([originals], tmp_path / "same", overwrite=True) == "over_an_original"


def test_two_files_may_not_become_one(originals: Path, tmp_path: Path) -> None:
    other = tmp_path / "a.png"
    other.write_bytes(WITHOUT)
    assert refused([originals / "a.png", other], tmp_path / "out") == "same_target"


def test_what_is_there_already_is_replaced_only_on_demand(originals: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    blurred(plan_files([originals], out))
    assert refused([originals], out) == "target_exists"
    (out / "a.png").write_bytes(WITH_FACE)
    blurred(plan_files([originals], out, overwrite=True))
    assert faces_in(out / "a.png") == []


def test_a_source_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refused([tmp_path / "nothing.jpg"], tmp_path / "out") == "no_such_file"


def test_an_older_result_of_a_photo_that_is_not_released_now_is_removed(
    originals: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "trip").mkdir(parents=True)
    (out / "trip" / "broken.jpg").write_bytes(WITH_FACE)
    blurred(plan_files([originals], out, overwrite=True))
    assert not (out / "trip" / "broken.jpg").exists()


def test_a_file_over_the_limit_is_not_read_whole_and_not_released(
    originals: Path, tmp_path: Path
) -> None:
    (result,) = blurred(plan_files([originals / "a.png"], tmp_path / "out"), max_bytes=10)
    assert result.error["code"] == "file_too_large"
    assert not (tmp_path / "out").exists()


def test_a_darkroom_that_gives_up_leaves_nothing_and_the_others_go_on(
    originals: Path, tmp_path: Path
) -> None:
    (originals / "wide.png").write_bytes(file_of(picture(501, 50)))
    out = tmp_path / "out"
    results = {r.source.name: r for r in blurred(plan_files([originals], out))}
    assert results["wide.png"].error["code"] == "cancelled"
    assert results["a.png"].outcome is Outcome.RELEASED
    assert not (out / "wide.png").exists()


def test_a_file_that_cannot_be_read_or_written_is_told_and_the_others_go_on(
    originals: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    plan = plan_files([originals], out)
    (originals / "a.png").unlink()
    out.mkdir()
    (out / "trip").write_text("a file where a folder should be")
    results = {r.source.name: r for r in blurred(plan)}
    assert results["a.png"].error["code"] == "file_error"
    assert results["b.png"].error["code"] == "file_error"
    assert "b.png" in results["b.png"].error["why"] or "trip" in results["b.png"].error["why"]


def test_no_half_written_file_stays(originals: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    blurred(plan_files([originals], out))
    assert not [p for p in out.rglob("*") if p.name.endswith(".part")]
