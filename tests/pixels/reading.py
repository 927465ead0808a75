"""Reading a file the way the photo path does."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from lakeveil.errors import BadPhoto
from lakeveil.pixels.files.decode import Frame, decode
from lakeveil.pixels.files.encode import copied
from lakeveil.pixels.files.limits import Limits, inspect
from lakeveil.pixels.files.metadata import clean

Damage = dict[str, tuple[str, Callable[[], bytes]]]
"""name -> (the code that `inspect` refuses it with, generator)."""


def refusal(data: bytes) -> tuple[BadPhoto, int]:
    """Why a file is refused before decoding, and the bytes of memory that it took to say so."""
    tracemalloc.start()
    try:
        with pytest.raises(BadPhoto) as caught:
            inspect(data, Limits())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return caught.value, peak


def frames(data: bytes) -> list[Frame]:
    return list(decode(data, inspect(data, Limits())).frames())


def same_after_cleaning_and_copying(data: bytes, *, cleaned_exactly: bool = True) -> list[Frame]:
    """The frames, which a cleaned file and one encoded anew must have as well."""
    header = inspect(data, Limits())
    before = frames(data)
    cleaned = frames(clean(data, header, ()))
    decoded = decode(data, header)
    anew = frames(copied(decoded).data)
    for one, other, third in zip(before, cleaned, anew, strict=True):
        if cleaned_exactly:
            assert np.array_equal(one.layers, other.layers)
        assert one.pixels.shape == other.pixels.shape == third.pixels.shape
    return before


def check_refused(data: bytes, code: str) -> None:
    """`inspect` refuses it, with this code."""
    with pytest.raises(BadPhoto) as caught:
        inspect(data, Limits())
    assert caught.value.code == code
