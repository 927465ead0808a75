"""Whether a decoder reads the last bytes of coded data: the picture changes when they do."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable

from PIL import Image

Opener = Callable[[io.BytesIO], Image.Image]
Piece = tuple[int, int]
"""Where a stretch of coded data starts and ends in its file."""
_STRIP_ROWS = 256


def all_read(data: bytes, pieces: Iterable[Piece], opener: Opener, *, last: int) -> bool:
    """Whether the picture, or its decoder's consent, changes with the `last` bytes of each piece.

    So at most `last` - 1 bytes of each piece can be something that no decoder looks at. One
    decoding for the picture, and one more for each piece.
    """
    before = _shown(data, opener)
    if before is None:
        return False
    for start, end in pieces:
        at = max(start, end - last)
        inverted = bytes(b ^ 0xFF for b in data[at:end])
        if end <= start or before == _shown(data[:at] + inverted + data[end:], opener):
            return False
    return True


def _shown(data: bytes, opener: Opener) -> bytes | None:
    """A digest of the first picture of a file; None where its decoder refuses it."""
    digest = hashlib.blake2b()
    try:
        with opener(io.BytesIO(data)) as image:
            image.load()
            digest.update(f"{image.mode}{image.size}".encode())
            for top in range(0, image.height, _STRIP_ROWS):
                box = (0, top, image.width, min(top + _STRIP_ROWS, image.height))
                digest.update(image.crop(box).tobytes())
    except (OSError, SyntaxError, ValueError, RuntimeError):
        return None
    return digest.digest()
