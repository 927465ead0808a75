"""Collections of photos: where they come from, where releases go, and how faces are hidden."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Self

from lakeveil.core.geometry import Box
from lakeveil.errors import UsageError


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One object, or one exact version of it."""

    bucket: str
    key: str
    version: str | None = None

    def __str__(self) -> str:
        suffix = f" (version {self.version})" if self.version else ""
        return f"s3://{self.bucket}/{self.key}{suffix}"


class Style(StrEnum):
    """How a face is hidden; see docs/concepts.md for what each one gives away."""

    VEIL = "veil"
    BLUR = "blur"
    PIXELATE = "pixelate"
    FILL = "fill"


class Shape(StrEnum):
    """The outline of a redaction; an ellipse covers the whole box (it circumscribes it)."""

    BOX = "box"
    ELLIPSE = "ellipse"


class Preset(StrEnum):
    """Which detector configuration looks: more passes find more small faces and cost more."""

    FAST = "fast"
    DEFAULT = "default"
    THOROUGH = "thorough"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionPolicy:
    """How the faces of one collection are found and hidden.

    `margin` grows each side of a found box by that fraction of its own size. `blocks` bounds how
    many blocks across `blur` and `pixelate` keep (8 at most). `min_confidence` is the calibrated
    probability (0 to 1) from which something counts as a face; None takes the preset's own.
    `keep_metadata` names the whitelisted groups that survive: `orientation` and `icc` always do.
    """

    style: Style = Style.VEIL
    shape: Shape = Shape.ELLIPSE
    margin: float = 0.2
    tint: bool = True
    blocks: int = 8
    detector: str = "bundled"
    """`bundled`, or `rekognition` for the AWS service."""
    preset: Preset = Preset.DEFAULT
    min_confidence: float | None = None
    probe_orientation: bool = True
    keep_metadata: tuple[str, ...] = ("dates", "exposure", "camera")

    def __post_init__(self) -> None:
        if not 0 <= self.margin <= 2:  # noqa: PLR2004 - twice its own size is all of a portrait
            raise _bad("margin", self.margin, "a fraction of the face's size from 0 to 2")
        if not 1 <= self.blocks <= 8:  # noqa: PLR2004 - more blocks let recognisers succeed
            raise _bad("blocks", self.blocks, "a number of blocks from 1 to 8")
        if self.min_confidence is not None and not 0 < self.min_confidence < 1:
            raise _bad("min_confidence", self.min_confidence, "a probability between 0 and 1")
        if self.detector not in {"bundled", "rekognition"}:
            raise _bad("detector", self.detector, "`bundled` or `rekognition`")
        unknown = set(self.keep_metadata) - {"dates", "exposure", "camera", "gps"}
        if unknown:
            raise _bad("keep_metadata", sorted(unknown), "among dates, exposure, camera, gps")

    @property
    def version(self) -> str:
        """12 hex digits that change with any field: part of a release's identity."""
        canonical = json.dumps(asdict(self), sort_keys=True, default=str)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """What a reviewer said about one photo: extra boxes to hide, boxes to leave alone.

    Boxes are on the upright photo. A detected face is left alone when at least half of it lies
    in a `keep` box. `revision` counts a photo's instructions, so each makes a new release.
    `etag` is the content that was looked at: over other content under the same key, nothing but
    the revision counts.
    """

    hide: tuple[Box, ...] = ()
    keep: tuple[Box, ...] = ()
    approved: bool = False
    """A reviewer looked at the photo and takes responsibility for what detection cannot settle."""
    withdrawn: bool = False
    """A reviewer took the release back: nothing is released until another one says so."""
    revision: int = 0
    etag: str = ""

    def for_content(self, etag: str) -> Self:
        """These instructions if they were given for this content, else empty ones."""
        return self if etag == self.etag else type(self)(revision=self.revision)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A source of photos, the bucket its releases go to under the same key, and the policy."""

    name: str
    source_bucket: str
    release_bucket: str
    source_prefix: str = ""
    policy: RedactionPolicy = field(default_factory=RedactionPolicy)
    review_share: float = 0.02
    """The random share (0 to 1) of releases that is offered for human review."""

    def holds(self, bucket: str, key: str) -> bool:
        """Whether an object is one of this collection's originals.

        A key that ends in a slash is what S3 consoles put down as a folder: no photo.
        """
        return (
            bucket == self.source_bucket
            and key.startswith(self.source_prefix)
            and not key.endswith("/")
        )

    def with_policy(self, **changes: object) -> Self:
        """The same collection under a changed policy."""
        return replace(self, policy=replace(self.policy, **changes))  # type: ignore[arg-type]


def check_collections(collections: tuple[Collection, ...]) -> None:
    """Refuse collections that would feed themselves or fight over an object.

    Raises:
        UsageError: two collections share a name, overlap in their sources, or a release lands
            where a collection takes its originals from (each release would be redacted again,
            or an original published).
    """
    for i, one in enumerate(collections):
        for other in collections[i + 1 :]:
            if one.name == other.name:
                raise UsageError(
                    f"two collections are named `{one.name}`",
                    why="a name stands for one source and one policy",
                    fix="rename one of them in lakeveil.toml",
                )
            if one.source_bucket == other.source_bucket and _overlap(
                one.source_prefix, other.source_prefix
            ):
                raise UsageError(
                    f"collections `{one.name}` and `{other.name}` overlap in their source",
                    why=f"both take photos from s3://{one.source_bucket}/",
                    fix="give them prefixes of which none begins with the other",
                )
            if one.release_bucket == other.release_bucket and _overlap(
                one.source_prefix, other.source_prefix
            ):
                raise UsageError(
                    f"collections `{one.name}` and `{other.name}` release the same keys",
                    why=f"both release into s3://{one.release_bucket}/ under the original's key",
                    fix="give one of them a release bucket of its own",
                )
    for one in collections:
        for other in collections:
            # A release keeps its original's key, so it lies under the original's prefix.
            if one.release_bucket == other.source_bucket and _overlap(
                one.source_prefix, other.source_prefix
            ):
                raise UsageError(
                    f"collection `{one.name}` releases into the source of `{other.name}`",
                    why=f"s3://{other.source_bucket}/{other.source_prefix} would feed itself",
                    fix="release into a bucket that no collection reads from",
                )


def _overlap(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _bad(name: str, value: object, expected: str) -> UsageError:
    return UsageError(
        f"`{name}` is `{value}`", why=f"it must be {expected}", fix=f"change `{name}`"
    )
