from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.core.geometry import Box
from lakeveil.errors import DetectorFailed
from lakeveil.pixels.finding.candidates import (
    Array,
    Candidates,
    best_of_each,
    check_output,
    overlap_of_each,
    overlaps,
)

edges = st.tuples(
    st.integers(0, 60), st.integers(0, 60), st.integers(1, 30), st.integers(1, 30)
).map(lambda b: Box(b[0], b[1], b[0] + b[2], b[1] + b[3]))
boxes = st.lists(edges, min_size=1, max_size=150)


def array(every: list[Box]) -> Array:
    return np.array([(b.left, b.top, b.right, b.bottom) for b in every], np.float32)


@given(boxes, boxes)
def test_overlaps_are_those_of_the_boxes(one: list[Box], other: list[Box]) -> None:
    found = overlaps(array(one), array(other))
    expected = [[a.iou(b) for b in other] for a in one]
    assert np.allclose(found, expected, atol=1e-5)


@given(st.lists(st.tuples(edges, edges), min_size=1, max_size=50))
def test_the_overlap_of_each_pair_is_that_of_its_boxes(pairs: list[tuple[Box, Box]]) -> None:
    found = overlap_of_each(array([a for a, _ in pairs]), array([b for _, b in pairs]))
    assert np.allclose(found, [a.iou(b) for a, b in pairs], atol=1e-5)


@given(boxes, st.randoms(use_true_random=False))
def test_of_overlapping_boxes_only_the_best_stays(every: list[Box], random: object) -> None:
    scores = np.array([random.random() for _ in every], np.float32)  # type: ignore[attr-defined]
    kept = best_of_each(array(every), scores, 0.4).tolist()
    for i, box in enumerate(every):
        better = [k for k in kept if scores[k] >= scores[i] and k != i]
        clashes = any(every[k].iou(box) >= 0.4 + 1e-5 for k in better)
        if i in kept:
            assert not clashes
        else:
            assert any(every[k].iou(box) >= 0.4 - 1e-5 for k in better)


def test_no_boxes_are_fine() -> None:
    nothing = np.zeros((0, 4), np.float32)
    assert best_of_each(nothing, np.zeros(0, np.float32), 0.4).tolist() == []
    assert overlaps(nothing, np.ones((3, 4), np.float32)).shape == (0, 3)


def test_mapping_back_undoes_the_cut_and_the_scale() -> None:
    found = Candidates(
        np.array([[10, 20, 30, 40]], np.float32),
        np.array([0.5], np.float32),
        np.full((1, 5, 2), 20, np.float32),
    ).mapped(0.5, left=100, top=200)
    assert found.boxes.tolist() == [[120, 240, 160, 280]]
    assert found.landmarks[0, 0].tolist() == [140, 240]
    assert found.sides.tolist() == [40]


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (np.zeros((1, 4, 2), np.float32), "shape"),
        (np.full((1, 4, 1), np.nan, np.float32), "not a number"),
        (np.full((1, 4, 1), np.inf, np.float32), "not a number"),
        (np.full((1, 4, 1), 1.5, np.float32), "outside 0 to 1"),
        (np.full((1, 4, 1), -0.5, np.float32), "outside 0 to 1"),
    ],
)
def test_an_answer_that_cannot_be_is_no_answer(output: Array, why: str) -> None:
    with pytest.raises(DetectorFailed) as refusal:
        check_output({"cls_8": output}, "cls_8", (1, 4, 1), score=True)
    assert why in refusal.value.why


def test_a_missing_answer_is_no_answer() -> None:
    with pytest.raises(DetectorFailed, match="cannot be right"):
        check_output({}, "cls_8", (1, 4, 1), score=True)
