"""Photos of any size with faces of any size: demo photos, enlarged onto a quiet ground."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

PHOTOS = Path(__file__).resolve().parent.parent / "demo" / "photos"
ASPECT = 4 / 3


def jpeg(megapixels: float, *, seed: int = 0) -> bytes:
    """A JPEG of about so many megapixels with eleven faces, each size seen in real photos."""
    height = round((megapixels * 1e6 / ASPECT) ** 0.5)
    width = round(height * ASPECT)
    with Image.open(PHOTOS / "no-face.jpg") as ground:
        photo = ground.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    with Image.open(PHOTOS / "group.jpg") as group, Image.open(PHOTOS / "portrait.jpg") as one:
        people, portrait = group.convert("RGB"), one.convert("RGB")
    shift = (seed % 7) * width // 200
    for share, place in ((0.32, (0.05, 0.08)), (0.45, (0.45, 0.05))):
        _paste(photo, people, share, (place[0] * width + shift, place[1] * height))
    _paste(photo, portrait, 0.3, (0.1 * width + shift, 0.5 * height))
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=88)
    return out.getvalue()


def _paste(photo: Image.Image, part: Image.Image, share: float, place: tuple[float, float]) -> None:
    width = round(photo.width * share)
    size = (width, round(part.height * width / part.width))
    photo.paste(part.resize(size, Image.Resampling.BICUBIC), (round(place[0]), round(place[1])))
