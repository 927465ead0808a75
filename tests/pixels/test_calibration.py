from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.core.photos import Preset
from lakeveil.pixels.finding.candidates import Array
from lakeveil.pixels.finding.presets import PLANS

scores = st.floats(0.1, 1)
sides = st.floats(4, 2000)


def one(value: float) -> Array:
    return np.array([value], np.float32)


@pytest.mark.parametrize("preset", list(Preset))
@given(yunet=scores, more=scores, centerface=scores, side=sides)
def test_a_higher_score_of_either_network_never_lowers_confidence(
    preset: Preset, yunet: float, more: float, centerface: float, side: float
) -> None:
    model = PLANS[preset].calibration
    low, high = sorted((yunet, more))
    by_yunet = [float(model.first(one(s), one(centerface), one(side))[0]) for s in (low, high)]
    by_centerface = [float(model.first(one(yunet), one(s), one(side))[0]) for s in (low, high)]
    closer = [
        float(model.second(one(yunet), one(centerface), one(s), one(side))[0]) for s in (low, high)
    ]
    for first, second in (by_yunet, by_centerface, closer):
        assert 0 < first <= second < 1


@pytest.mark.parametrize("preset", [Preset.DEFAULT, Preset.THOROUGH])
@given(score=st.floats(0.3, 1), side=sides)
def test_two_networks_are_surer_than_either_alone(
    preset: Preset, score: float, side: float
) -> None:
    model = PLANS[preset].calibration
    both = model.first(one(score), one(score), one(side))
    assert both >= model.first(one(score), one(0), one(side))
    assert both >= model.first(one(0), one(score), one(side))


@pytest.mark.parametrize("preset", list(Preset))
def test_a_large_face_is_not_held_against_itself(preset: Preset) -> None:
    model = PLANS[preset].calibration
    large, larger = (model.first(one(0.6), one(0.4), one(side)) for side in (60, 2000))
    assert large == larger
