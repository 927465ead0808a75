"""The page on formats says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from lakeveil.core.photos import RedactionPolicy
from lakeveil.pixels.files.limits import Limits
from lakeveil.pixels.files.refusals import REFUSALS
from lakeveil.pixels.files.sniff import Format

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "formats.md"


def test_every_reason_to_refuse_a_file_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for code, (what, fix) in REFUSALS.items():
        assert f"| `{code}` | {what} | {fix} |" in page


def test_every_format_is_described() -> None:
    names = set(re.findall(r"^\| (\w+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert {f.value for f in Format} <= {n.lower() for n in names}


def test_the_defaults_are_those_of_the_code() -> None:
    page, limits = PAGE.read_text(encoding="utf-8"), Limits()
    assert f"| bytes of a file | {limits.max_bytes // 2**20} MiB |" in page
    assert f"| pixels of a frame | {limits.max_frame_pixels // 10**6} million |" in page
    assert f"| frames | {limits.max_frames} |" in page
    assert f"| frames times pixels | {limits.max_total_pixels // 10**6} million |" in page
    assert f"| scans of a JPEG | {limits.max_jpeg_scans}, " in page
    groups = re.findall(r"^\| `(\w+)` \| (yes|no) \|", page, re.MULTILINE)
    assert {g for g, kept in groups if kept == "yes"} == set(RedactionPolicy().keep_metadata)
    assert {g for g, _ in groups} == {"dates", "exposure", "camera", "gps"}
