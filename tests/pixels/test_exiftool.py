"""A second opinion: what exiftool, which knows far more metadata than we do, finds in a release.

`test_metadata.py` and `test_encode.py` check the bytes themselves and need no such tool.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from lakeveil.pixels.files.limits import Limits, inspect
from lakeveil.pixels.files.metadata import clean
from tests.pixels.good_files import FILES, RECODED
from tests.pixels.planted import PLANTED, SECRET
from tests.pixels.test_encode import FACE, released

pytestmark = pytest.mark.skipif(
    shutil.which("exiftool") is None,
    reason="exiftool is not installed (apt-get install libimage-exiftool-perl)",
)

# What describes the coded picture, the container and the colour space, and so may be there.
GROUPS = {
    "SourceFile", "ExifTool", "File", "System", "JFIF", "PNG", "PNG-pHYs", "RIFF", "GIF",
    "Composite", "IFD", "ExifIFD", "InteropIFD", "ICC_Profile", "ICC-header", "ICC-chrm",
    "ICC-cicp", "Adobe", "APP", "QuickTime", "Meta", "Track",
}  # fmt: skip
IMAGES = (
    "PreviewImage", "ThumbnailImage", "JpgFromRaw", "OtherImage", "MPImage",
    "ThumbnailTIFF", "MotionPhotoVideo", "EmbeddedImage", "GainMapImage", "Trailer",
    "PhotoshopThumbnail",
)  # fmt: skip
PRIVATE = (
    "Serial", "Owner", "Artist", "Copyright", "Creator", "Comment", "GPS", "MakerNote",
    "By-line", "Author", "XMP", "IPTC", "Software", "HostComputer", "Lens", "Unique",
)  # fmt: skip


KEEP = ("camera", "dates", "exposure")


def _cleaned() -> Iterator[tuple[str, bytes]]:
    for name in [*PLANTED, *sorted(RECODED)]:
        data = (PLANTED.get(name) or FILES[name])()
        yield f"cleaned {name}", clean(data, inspect(data, Limits()), KEEP)


def _redacted() -> Iterator[tuple[str, bytes]]:
    yield from (
        (f"redacted {n}", released(made(), FACE, keep=KEEP).data) for n, made in PLANTED.items()
    )


Tags = dict[str, dict[str, Any]]
"""File -> tag with its group -> value."""


def asked(files: Sequence[tuple[str, bytes]], folder: Path, *options: str) -> Tags:
    """What exiftool finds in each file."""
    paths = [folder / name for name, _ in files]
    for path, (_, data) in zip(paths, files, strict=True):
        path.write_bytes(data)
    done = subprocess.run(
        ["exiftool", "-json", "-a", "-u", "-G1", *options, *map(str, paths)],
        capture_output=True,
        check=True,
        timeout=100,
    )
    return {Path(tags["SourceFile"]).name: tags for tags in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Tags:
    """All there is in releases, in embedded documents and of unknown tags too."""
    every = [*_cleaned(), *_redacted()]
    return asked(every, tmp_path_factory.mktemp("releases"), "-U", "-ee3", "-b")


@pytest.mark.parametrize("name", ["jpeg", "tiff", "webp", "png", "avif"])
def test_exiftool_finds_all_of_it_in_the_originals(name: str, tmp_path: Path) -> None:
    """The planted files are what the tests below claim: without that they would prove nothing."""
    text = json.dumps(asked([("original", PLANTED[name]())], tmp_path))
    assert SECRET.decode() in text
    assert "SerialNumber" in text
    assert "GPSLatitude" in text
    assert name != "jpeg" or "ThumbnailImage" in text


@pytest.mark.parametrize(
    "name",
    [
        *(f"cleaned {n}" for n in [*PLANTED, *sorted(RECODED)]),
        *(f"redacted {n}" for n in PLANTED),
    ],
)
def test_exiftool_finds_no_second_image_and_nothing_private_in_a_release(
    name: str, found: Tags
) -> None:
    tags = found[name]
    assert SECRET.decode() not in json.dumps(tags)
    for full, value in tags.items():
        group, _, tag = full.rpartition(":")
        group = group.split(":")[0].rstrip("0123456789")
        assert not any(image in tag for image in IMAGES), full
        assert group in GROUPS | {""}, (full, value)
        if group not in {"ICC_Profile", "ICC-header"}:
            assert not any(word in tag for word in PRIVATE), (full, value)
        elif "Copyright" in tag:
            assert value == "None"
    assert not [t for t in tags if "Warning" in t], tags
