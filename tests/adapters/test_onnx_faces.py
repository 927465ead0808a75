from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lakeveil.adapters import model_store
from lakeveil.adapters.onnx_faces import open_detector
from lakeveil.core.photos import Preset
from lakeveil.errors import DetectorFailed, SetupError
from tests.real_faces import Pixels, bundled, upright

_PEAK = """
import sys
from pathlib import Path
import numpy as np
from lakeveil.adapters.onnx_faces import open_detector
detector = open_detector(sys.argv[1], Path(sys.argv[2]))
noise = np.random.default_rng(1).integers(0, 60, (500, 750, 3), np.uint8)
photo = np.tile(noise, (8, 8, 1))  # 24 megapixels
photo[:, ::97] = 200
detector.detect(photo, min_confidence=None)
# Not ru_maxrss: a child inherits its parent's.
status = Path("/proc/self/status").read_text()
print(int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


def test_a_detector_does_not_open_without_its_weights(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="not installed"):
        open_detector(Preset.DEFAULT, tmp_path)


def test_a_detector_does_not_open_with_altered_weights(tmp_path: Path) -> None:
    shutil.copytree(model_store.default_directory(), tmp_path, dirs_exist_ok=True)
    path = tmp_path / model_store.SOURCES[1].file_name
    path.write_bytes(path.read_bytes() + b"\x00")
    with pytest.raises(SetupError, match="altered"):
        open_detector(Preset.FAST, tmp_path)


def test_presets_have_fingerprints_of_their_own() -> None:
    prints = {bundled(preset).fingerprint for preset in ("fast", "default", "thorough")}
    assert len(prints) == 3
    again = open_detector("default", model_store.default_directory())
    assert again.fingerprint == bundled().fingerprint


def test_detections_say_who_looked_and_how_long_it_took() -> None:
    found = bundled().detect(upright("group.jpg"), min_confidence=None)
    assert (found.width, found.height) == (500, 347)
    assert found.detector == "lakeveil/default"
    assert found.fingerprint == bundled().fingerprint
    assert set(found.timings_ms) == {"yunet", "centerface", "detect"}
    assert found.timings_ms["detect"] >= found.timings_ms["yunet"] > 0


def test_the_fast_preset_runs_yunet_alone() -> None:
    found = bundled("fast").detect(upright("group.jpg"), min_confidence=None)
    assert found.timings_ms["centerface"] == 0
    assert {face.network for face in found.faces} == {"yunet"}


@pytest.mark.parametrize(
    "photo",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((0, 10, 3), np.uint8),
    ],
)
def test_what_is_no_photo_is_not_looked_at(photo: Pixels) -> None:
    with pytest.raises(DetectorFailed, match="no photo"):
        bundled().detect(photo, min_confidence=None)
    with pytest.raises(DetectorFailed, match="no photo"):
        bundled().look_again(photo, [], min_confidence=None)


def test_a_network_that_cannot_run_fails_the_look() -> None:
    with pytest.raises(DetectorFailed, match="could not run") as failure:
        # Not a multiple of 32: ONNX Runtime itself refuses.
        bundled().networks().centerface(np.zeros((1, 3, 50, 50), np.float32))
    assert failure.value.code == "detector_failed"


def test_many_threads_get_the_answers_of_one() -> None:
    names = ["group.jpg", "portrait.jpg", "no-face.jpg", "thumbnail.jpg"] * 2
    alone = [bundled().detect(upright(n), min_confidence=None).faces for n in names]
    with ThreadPoolExecutor(4) as threads:
        together = list(
            threads.map(lambda n: bundled().detect(upright(n), min_confidence=None).faces, names)
        )
    assert [[f.box for f in faces] for faces in together] == [
        [f.box for f in faces] for faces in alone
    ]


def test_measuring_changes_landmarks_and_nothing_else() -> None:
    photo = upright("group.jpg")
    plain = bundled().detect(photo, min_confidence=0.5)
    exact = bundled().measuring().detect(photo, min_confidence=0.5)
    assert exact.fingerprint == plain.fingerprint
    assert [(f.box, f.confidence) for f in exact.faces] == [
        (f.box, f.confidence) for f in plain.faces
    ]
    assert [f.landmarks for f in exact.faces] != [f.landmarks for f in plain.faces]
    # The detector that was asked to measure is another one: this one stays as it was.
    assert bundled().detect(photo, min_confidence=0.5).faces == plain.faces


@pytest.mark.parametrize("preset", ["default", "thorough"])
def test_memory_stays_bounded_on_a_photo_of_24_megapixels(preset: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, preset, str(model_store.default_directory())],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 500  # MiB, the interpreter and the photo's 69 MiB included
