"""Which way is up, for files that do not say: a small look in each of the four quarter turns.

Both networks know upright faces: on a photo that lies on its side they find a quarter of them.
"""

from __future__ import annotations

import numpy as np

from lakeveil.core.geometry import Turn
from lakeveil.pixels.detect import Look, Networks, take_look
from lakeveil.pixels.scaling import Photo, resized

PROBE = 512
PROBE_CLOSER = 1280
"""Where the small look sees nothing at all: a big photo of small faces."""
SURE = 0.5
CLEARLY_MORE = 1.25
"""Looking in a second turn doubles the cost: more must speak for it than one doubtful face."""
TURNS: tuple[Turn, ...] = (0, 1, 2, 3)


def likely_turns(photo: Photo, networks: Networks) -> tuple[Turn, ...]:
    """The turns to look in: as given, and the one in which most is seen if that is another.

    A turn `t` means `numpy.rot90(photo, t)` is upright. Looking as given too costs time and
    never a face.

    Raises:
        DetectorFailed: a network could not run.
    """
    seen = _seen(photo, networks, PROBE)
    if max(seen) == 0 and max(photo.shape[:2]) > PROBE_CLOSER:
        seen = _seen(photo, networks, PROBE_CLOSER)
    best = TURNS[int(np.argmax(seen))]
    return (0,) if seen[best] <= CLEARLY_MORE * seen[0] else (0, best)


def _seen(photo: Photo, networks: Networks, long_side: int) -> list[float]:
    """The scores of all faces seen, added up, for each of `TURNS`."""
    small, _ = resized(photo, min(long_side, max(photo.shape[:2])))
    look = Look(network="yunet", long_side=max(small.shape[:2]), least=SURE)
    looks = (take_look(np.rot90(small, turn), networks, look) for turn in TURNS)
    return [float(look.candidates.scores.sum()) for look in looks]
