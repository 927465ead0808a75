"""The process in which photos are decoded, looked at and redacted. Run by the darkroom alone."""

from __future__ import annotations

from pathlib import Path

from lakeveil.adapters.darkroom import RoomSetup, serve_room
from lakeveil.adapters.onnx_faces import open_detector
from lakeveil.core.photos import Instructions, Preset, RedactionPolicy
from lakeveil.flows.develop_photo import develop
from lakeveil.flows.examine_photo import examine
from lakeveil.pixels.examination import Examination
from lakeveil.pixels.rendition import Rendition
from lakeveil.ports import FaceDetector


class BundledRoom:
    """Develops with the bundled detectors, each loaded once."""

    def __init__(self, setup: RoomSetup) -> None:
        """Load what `setup.presets` names.

        Raises:
            SetupError: the weights are missing or altered.
        """
        self._setup = setup
        self._detectors: dict[Preset, FaceDetector] = {}
        for preset in setup.presets:
            self._detector(preset)

    def develop(
        self, data: bytes, *, policy: RedactionPolicy, instructions: Instructions
    ) -> Rendition:
        """See `lakeveil.flows.develop_photo`."""
        return develop(
            data,
            policy=policy,
            instructions=instructions,
            detector=self._detector(policy.preset),
            limits=self._setup.limits,
        )

    def examine(self, data: bytes, *, policy: RedactionPolicy) -> Examination:
        """See `lakeveil.flows.examine_photo`."""
        return examine(
            data,
            policy=policy,
            detector=self._detector(policy.preset),
            limits=self._setup.limits,
        )

    def _detector(self, preset: Preset) -> FaceDetector:
        if preset not in self._detectors:
            self._detectors[preset] = open_detector(
                preset, Path(self._setup.models_dir), threads=self._setup.detector_threads
            )
        return self._detectors[preset]


if __name__ == "__main__":
    serve_room(BundledRoom)
