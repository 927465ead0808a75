"""What the two networks' raw answers mean."""

from __future__ import annotations

import numpy as np
import pytest

from lakeveil.errors import DetectorFailed
from lakeveil.pixels.finding import centerface, yunet
from lakeveil.pixels.finding.candidates import Array


def yunet_silence(height: int, width: int) -> dict[str, Array]:
    values = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
    return {
        f"{kind}_{stride}": np.zeros((1, height * width // stride**2, count), np.float32)
        for kind, count in values.items()
        for stride in (8, 16, 32)
    }


def centerface_silence(height: int, width: int) -> dict[str, Array]:
    values = {"537": 1, "538": 2, "539": 2, "540": 10}
    return {
        name: np.zeros((1, count, height // 4, width // 4), np.float32)
        for name, count in values.items()
    }


def test_silence_means_no_face() -> None:
    assert len(yunet.decoded(yunet_silence(64, 96), (1, 3, 64, 96), least=0.3)) == 0
    assert len(centerface.decoded(centerface_silence(64, 96), (1, 3, 64, 96), least=0.3)) == 0


def test_yunet_answers_in_cells_of_its_stride() -> None:
    outputs = yunet_silence(64, 96)
    cell = 2 * (96 // 16) + 3  # row 2, column 3 at stride 16
    outputs["cls_16"][0, cell] = 0.9
    outputs["obj_16"][0, cell] = 0.4
    outputs["bbox_16"][0, cell] = [0.5, 0.25, np.log(2), np.log(1)]
    outputs["kps_16"][0, cell] = [0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1]
    found = yunet.decoded(outputs, (1, 3, 64, 96), least=0.3)
    assert found.boxes.tolist() == [pytest.approx([40, 28, 72, 44], abs=1e-4)]
    assert found.scores.tolist() == pytest.approx([0.6])
    assert found.landmarks[0].tolist() == [[48, 32], [64, 32], [56, 40], [48, 48], [64, 48]]


def test_centerface_answers_height_first() -> None:
    outputs = centerface_silence(64, 96)
    outputs["537"][0, 0, 5, 7] = 0.8
    outputs["538"][0, :, 5, 7] = [np.log(4), np.log(2)]
    outputs["539"][0, :, 5, 7] = [0.5, 0.0]
    outputs["540"][0, :, 5, 7] = [0.25, 0.5] * 5
    found = centerface.decoded(outputs, (1, 3, 64, 96), least=0.3)
    assert found.boxes.tolist() == [pytest.approx([26, 16, 34, 32], abs=1e-4)]
    assert found.landmarks[0, 0].tolist() == pytest.approx([30, 20])


@pytest.mark.parametrize("name", yunet.OUTPUTS)
def test_nothing_that_is_no_number_passes_as_no_face_in_yunet(name: str) -> None:
    outputs = yunet_silence(64, 64)
    outputs[name][0, -1, -1] = np.nan
    with pytest.raises(DetectorFailed):
        yunet.decoded(outputs, (1, 3, 64, 64), least=0.3)


@pytest.mark.parametrize("name", centerface.OUTPUTS)
def test_nothing_that_is_no_number_passes_as_no_face_in_centerface(name: str) -> None:
    outputs = centerface_silence(64, 64)
    outputs[name][0, 0, -1, -1] = np.nan
    with pytest.raises(DetectorFailed):
        centerface.decoded(outputs, (1, 3, 64, 64), least=0.3)


def test_a_face_of_infinite_size_is_nonsense() -> None:
    outputs = centerface_silence(64, 64)
    outputs["537"][0, 0, 3, 3] = 0.9
    outputs["538"][0, :, 3, 3] = 500
    with np.errstate(over="ignore"), pytest.raises(DetectorFailed):
        centerface.decoded(outputs, (1, 3, 64, 64), least=0.3)


def test_blobs_are_padded_to_what_the_networks_can_take() -> None:
    photo = np.full((50, 70, 3), 200, np.uint8)
    photo[:, :, 0] = 10
    assert yunet.blob(photo).shape == centerface.blob(photo).shape == (1, 3, 64, 96)
    assert yunet.blob(photo)[0, :, 0, 0].tolist() == [200, 200, 10]
    assert centerface.blob(photo)[0, :, 0, 0].tolist() == [10, 200, 200]
    assert yunet.blob(photo)[0, :, 50:].max() == 0
