"""Whatever bytes arrive, the answer is a picture or `BadPhoto`: never any other error."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lakeveil.errors import BadPhoto
from lakeveil.pixels.files.decode import decode
from lakeveil.pixels.files.limits import Limits, inspect
from lakeveil.pixels.files.metadata import clean
from lakeveil.pixels.files.refusals import REFUSALS
from tests.pixels.bad_files import BAD, UNDECODABLE
from tests.pixels.good_files import FILES
from tests.pixels.planted import PLANTED, SECRET
from tests.sizes import tried

# Small enough that what slips through decodes in no time.
LIMITS = Limits(max_frame_pixels=100_000, max_total_pixels=400_000, max_frames=20)
MAGIC = [
    b"\xff\xd8\xff\xdb",
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR",
    b"RIFF\x40\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00",
    b"RIFF\x40\x00\x00\x00WEBPVP8L",
    b"GIF89a\x04\x00\x04\x00\x80\x00\x00",
    b"II*\x00\x08\x00\x00\x00",
    b"MM\x00*\x00\x00\x00\x08",
    b"II+\x00\x08\x00\x00\x00",
    b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00mif1avif",
    b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic",
]
SEEDS = [*FILES, *(f"planted {name}" for name in PLANTED)]


@cache
def seed(name: str) -> bytes:
    made = PLANTED[name.removeprefix("planted ")] if name.startswith("planted") else FILES[name]
    return made()


def _explained(refusal: BadPhoto) -> bool:
    assert refusal.code in REFUSALS
    assert refusal.why
    return False


def looked_at(data: bytes) -> bool:
    """Do all that is ever done with a file; whether it was accepted."""
    try:
        header = inspect(data, LIMITS)
        frames = list(decode(data, header).frames())
        cleaned = clean(data, header, ("camera", "dates", "exposure", "gps"))
    except BadPhoto as refusal:
        return _explained(refusal)
    assert len(frames) == header.frames
    # What was looked at is what is released: the same file to whoever opens it next.
    assert inspect(cleaned, LIMITS).frames == header.frames
    return True


@settings(max_examples=300, deadline=None)
@given(start=st.sampled_from([b"", *MAGIC]), rest=st.binary(max_size=400))
def test_arbitrary_bytes_are_refused_or_looked_at(start: bytes, rest: bytes) -> None:
    looked_at(start + rest)


@settings(
    max_examples=tried(300, every=800),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    name=st.sampled_from(SEEDS),
    edits=st.lists(
        st.tuples(
            st.sampled_from(["flip", "cut", "insert", "repeat", "zero"]),
            st.floats(0, 1, allow_nan=False),
            st.binary(min_size=1, max_size=6),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_damaged_files_are_refused_or_looked_at(
    name: str, edits: list[tuple[str, float, bytes]]
) -> None:
    data = seed(name)
    for kind, where, extra in edits:
        at = int(where * len(data))
        match kind:
            case "flip":
                changed = bytes(a ^ b for a, b in zip(data[at:], extra, strict=False))
                data = data[:at] + changed + data[at + len(changed) :]
            case "cut":
                data = data[:at] + data[at + 8 * len(extra) :]
            case "insert":
                data = data[:at] + extra + data[at:]
            case "repeat":
                data = data[:at] + data[at : at + 64 * len(extra)] + data[at:]
            case _:
                data = data[:at] + bytes(len(extra)) + data[at + len(extra) :]
    looked_at(data)


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(SEEDS), share=st.floats(0, 1, allow_nan=False))
@example(name="jpeg", share=0.999)
def test_a_file_cut_short_is_refused_or_was_cut_behind_its_picture(name: str, share: float) -> None:
    whole = seed(name)
    data = whole[: min(int(share * len(whole)), len(whole) - 1)]
    if looked_at(data):
        # Only what is no part of the picture was cut: tails of planted files, or a TIFF's gaps.
        assert SECRET in whole or name.startswith("tiff")


@pytest.mark.parametrize("name", [*BAD, *UNDECODABLE])
def test_no_bad_file_is_ever_cleaned_or_decoded(name: str) -> None:
    _, made = {**BAD, **UNDECODABLE}[name]
    assert not looked_at(made())


@pytest.mark.slow
@settings(max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from(SEEDS), where=st.floats(0, 1), extra=st.binary(min_size=1, max_size=4))
def test_many_damaged_files_are_refused_or_looked_at(name: str, where: float, extra: bytes) -> None:
    data = seed(name)
    at = int(where * len(data))
    looked_at(data[:at] + extra + data[at + len(extra) :])
