"""Blur photos in this very process: what one worker does with each, without server or isolation.

python -m bench.blur_in_process PRESET OUT PHOTO ...
"""

from __future__ import annotations

import sys
from pathlib import Path

from lakeveil.adapters.model_store import default_directory
from lakeveil.adapters.onnx_faces import open_detector
from lakeveil.core.photos import Instructions, RedactionPolicy
from lakeveil.flows.develop_photo import develop
from lakeveil.pixels.files.limits import Limits


def main() -> None:
    preset, out, *photos = sys.argv[1:]
    detector = open_detector(preset, default_directory())
    policy = RedactionPolicy(min_confidence=None)
    for photo in map(Path, photos):
        rendition = develop(
            photo.read_bytes(),
            policy=policy,
            instructions=Instructions(approved=True),
            detector=detector,
            limits=Limits(),
        )
        (Path(out) / photo.name).write_bytes(rendition.data)


if __name__ == "__main__":
    main()
