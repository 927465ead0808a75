"""The bundled detectors, opened once, and the photos with real faces they are tried on."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lakeveil.adapters.model_store import default_directory
from lakeveil.adapters.onnx_faces import OnnxFaces, open_detector

PHOTOS = Path(__file__).parent / "photos"
Pixels = NDArray[np.uint8]


@cache
def bundled(preset: str = "default") -> OnnxFaces:
    """The detector; `lakeveil models install` must have run."""
    return open_detector(preset, default_directory())


@cache
def upright(name: str) -> Pixels:
    """A test photo as its EXIF orientation wants it: (height, width, 3) uint8, read-only."""
    with Image.open(PHOTOS / name) as image:
        pixels = np.array(ImageOps.exif_transpose(image).convert("RGB"))
    pixels.flags.writeable = False
    return pixels


def on_canvas(photo: Pixels, width: int, height: int, left: int, top: int) -> Pixels:
    """The photo on a grey canvas of another size."""
    canvas = np.full((height, width, 3), 128, np.uint8)
    canvas[top : top + photo.shape[0], left : left + photo.shape[1]] = photo
    return canvas
