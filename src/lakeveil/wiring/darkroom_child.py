"""The process in which photos are decoded, looked at and redacted. Run by the darkroom alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lakeveil.adapters.darkroom import RoomSetup, serve_room
from lakeveil.core.photos import Instructions, Preset, RedactionPolicy
from lakeveil.errors import DetectorFailed
from lakeveil.flows.develop_photo import develop
from lakeveil.flows.examine_photo import examine
from lakeveil.pixels.examination import Examination
from lakeveil.pixels.rendition import Rendition
from lakeveil.ports import FaceDetector

if TYPE_CHECKING:
    from lakeveil.adapters.onnx_faces import OnnxFaces


class PolicyRoom:
    """Develops with the detector that a policy wants, each loaded once."""

    def __init__(self, setup: RoomSetup) -> None:
        """Load what `setup.presets` names.

        Raises:
            SetupError: the weights are missing or altered.
        """
        self._setup = setup
        self._bundled: dict[Preset, OnnxFaces] = {}
        self._rekognition: FaceDetector | None = None
        for preset in setup.presets:
            self._load(RedactionPolicy(preset=preset))

    def develop(
        self, data: bytes, *, policy: RedactionPolicy, instructions: Instructions
    ) -> Rendition:
        """See `lakeveil.flows.develop_photo`."""
        return develop(
            data,
            policy=policy,
            instructions=instructions,
            detector=self._detector(policy),
            limits=self._setup.limits,
        )

    def examine(self, data: bytes, *, policy: RedactionPolicy) -> Examination:
        """See `lakeveil.flows.examine_photo`."""
        return examine(
            data,
            policy=policy,
            detector=self._detector(policy, measuring=True),
            limits=self._setup.limits,
        )

    def _detector(self, policy: RedactionPolicy, *, measuring: bool = False) -> FaceDetector:
        if policy.detector == "rekognition":
            return self._remote()
        bundled = self._load(policy)
        return bundled.measuring() if measuring else bundled

    def _load(self, policy: RedactionPolicy) -> OnnxFaces:
        if policy.preset not in self._bundled:
            # Neither ONNX Runtime nor boto3 is imported where the other one looks.
            from lakeveil.adapters.onnx_faces import open_detector  # noqa: PLC0415

            self._bundled[policy.preset] = open_detector(
                policy.preset, Path(self._setup.models_dir), threads=self._setup.detector_threads
            )
        return self._bundled[policy.preset]

    def _remote(self) -> FaceDetector:
        if self._rekognition is None:
            if not self._setup.rekognition_region:
                raise DetectorFailed(
                    "Amazon Rekognition cannot be asked from here",
                    why="this process was started for policies that do not want it",
                    fix='set detector = "rekognition" in the policy of a collection',
                )
            from lakeveil.adapters.rekognition_faces import open_rekognition  # noqa: PLC0415

            self._rekognition = open_rekognition(region=self._setup.rekognition_region)
        return self._rekognition


if __name__ == "__main__":
    serve_room(PolicyRoom)
