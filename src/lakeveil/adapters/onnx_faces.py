"""FaceDetector over ONNX Runtime on the CPU: YuNet and CenterFace, weights verified at start."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from lakeveil.adapters import model_store
from lakeveil.core.faces import Detections, Face
from lakeveil.core.geometry import Box, Turn
from lakeveil.core.photos import Preset
from lakeveil.errors import DetectorFailed, SetupError
from lakeveil.pixels.finding import centerface, yunet
from lakeveil.pixels.finding.around import find_faces_around
from lakeveil.pixels.finding.candidates import Array
from lakeveil.pixels.finding.detect import find_faces
from lakeveil.pixels.finding.landmarks import with_exact_landmarks
from lakeveil.pixels.finding.looks import Look, Networks, Plan, Seen
from lakeveil.pixels.finding.onnx_graph import with_free_dims
from lakeveil.pixels.finding.orientation import PROBE, likely_turns
from lakeveil.pixels.finding.presets import PLANS
from lakeveil.pixels.finding.scaling import Pyramid

_ERRORS_ONLY = 3


def open_detector(preset: Preset | str, models_dir: Path, *, threads: int = 1) -> OnnxFaces:
    """Verify the weights in `models_dir` and make a detector ready to look.

    Args:
        preset: `fast`, `default` or `thorough`.
        models_dir: where `lakeveil models install` put the weights.
        threads: of each network run. More shorten a single photo and lower the throughput.

    Raises:
        SetupError: a network is missing, altered, or ONNX Runtime cannot load it.
    """
    weights = model_store.load(models_dir)
    preset = Preset(preset)
    return OnnxFaces(
        preset=preset,
        plan=PLANS[preset],
        yunet_session=_session(weights.yunet, yunet.FREE_DIMS, threads),
        centerface_session=_session(weights.centerface, centerface.FREE_DIMS, threads),
        weights_sha256=weights.sha256,
    )


def fingerprint(plan: Plan, weights_sha256: str) -> str:
    """SHA-256 (hex) over the weights and how they are used."""
    configuration = json.dumps(asdict(plan), sort_keys=True)
    return hashlib.sha256(f"{weights_sha256} {configuration}".encode()).hexdigest()


class OnnxFaces:
    """The bundled detector. Thread-safe: runs share the sessions and nothing else."""

    def __init__(
        self,
        *,
        preset: Preset,
        plan: Plan,
        yunet_session: onnxruntime.InferenceSession,
        centerface_session: onnxruntime.InferenceSession,
        weights_sha256: str,
    ) -> None:
        self.name = f"lakeveil/{preset}"
        self.plan = plan
        self._yunet = yunet_session
        self._centerface = centerface_session
        self._exact_landmarks = False
        self.fingerprint = fingerprint(plan, weights_sha256)

    def measuring(self) -> OnnxFaces:
        """The same detector, which also places landmarks exactly: some 7 ms more for each face.

        For `face_details`; a redaction needs none of it. Both share the loaded networks.
        """
        other = copy.copy(self)
        other._exact_landmarks = True  # noqa: SLF001 - of our own kind
        return other

    def networks(self) -> Networks:
        """The networks themselves, for measuring and calibrating."""
        return self._run()

    def detect(
        self,
        photo: NDArray[np.uint8],
        *,
        min_confidence: float | None,
        probe_orientation: bool = False,
    ) -> Detections:
        """Look at a whole frame: (height, width, 3) uint8 sRGB, upright, any size.

        `timings_ms` tells what the networks took (`yunet`, `centerface`) and the whole (`detect`).

        Raises:
            DetectorFailed: it could not look at all of it.
        """
        started = time.perf_counter()
        _check(photo)
        networks, frame = self._run(), Pyramid(photo)
        turns: tuple[Turn, ...] = (0,)
        taken: dict[Look, Seen] = {}
        if probe_orientation:
            probed = likely_turns(frame, networks)
            turns, taken = probed.turns, {PROBE: probed.seen}
        least = self._least(min_confidence)
        faces = find_faces(frame, networks, self.plan, least=least, turns=turns, taken=taken)
        if self._exact_landmarks:
            faces = with_exact_landmarks(photo, networks, faces)
        height, width = photo.shape[:2]
        networks.timings_ms["detect"] = (time.perf_counter() - started) * 1e3
        return Detections(
            width=width,
            height=height,
            faces=faces,
            detector=self.name,
            fingerprint=self.fingerprint,
            timings_ms={name: round(ms, 2) for name, ms in networks.timings_ms.items()},
        )

    def look_again(
        self, photo: NDArray[np.uint8], regions: Sequence[Box], *, min_confidence: float | None
    ) -> tuple[Face, ...]:
        """Faces found on crops around `regions` only: the cheap check after a redaction.

        Raises:
            DetectorFailed: it could not look at one of them.
        """
        _check(photo)
        return find_faces_around(
            photo,
            regions,
            self._run(),
            self.plan,
            least=self._least(min_confidence),
        )

    def _run(self) -> _Run:
        return _Run(self._yunet, self._centerface)

    def _least(self, min_confidence: float | None) -> float:
        return self.plan.min_confidence if min_confidence is None else min_confidence


class _Run:
    """The networks for one call; keeps what they took."""

    def __init__(
        self,
        yunet_session: onnxruntime.InferenceSession,
        centerface_session: onnxruntime.InferenceSession,
    ) -> None:
        self._yunet = yunet_session
        self._centerface = centerface_session
        self.timings_ms = {"yunet": 0.0, "centerface": 0.0}

    def yunet(self, blob: Array) -> Mapping[str, Array]:
        """Run YuNet.

        Raises:
            DetectorFailed: ONNX Runtime could not.
        """
        return self._timed("yunet", self._yunet, yunet.INPUT, yunet.OUTPUTS, blob)

    def centerface(self, blob: Array) -> Mapping[str, Array]:
        """Run CenterFace.

        Raises:
            DetectorFailed: ONNX Runtime could not.
        """
        return self._timed(
            "centerface", self._centerface, centerface.INPUT, centerface.OUTPUTS, blob
        )

    def _timed(
        self,
        name: str,
        session: onnxruntime.InferenceSession,
        input_name: str,
        outputs: Sequence[str],
        blob: Array,
    ) -> Mapping[str, Array]:
        started = time.perf_counter()
        try:
            found = session.run(list(outputs), {input_name: blob})
        except Exception as error:  # ONNX Runtime's own errors share no base but Exception
            raise DetectorFailed(
                f"the {name} face detector could not run",
                why=f"{type(error).__name__}: {error}".splitlines()[0][:300],
                fix="lakeveil models check; more memory, if it ran out of it",
                code="detector_failed",
            ) from error
        finally:
            self.timings_ms[name] += (time.perf_counter() - started) * 1e3
        return dict(zip(outputs, found, strict=True))


def _session(
    model: bytes, free_dims: Mapping[str, Mapping[int, str]], threads: int
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Every photo has a size of its own: planned memory would pile up a pattern for each, and an
    # arena that doubles would keep twice what the biggest tile needs.
    options.enable_mem_pattern = False
    provider = ("CPUExecutionProvider", {"arena_extend_strategy": "kSameAsRequested"})
    try:
        return onnxruntime.InferenceSession(
            with_free_dims(model, free_dims), options, providers=[provider]
        )
    except SetupError:
        raise
    except Exception as error:  # ONNX Runtime's own errors share no base but Exception
        raise SetupError(
            "ONNX Runtime cannot load a face detector",
            why=str(error).splitlines()[0][:300],
            fix="reinstall the pinned versions: pip install -r requirements/runtime.txt",
            code="model_not_loadable",
        ) from error


def _check(photo: NDArray[np.uint8]) -> None:
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8 or photo.size == 0:  # noqa: PLR2004 - height, width, RGB
        raise DetectorFailed(
            "the face detector was given something that is no photo",
            why=f"it has shape {photo.shape} and type {photo.dtype}, not (height, width, 3) uint8",
            code="detector_input",
        )
