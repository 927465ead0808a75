"""A darkroom child for tests: magenta squares are faces, and some photos are disasters.

What goes wrong is decided by a photo's width, so that the photo after it is a normal one.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from lakeveil.adapters.darkroom import RoomSetup, serve_room
from lakeveil.core.faces import Detections
from lakeveil.core.photos import Instructions, RedactionPolicy
from lakeveil.errors import SetupError
from lakeveil.flows.develop_photo import develop
from lakeveil.flows.examine_photo import examine
from lakeveil.pixels.examination import Examination
from lakeveil.pixels.rendition import Rendition
from tests.planted_faces import MagentaFaces, Pixels

HANGS, RAISES, KILLED, KILLED_ONCE, SEGFAULTS, TOO_MUCH, ENVIRONMENT, PRINTS = range(201, 209)


class Disasters(MagentaFaces):
    """Does to the process what a photo's width says."""

    def __init__(self, scratch: Path) -> None:
        super().__init__()
        self.scratch = scratch

    def detect(
        self, photo: Pixels, *, min_confidence: float | None, probe_orientation: bool = False
    ) -> Detections:
        match photo.shape[1]:
            case 201:
                time.sleep(3600)
            case 202:
                raise ValueError("the network has no such layer")
            case 203:
                os.kill(os.getpid(), signal.SIGKILL)
            case 204:
                marker = self.scratch / "killed"
                if not marker.exists():
                    marker.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
            case 205:
                ctypes.string_at(0)
            case 206:
                np.zeros((2**33,), np.uint8)
            case 207:
                (self.scratch / "environment").write_text("\n".join(sorted(os.environ)))
            case 208:
                sys.stdout.write("a library says hello\n")
                sys.stdout.flush()
                os.write(1, b"so does another\n")
            case _:
                pass
        return super().detect(
            photo, min_confidence=min_confidence, probe_orientation=probe_orientation
        )


class PlantedRoom:
    """Develops with the detector above."""

    def __init__(self, setup: RoomSetup) -> None:
        self.setup = setup
        self.detector = Disasters(Path(sys.argv[1]))
        # Appears while a test runs: models that went missing under a running worker.
        if (self.detector.scratch / "no-models").exists():
            raise SetupError("the planted face detector is not installed", fix="install it")

    def develop(
        self, data: bytes, *, policy: RedactionPolicy, instructions: Instructions
    ) -> Rendition:
        """As the real one."""
        return develop(
            data,
            policy=policy,
            instructions=instructions,
            detector=self.detector,
            limits=self.setup.limits,
        )

    def examine(self, data: bytes, *, policy: RedactionPolicy) -> Examination:
        """As the real one."""
        return examine(data, policy=policy, detector=self.detector, limits=self.setup.limits)


if __name__ == "__main__":
    serve_room(PlantedRoom)
