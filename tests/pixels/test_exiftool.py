"""A second opinion: what exiftool, which knows far more metadata than we do, finds in a release.

`test_metadata.py` and `test_encode.py` check the bytes themselves and need no such tool.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lakeveil.pixels.limits import Limits, inspect
from lakeveil.pixels.metadata import clean
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


def tags(path: Path) -> dict[str, Any]:
    """Everything exiftool finds, in embedded documents and of unknown tags too."""
    done = subprocess.run(
        ["exiftool", "-json", "-a", "-u", "-U", "-ee3", "-G1", "-b", str(path)],
        capture_output=True,
        check=True,
        timeout=60,
    )
    (found,) = json.loads(done.stdout)
    return dict(found)


def check(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    found = tags(path)
    assert SECRET.decode() not in json.dumps(found)
    for name in found:
        group, _, tag = name.rpartition(":")
        group = group.split(":")[0].rstrip("0123456789")
        assert not any(image in tag for image in IMAGES), name
        assert group in GROUPS | {""}, (name, found[name])
        if group not in {"ICC_Profile", "ICC-header"}:
            assert not any(word in tag for word in PRIVATE), (name, found[name])
        if group in {"ICC_Profile", "ICC-header"} and "Copyright" in tag:
            assert found[name] == "None"
    assert not [t for t in found if "Warning" in t], found


def test_exiftool_finds_all_of_it_in_the_originals(tmp_path: Path) -> None:
    """The planted files are what the tests below claim: without that they would prove nothing."""
    path = tmp_path / "planted.bin"
    for name in ("jpeg", "tiff", "webp", "png", "avif"):
        path.write_bytes(PLANTED[name]())
        text = json.dumps(tags(path))
        assert SECRET.decode() in text, name
        assert "SerialNumber" in text, name
        assert "GPSLatitude" in text, name
    path.write_bytes(PLANTED["jpeg"]())
    assert any("Thumbnail" in tag for tag in tags(path))


@pytest.mark.parametrize("name", PLANTED)
def test_exiftool_finds_no_second_image_and_nothing_private_after_cleaning(
    name: str, tmp_path: Path
) -> None:
    data = PLANTED[name]()
    keep = ("camera", "dates", "exposure")
    check(clean(data, inspect(data, Limits()), keep), tmp_path / "cleaned.bin")


@pytest.mark.parametrize("name", PLANTED)
def test_exiftool_finds_no_second_image_and_nothing_private_in_a_redacted_release(
    name: str, tmp_path: Path
) -> None:
    result = released(PLANTED[name](), FACE, keep=("camera", "dates", "exposure"))
    check(result.data, tmp_path / "released.bin")


@pytest.mark.parametrize("name", sorted(RECODED))
def test_exiftool_finds_nothing_in_files_that_were_encoded_anew(name: str, tmp_path: Path) -> None:
    data = FILES[name]()
    check(clean(data, inspect(data, Limits()), ()), tmp_path / "anew.bin")
