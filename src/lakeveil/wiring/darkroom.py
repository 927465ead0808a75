"""The darkroom as the settings want it."""

from __future__ import annotations

from collections.abc import Iterable

from lakeveil.adapters.darkroom import DarkroomSpec, IsolatedDarkroom, RoomSetup
from lakeveil.core.photos import Preset, RedactionPolicy
from lakeveil.pixels.limits import Limits
from lakeveil.settings import PhotoLimits, Settings


def open_darkroom(
    settings: Settings, *, presets: Iterable[Preset] | None = None
) -> IsolatedDarkroom:
    """Start the darkroom; close it, or use it as a context manager.

    presets: detectors to load at once, by default those of the collections. A photo may ask for
    any other: the child loads it then.

    Raises:
        SetupError: the weights are missing or altered, or a child does not start.
    """
    if presets is None:
        presets = (c.policy.preset for c in settings.photo_collections())
    return IsolatedDarkroom(darkroom_spec(settings, tuple(sorted(set(presets)))))


def darkroom_spec(settings: Settings, presets: tuple[Preset, ...]) -> DarkroomSpec:
    """What the settings say about the darkroom's children."""
    return DarkroomSpec(
        module="lakeveil.wiring.darkroom_child",
        setup=RoomSetup(
            models_dir=str(settings.models_path.absolute()),
            memory_bytes=settings.worker.memory_size_mib * 2**20,
            limits=photo_limits(settings.limits),
            detector_threads=settings.worker.detector_threads,
            presets=presets,
        ),
        timeout_s=settings.worker.timeout_s,
    )


def detector_fingerprint(settings: Settings, policy: RedactionPolicy) -> str:
    """The fingerprint that the bundled detector's releases carry under a policy.

    Raises:
        SetupError: the weights are missing or altered.
    """
    # ONNX Runtime takes a while to import: not for whoever only wants a darkroom.
    from lakeveil.adapters.model_store import load  # noqa: PLC0415
    from lakeveil.adapters.onnx_faces import fingerprint  # noqa: PLC0415
    from lakeveil.pixels.presets import PLANS  # noqa: PLC0415

    return fingerprint(PLANS[policy.preset], load(settings.models_path).sha256)


def photo_limits(limits: PhotoLimits) -> Limits:
    """The settings' limits as the pixel code takes them."""
    return Limits(
        max_bytes=limits.max_bytes,
        max_frame_pixels=limits.max_frame_pixels,
        max_frames=limits.max_frames,
        max_total_pixels=limits.max_total_pixels,
    )
