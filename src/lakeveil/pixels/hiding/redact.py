"""Hides the faces of a frame. The only maker of a `RedactedFrame`; it demands `Detections`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lakeveil.core.faces import Detections, Face
from lakeveil.core.geometry import Box
from lakeveil.core.photos import Instructions, RedactionPolicy, Style
from lakeveil.pixels.hiding.mask import Mask, covered_share, mask_of
from lakeveil.pixels.hiding.styles import blur, fill, pixelate
from lakeveil.pixels.hiding.veil import Veils, lay_veil, tint_of
from lakeveil.pixels.rendition import RedactedFrame

HARDER_MARGIN = 0.25
"""Growth per side, at least, of what a first redaction did not hide."""
HIDDEN_SHARE = 0.8
"""Of a box found after the redaction: so much of it under what holds no face, and none is left."""
FEATURES_SHARE = 0.5
"""The same, where eyes, nose and mouth are all under it."""


def redact(
    pixels: NDArray[np.uint8],
    detections: Detections,
    policy: RedactionPolicy,
    instructions: Instructions,
    *,
    also: Sequence[Box] = (),
    harder: Sequence[Face] = (),
) -> RedactedFrame:
    """Cover every detected face, every box of `instructions.hide` and every box of `also`.

    pixels: (height, width, channels) uint8, upright; grey, grey + alpha, RGB or RGBA. It is left
    as it is; pixels outside the masks are the same in the result.
    also: places to hide as they are, such as the faces of a neighbouring frame.
    harder: faces that an earlier redaction of this frame left visible. A blur over one becomes a
        veil; what that does not cover is hidden further out, by what is not made of the face (a
        veil without tint, or the fill if that is the policy's style).

    A veil's tint is taken for detected faces and for `hide` boxes; `also` and `harder` add none.

    Raises:
        ValueError: the detections are those of a frame of another size.
    """
    every = covers(detections, policy, instructions, also=also, harder=harder)
    return hide_under(every, pixels, detections, policy)


def hide_under(
    every: Sequence[Cover],
    pixels: NDArray[np.uint8],
    detections: Detections,
    policy: RedactionPolicy,
    *,
    veils: Veils | None = None,
) -> RedactedFrame:
    """`redact` with covers that are known: those of `covers` for the same detections.

    veils: those of earlier redactions of the same `pixels`, so that none is made twice.

    Raises:
        ValueError: the detections are those of a frame of another size.
    """
    height, width = pixels.shape[:2]
    if (detections.width, detections.height) != (width, height):
        raise ValueError(
            f"detections of {detections.width} x {detections.height} pixels "
            f"are no look at a frame of {width} x {height}"
        )
    redacted = pixels.copy() if every else pixels
    _apply(redacted, pixels, policy, every, {} if veils is None else veils)
    return RedactedFrame(
        pixels=redacted, detections=detections, regions=tuple(c.region for c in every)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """One place to hide: its mask, its clipped box, and how."""

    mask: Mask
    region: Box
    style: Style
    tint_from: Box | None = None
    """Where a veil takes its tint from, on the frame; None: no tint."""


def covers(
    detections: Detections,
    policy: RedactionPolicy,
    instructions: Instructions,
    *,
    also: Sequence[Box] = (),
    harder: Sequence[Face] = (),
) -> list[Cover]:
    """What `redact` hides with the same arguments, in order; places off the frame are left out."""
    width, height = detections.width, detections.height
    stronger = Style.FILL if policy.style is Style.FILL else Style.VEIL
    # A face's mean colour is that of its own box; the margin would mix the surroundings in.
    places: list[tuple[Box, Box | None, Style]] = [
        *(
            (f.box.padded(policy.margin), f.box, policy.style)
            for f in hidden(detections.faces, instructions)
        ),
        *((box, box, policy.style) for box in instructions.hide),
        *((box, None, policy.style) for box in also),
    ]
    every = [
        cover
        for box, source, style in places
        if (cover := _cover(box, style, source, policy, (width, height))) is not None
    ]
    for face in harder:
        every = [
            replace(c, style=stronger) if _same_place(c.region, face.box) else c for c in every
        ]
        if not _is_covered(face, _hiding(every)):
            grown = face.box.padded(max(HARDER_MARGIN, policy.margin))
            further = _cover(grown, stronger, None, policy, (width, height))
            every += [further] if further is not None else []
    return every


def _cover(
    box: Box, style: Style, source: Box | None, policy: RedactionPolicy, size: tuple[int, int]
) -> Cover | None:
    width, height = size
    mask, region = mask_of(box, policy.shape, width, height), box.clipped(width, height)
    if mask is None or region is None:
        return None
    tint_from = source.clipped(width, height) if source and policy.tint else None
    return Cover(mask=mask, region=region, style=style, tint_from=tint_from)


def _same_place(one: Box, other: Box) -> bool:
    """Whether half of the smaller lies in the larger."""
    return 2 * one.intersection(other) >= min(one.area, other.area)


def _hiding(every: Iterable[Cover]) -> list[Mask]:
    """The masks under which nothing of a face is left."""
    return [c.mask for c in every if c.style in {Style.VEIL, Style.FILL}]


def hidden(faces: Iterable[Face], instructions: Instructions) -> tuple[Face, ...]:
    """The faces that are not to be left alone: less than half of each lies in a `keep` box."""
    return tuple(
        f
        for f in faces
        if not any(2 * f.box.intersection(k) >= f.box.area for k in instructions.keep)
    )


def still_visible(
    found: Iterable[Face], every: Sequence[Cover], instructions: Instructions
) -> tuple[Face, ...]:
    """Of the faces `found` on a redacted frame, those that its covers did not hide.

    A veil and a fill are made of what lies outside the masks: what a detector takes for a face
    in there (a veil looks like one) tells nothing. Only a box that reaches out substantially is a
    face that was never covered, unless eyes, nose and mouth all lie in there: then it is the veil
    with the hair around it. `blur` and `pixelate` are made of the face itself: whatever is found
    in there still shows.
    """
    hiding = _hiding(every)
    return tuple(f for f in hidden(found, instructions) if not _is_covered(f, hiding))


def _is_covered(face: Face, hiding: Sequence[Mask]) -> bool:
    share = covered_share(face.box, hiding)
    if share >= HIDDEN_SHARE or face.landmarks is None:
        return share >= HIDDEN_SHARE
    marks = face.landmarks
    return share >= FEATURES_SHARE and all(
        any(mask.covers(point) for mask in hiding)
        for point in (
            marks.eye_left,
            marks.eye_right,
            marks.nose,
            marks.mouth_left,
            marks.mouth_right,
        )
    )


def _apply(
    target: NDArray[np.uint8],
    pixels: NDArray[np.uint8],
    policy: RedactionPolicy,
    every: Sequence[Cover],
    veils: Veils,
) -> None:
    for cover in every:
        match cover.style:
            case Style.VEIL:
                pass
            case Style.BLUR:
                blur(target, cover.mask, policy.blocks)
            case Style.PIXELATE:
                pixelate(target, cover.mask, policy.blocks)
            case Style.FILL:
                fill(target, cover.mask)
    # Last: where a veil covers a blur that did not hide enough, the veil is what stays.
    veiled = [c for c in every if c.style is Style.VEIL]
    tints = [tint_of(pixels, c.tint_from) if c.tint_from else None for c in veiled]
    lay_veil(target, pixels, [c.mask for c in veiled], tints, [c.mask for c in every], made=veils)
