"""The darkroom as the settings want it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from lakeveil.adapters.darkroom import DarkroomSpec, IsolatedDarkroom, RoomSetup
from lakeveil.core.photos import RedactionPolicy
from lakeveil.pixels.files.limits import Limits
from lakeveil.settings import PhotoLimits, Settings

REKOGNITION_ENV = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CA_BUNDLE",
    "AWS_ENDPOINT_URL_REKOGNITION",
    "HOME",
)
"""Where boto3 finds keys. They reach a child only if a policy has Rekognition asked, and nothing
else of our environment does: where decoded photos and keys to more than DetectFaces must not
meet, use the bundled detectors."""


def open_darkroom(
    settings: Settings,
    *,
    policies: Iterable[RedactionPolicy] | None = None,
    environ: Mapping[str, str] = MappingProxyType({}),
) -> IsolatedDarkroom:
    """Start the darkroom; close it, or use it as a context manager.

    policies: what will be asked for, by default those of the collections. Their detectors are
    loaded at once; another preset of the bundled ones is loaded when a photo asks for it.
    environ: holds the keys to Amazon Rekognition, should one of the policies have it asked.

    Raises:
        SetupError: the weights are missing or altered, or a child does not start.
    """
    if policies is None:
        policies = [c.policy for c in settings.photo_collections()]
    return IsolatedDarkroom(darkroom_spec(settings, policies, environ))


def darkroom_spec(
    settings: Settings, policies: Iterable[RedactionPolicy], environ: Mapping[str, str]
) -> DarkroomSpec:
    """What the settings say about the darkroom's children."""
    policies = list(policies)
    remote = any(p.detector == "rekognition" for p in policies)
    return DarkroomSpec(
        module="lakeveil.wiring.darkroom_child",
        setup=RoomSetup(
            models_dir=str(settings.models_path.absolute()),
            memory_bytes=settings.worker.memory_size_mib * 2**20,
            limits=photo_limits(settings.limits),
            detector_threads=settings.worker.detector_threads,
            presets=tuple(sorted({p.preset for p in policies if p.detector == "bundled"})),
            rekognition_region=settings.store.region if remote else "",
        ),
        timeout_s=settings.worker.timeout_s,
        env={n: environ[n] for n in REKOGNITION_ENV if n in environ} if remote else {},
    )


def detector_fingerprint(settings: Settings, policy: RedactionPolicy) -> str:
    """The fingerprint that the bundled detector's releases carry under a policy.

    Raises:
        SetupError: the weights are missing or altered.
    """
    # ONNX Runtime takes a while to import: not for whoever only wants a darkroom.
    from lakeveil.adapters.model_store import load  # noqa: PLC0415
    from lakeveil.adapters.onnx_faces import fingerprint  # noqa: PLC0415
    from lakeveil.pixels.finding.presets import PLANS  # noqa: PLC0415

    return fingerprint(PLANS[policy.preset], load(settings.models_path).sha256)


def photo_limits(limits: PhotoLimits) -> Limits:
    """The settings' limits as the pixel code takes them."""
    return Limits(
        max_bytes=limits.max_bytes,
        max_frame_pixels=limits.max_frame_pixels,
        max_frames=limits.max_frames,
        max_total_pixels=limits.max_total_pixels,
    )
