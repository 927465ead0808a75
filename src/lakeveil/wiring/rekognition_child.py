"""The process of `darkroom_child`, for policies that ask Amazon Rekognition to look.

It speaks to the service itself, so unlike its sibling it is given keys: where decoded photos and
keys to more than DetectFaces must not meet, use the bundled detector.
"""

from __future__ import annotations

import sys

from lakeveil.adapters.darkroom import RoomSetup, serve_room
from lakeveil.adapters.rekognition_faces import open_rekognition
from lakeveil.core.photos import Instructions, RedactionPolicy
from lakeveil.flows.develop_photo import develop
from lakeveil.flows.examine_photo import examine
from lakeveil.pixels.examination import Examination
from lakeveil.pixels.rendition import Rendition
from lakeveil.wiring.darkroom_child import BundledRoom


class RekognitionRoom:
    """Develops with Rekognition where the policy says so, else with the bundled detectors."""

    def __init__(self, setup: RoomSetup, *, region: str) -> None:
        """Load the bundled detectors that `setup.presets` names.

        Raises:
            SetupError: their weights are missing or altered.
        """
        self._setup = setup
        self._bundled = BundledRoom(setup)
        self._rekognition = open_rekognition(region=region)

    def develop(
        self, data: bytes, *, policy: RedactionPolicy, instructions: Instructions
    ) -> Rendition:
        """See `lakeveil.flows.develop_photo`."""
        if policy.detector != "rekognition":
            return self._bundled.develop(data, policy=policy, instructions=instructions)
        return develop(
            data,
            policy=policy,
            instructions=instructions,
            detector=self._rekognition,
            limits=self._setup.limits,
        )

    def examine(self, data: bytes, *, policy: RedactionPolicy) -> Examination:
        """See `lakeveil.flows.examine_photo`."""
        if policy.detector != "rekognition":
            return self._bundled.examine(data, policy=policy)
        return examine(data, policy=policy, detector=self._rekognition, limits=self._setup.limits)


if __name__ == "__main__":
    serve_room(lambda setup: RekognitionRoom(setup, region=sys.argv[1]))
