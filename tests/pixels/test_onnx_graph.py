from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from lakeveil.adapters import model_store
from lakeveil.errors import SetupError
from lakeveil.pixels.finding import centerface, yunet
from lakeveil.pixels.finding.onnx_graph import with_free_dims


@pytest.fixture(scope="module")
def models() -> model_store.Models:
    return model_store.load(model_store.default_directory())


@pytest.mark.parametrize("size", [(320, 320), (64, 160)])
def test_a_network_made_for_one_size_takes_any(
    models: model_store.Models, size: tuple[int, int]
) -> None:
    session = onnxruntime.InferenceSession(
        with_free_dims(models.yunet, yunet.FREE_DIMS), providers=["CPUExecutionProvider"]
    )
    (cls, *_) = session.run(["cls_8"], {yunet.INPUT: np.zeros((1, 3, *size), np.float32)})
    assert cls.shape == (1, size[0] * size[1] // 64, 1)


def test_freeing_the_sizes_changes_no_answer(models: model_store.Models) -> None:
    blob = np.random.default_rng(1).uniform(0, 255, (1, 3, 640, 640)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    as_shipped, freed = (
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run(
            list(yunet.OUTPUTS), {yunet.INPUT: blob}
        )
        for model in (models.yunet, with_free_dims(models.yunet, yunet.FREE_DIMS))
    )
    for before, after in zip(as_shipped, freed, strict=True):
        assert np.allclose(before, after, atol=1e-4)


def test_weights_are_no_inputs_any_more(models: model_store.Models) -> None:
    session = onnxruntime.InferenceSession(
        with_free_dims(models.centerface, centerface.FREE_DIMS), providers=["CPUExecutionProvider"]
    )
    assert [i.name for i in session.get_inputs()] == [centerface.INPUT]


def test_a_network_without_the_expected_tensor_is_refused(models: model_store.Models) -> None:
    with pytest.raises(SetupError) as refusal:
        with_free_dims(models.yunet, {"picture": {2: "height"}})
    assert "picture" in refusal.value.why


def test_a_tensor_without_the_expected_axis_is_refused(models: model_store.Models) -> None:
    with pytest.raises(SetupError, match="cannot be read"):
        with_free_dims(models.yunet, {"input": {7: "height"}})


@pytest.mark.parametrize("damage", [b"", b"\xff\xff\xff\xff", b"\x3a\xff\x01abc", b"\x0b"])
def test_a_damaged_file_is_refused(damage: bytes) -> None:
    with pytest.raises(SetupError, match="cannot be read"):
        with_free_dims(damage, yunet.FREE_DIMS)
