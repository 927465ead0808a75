"""Looks: one pass of one network over a whole frame, scaled or in tiles, and what it proposes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from lakeveil.pixels.finding import centerface, yunet
from lakeveil.pixels.finding.calibration import Calibration
from lakeveil.pixels.finding.candidates import Array, Candidates, best_of_each, joined
from lakeveil.pixels.finding.scaling import Photo, Pyramid
from lakeveil.pixels.finding.tiles import tiles

Network = Literal["yunet", "centerface"]

TILE: Mapping[Network, int] = {"yunet": 704, "centerface": 960}
"""Pixels a side. What fits into a processor's cache takes YuNet a quarter less for each pixel;
CenterFace gains nothing by it."""
WHOLE = 1280
"""A frame of at most so many pixels a side is not cut: seams cost more than they save."""
TILE_OVERLAP = 96
"""A face larger than that is found by the smaller looks too, wherever tiles cut it."""
MOST_ENLARGED = 2.5
"""No photo is enlarged further: it would cost more and show no more."""
COARSEST = 10
"""YuNet finds faces of 10 to 300 pixels: looks further apart than a factor of ten leave gaps."""
SAME_PROPOSAL = 0.4
"""IoU from which two boxes of one network, in two tiles, are one proposal."""


class Networks(Protocol):
    """Runs the networks: a blob (n, 3, h, w) float32 in, outputs by name out.

    Raises `DetectorFailed` when it cannot.
    """

    def yunet(self, blob: Array) -> Mapping[str, Array]:
        """See `lakeveil.pixels.finding.yunet`."""
        ...

    def centerface(self, blob: Array) -> Mapping[str, Array]:
        """See `lakeveil.pixels.finding.centerface`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One pass of a network over the whole frame.

    `long_side` is what the frame's longer side is scaled to. With `native` it is a minimum: a
    larger frame is looked at pixel for pixel, in tiles. Proposals below `least` (raw score) are
    dropped.
    """

    network: Network
    long_side: int
    least: float
    native: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A preset: its looks, what they are worth, and from which confidence something is a face."""

    looks: tuple[Look, ...]
    calibration: Calibration
    min_confidence: float
    undecided: tuple[float, float] | None = None
    """Between these confidences CenterFace looks again at a crop; None: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one look proposed, on the frame."""

    network: Network
    candidates: Candidates
    sides_in_look: Array
    """(n,): the longer side of each box in pixels of the look, before it was mapped back."""


def take_look(frame: Pyramid, networks: Networks, look: Look) -> Seen:
    """All proposals of one pass, on the frame as given.

    Raises:
        DetectorFailed: the network could not run or gave no sane answer.
    """
    longest = frame.longest
    if look.native and longest >= look.long_side:
        found = _tiled(frame.photo, networks, look)
        return Seen(network=look.network, candidates=found, sides_in_look=found.sides)
    target = look.long_side if look.native else min(look.long_side, longest)
    scaled, scale = frame.at(min(target, round(longest * MOST_ENLARGED)))
    found = propose(scaled, networks, look.network, look.least)
    return Seen(network=look.network, candidates=found.mapped(scale), sides_in_look=found.sides)


def propose(photo: Photo, networks: Networks, network: Network, least: float) -> Candidates:
    """Run one network over one image as it is.

    Raises:
        DetectorFailed: the network could not run or gave no sane answer.
    """
    if network == "yunet":
        blob = yunet.blob(photo)
        return yunet.decoded(networks.yunet(blob), blob.shape, least=least)
    blob = centerface.blob(photo)
    return centerface.decoded(networks.centerface(blob), blob.shape, least=least)


def distinct(looks: Sequence[Look], longest: int) -> list[Look]:
    """The looks that differ on a frame of this size, and one more where they leave a gap."""
    result: list[Look] = []
    for look in looks:
        as_it_is = look.native and longest > look.long_side
        effective = replace(look, long_side=longest) if as_it_is else look
        if effective not in result:
            result.append(effective)
    for network in {look.network for look in looks if look.native}:
        coarse = [k for k in result if k.network == network and not k.native]
        if coarse and longest > COARSEST * coarse[0].long_side:
            result.append(replace(coarse[0], long_side=longest // 4))
    return result


def _tiled(photo: Photo, networks: Networks, look: Look) -> Candidates:
    height, width = photo.shape[:2]
    if look.network == "yunet" and max(height, width) <= WHOLE:
        return propose(photo, networks, look.network, look.least)
    parts = []
    for tile in tiles(width, height, most=TILE[look.network], overlap=TILE_OVERLAP):
        part = photo[tile.top : tile.bottom, tile.left : tile.right]
        found = propose(part, networks, look.network, look.least)
        parts.append(found.mapped(1.0, tile.left, tile.top))
    every = joined(parts)
    return every.where(best_of_each(every.boxes, every.scores, SAME_PROPOSAL))
