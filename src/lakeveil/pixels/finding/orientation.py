"""Which way is up, for files that do not say: a small look in each of the four quarter turns.

Both networks know upright faces: on a photo that lies on its side they find a quarter of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lakeveil.core.geometry import Turn
from lakeveil.pixels.finding.looks import Look, Networks, Seen, take_look
from lakeveil.pixels.finding.scaling import Pyramid

PROBE = Look(network="yunet", long_side=512, least=0.1)
"""Equal to the coarse look of every plan, so that its look at the photo as given is not lost."""
PROBE_CLOSER = replace(PROBE, long_side=1280)
"""Where the small look sees nothing at all: a big photo of small faces."""
SURE = 0.5
CLEARLY_MORE = 1.25
"""Looking in a second turn doubles the cost: more must speak for it than one doubtful face."""
TURNS: tuple[Turn, ...] = (0, 1, 2, 3)


@dataclass(frozen=True, slots=True)
class Probed:
    """The turns to look in, and the `PROBE` look at the frame as given."""

    turns: tuple[Turn, ...]
    seen: Seen


def likely_turns(frame: Pyramid, networks: Networks) -> Probed:
    """The turns to look in: as given, and the one in which most is seen if that is another.

    A turn `t` means `numpy.rot90(photo, t)` is upright. Looking as given too costs time and
    never a face.

    Raises:
        DetectorFailed: a network could not run.
    """
    seen, as_given = _seen(frame, networks, PROBE)
    if max(seen) == 0 and frame.longest > PROBE_CLOSER.long_side:
        seen, _ = _seen(frame, networks, PROBE_CLOSER)
    best = TURNS[int(np.argmax(seen))]
    return Probed((0,) if seen[best] <= CLEARLY_MORE * seen[0] else (0, best), as_given)


def _seen(frame: Pyramid, networks: Networks, probe: Look) -> tuple[list[float], Seen]:
    """The scores of all faces seen, added up, for each of `TURNS`; the look as given."""
    as_given = take_look(frame, networks, probe)
    small, _ = frame.at(min(probe.long_side, frame.longest))
    turned = (take_look(Pyramid(np.rot90(small, turn)), networks, probe) for turn in TURNS[1:])
    scores = [look.candidates.scores for look in (as_given, *turned)]
    return [float(s[s >= SURE].sum()) for s in scores], as_given
