"""Counts of every process, added up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lakeveil.adapters.metrics import Gauge, Meter
from lakeveil.core.faces import Detections, Face
from lakeveil.core.geometry import Box
from lakeveil.core.outcomes import Outcome, PhotoRecord

COUNT = """\
import sys
from pathlib import Path
from lakeveil.adapters.metrics import shared_meter
meter = shared_meter(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    meter.retried()
    meter.request(door="web", operation="/healthz", code="200", seconds=0.02)
print("counted", flush=True)
if len(sys.argv) > 3:
    sys.stdin.read()
"""
RENDER = """\
import sys
from pathlib import Path
from lakeveil.adapters.metrics import shared_meter
print(shared_meter(Path(sys.argv[1])).render().decode())
"""


def run(program: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    ).stdout


def record(**changes: object) -> PhotoRecord:
    plain: dict[str, object] = {
        "collection": "photos",
        "bucket": "photos",
        "key": "a.jpg",
        "version": None,
        "etag": "e",
        "sequencer": "",
        "outcome": Outcome.RELEASED,
    }
    return PhotoRecord(**{**plain, **changes})  # type: ignore[arg-type]


def test_photos_are_counted_by_outcome_and_reason() -> None:
    meter = Meter()
    meter.photo(record())
    meter.photo(record(outcome=Outcome.QUARANTINED, reason_code="truncated"))

    page = meter.render().decode().splitlines()
    released = 'lakeveil_photos_total{collection="photos",outcome="released",reason=""} 1.0'
    assert released in page
    assert (
        'lakeveil_photos_total{collection="photos",outcome="quarantined",reason="truncated"} 1.0'
        in page
    )


def test_stages_detections_and_faces_are_counted() -> None:
    meter = Meter()
    face = Face(box=Box(0, 0, 9, 9), confidence=0.9, network="yunet")
    meter.photo(
        record(timings_ms={"detect": 150.0}, detector="lakeveil/default", frames=3, faces=(face,))
    )
    meter.looked(
        Detections(width=9, height=9, faces=(face,), detector="lakeveil/fast", fingerprint="0")
    )

    page = meter.render().decode().splitlines()
    assert 'lakeveil_photo_stage_seconds_sum{stage="detect"} 0.15' in page
    assert 'lakeveil_detections_total{detector="lakeveil/default"} 3.0' in page
    assert 'lakeveil_detections_total{detector="lakeveil/fast"} 1.0' in page
    assert 'lakeveil_faces_total{network="yunet"} 2.0' in page


def test_retries_dead_letters_and_gauges_are_shown() -> None:
    meter = Meter()
    meter.retried()
    meter.buried()

    page = meter.render([Gauge("lakeveil_queue_depth", "Waiting.", {(): 7.0})]).decode()
    for line in (
        "lakeveil_retries_total 1.0",
        "lakeveil_messages_buried_total 1.0",
        "lakeveil_queue_depth 7.0",
    ):
        assert line in page.splitlines()


def test_processes_one_after_the_other_and_side_by_side_are_added_up(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    for _ in range(3):
        run(COUNT, home, "2")
    with subprocess.Popen(
        [sys.executable, "-c", COUNT, home, "5", "stay"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as beside:
        assert beside.stdout is not None
        assert beside.stdout.readline() == "counted\n"
        run(COUNT, home, "10")
        page = run(RENDER, home)
        beside.communicate()

    assert "lakeveil_retries_total 21.0" in page
    assert 'lakeveil_http_request_seconds_count{door="web",operation="/healthz"} 21.0' in page
    assert 'code="200",door="web",operation="/healthz"} 21.0' in page


def test_a_process_killed_and_started_again_loses_no_count_and_leaves_no_litter(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    for _ in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", COUNT, str(home), "3", "stay"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.kill()

    assert "lakeveil_retries_total 12.0" in run(RENDER, str(home))
    assert len(list((home / "metrics").iterdir())) <= 4


@pytest.mark.parametrize("damage", [b"", b"\xff" * 4096, b"\x00\x10\x00\x00\x00\x00\x00\x00junk"])
def test_counts_torn_by_a_power_cut_stop_nobody(tmp_path: Path, damage: bytes) -> None:
    home = tmp_path / "home"
    run(COUNT, str(home), "3")
    for path in (home / "metrics").glob("*.db"):
        path.write_bytes(damage)
    run(COUNT, str(home), "1")

    assert "lakeveil_retries_total 1.0" in run(RENDER, str(home))


def test_the_directory_is_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    run(COUNT, str(home), "1")

    assert (home / "metrics").stat().st_mode & 0o777 == 0o700
