"""Photos that hang, crash or swallow memory end as refusals, and the next photo is developed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lakeveil.adapters.darkroom import DarkroomSpec, IsolatedDarkroom, RoomSetup
from lakeveil.core.geometry import Box
from lakeveil.core.photos import Instructions, RedactionPolicy
from lakeveil.errors import BadPhoto, DetectorFailed, LakeveilError, SetupError, Unavailable
from lakeveil.pixels.rendition import Rendition
from tests.adapters import planted_room
from tests.planted_faces import file_of, frames_of, magenta_areas, picture

ROOT = Path(__file__).parents[2]
FACE = Box(40, 40, 60, 60)
NORMAL = file_of(picture(120, 100, FACE))


def photo(width: int) -> bytes:
    return file_of(picture(width, 100, FACE))


def spec(scratch: Path, *, memory_mib: int = 2048, timeout_s: float = 30.0) -> DarkroomSpec:
    return DarkroomSpec(
        module="tests.adapters.planted_room",
        arguments=(str(scratch),),
        setup=RoomSetup(models_dir="", memory_bytes=memory_mib * 2**20),
        timeout_s=timeout_s,
        env={"PYTHONPATH": str(ROOT)},
    )


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("darkroom")


@pytest.fixture(scope="module")
def darkroom(scratch: Path) -> Iterator[IsolatedDarkroom]:
    with IsolatedDarkroom(spec(scratch)) as room:
        yield room


def developed(room: IsolatedDarkroom, data: bytes) -> Rendition:
    return room.develop(data, policy=RedactionPolicy(tint=False), instructions=Instructions())


def assert_works(room: IsolatedDarkroom) -> None:
    rendition = developed(room, NORMAL)
    assert rendition.redacted
    assert rendition.detections[0].faces[0].box == FACE
    assert magenta_areas(frames_of(rendition.data)[0]) == []


def refusal(room: IsolatedDarkroom, data: bytes) -> LakeveilError:
    with pytest.raises(LakeveilError) as caught:
        developed(room, data)
    return caught.value


@contextmanager
def hanging(room: IsolatedDarkroom) -> Iterator[tuple[int, list[LakeveilError]]]:
    """A thread (its identity) with a photo that hangs; what its call raised comes into the list."""
    errors: list[LakeveilError] = []

    def hang() -> None:
        errors.append(refusal(room, photo(planted_room.HANGS)))

    thread = threading.Thread(target=hang)
    before = set(room.children)
    thread.start()
    wait_until(lambda: bool(room._busy))
    assert before
    yield thread.ident or 0, errors
    thread.join(20)
    assert not thread.is_alive()


def wait_until(holds: Callable[[], bool], *, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_running(pid))


def test_a_photo_is_developed_in_a_child_that_stays_warm(darkroom: IsolatedDarkroom) -> None:
    assert_works(darkroom)
    children = darkroom.children
    assert_works(darkroom)
    assert darkroom.children == children
    assert len(children) == 1


def test_a_photo_that_takes_too_long_is_quarantined(scratch: Path) -> None:
    with IsolatedDarkroom(spec(scratch, timeout_s=1.5)) as room:
        (child,) = room.children
        error = refusal(room, photo(planted_room.HANGS))
        assert isinstance(error, BadPhoto)
        assert error.code == "timeout"
        assert "1.5 s" in error.why
        assert not is_running(child)
        assert_works(room)


def test_a_detector_that_raises_in_the_child_looked_for_no_face(darkroom: IsolatedDarkroom) -> None:
    error = refusal(darkroom, photo(planted_room.RAISES))
    assert isinstance(error, DetectorFailed)
    assert "the network has no such layer" in error.why
    assert_works(darkroom)


def test_a_photo_over_which_the_child_is_killed_twice_is_quarantined(
    darkroom: IsolatedDarkroom,
) -> None:
    error = refusal(darkroom, photo(planted_room.KILLED))
    assert isinstance(error, BadPhoto)
    assert error.code == "crashed"
    assert "SIGKILL" in error.why
    assert_works(darkroom)


def test_a_photo_over_which_the_child_was_killed_once_is_developed(
    darkroom: IsolatedDarkroom,
) -> None:
    assert developed(darkroom, photo(planted_room.KILLED_ONCE)).redacted


def test_a_child_killed_while_idle_is_replaced_unnoticed(darkroom: IsolatedDarkroom) -> None:
    assert_works(darkroom)
    for pid in darkroom.children:
        kill(pid)
    assert_works(darkroom)


def test_a_photo_that_crashes_the_decoder_is_quarantined_at_once(
    darkroom: IsolatedDarkroom,
) -> None:
    error = refusal(darkroom, photo(planted_room.SEGFAULTS))
    assert isinstance(error, BadPhoto)
    assert error.code == "crashed"
    assert "SIGSEGV" in error.why
    assert_works(darkroom)


def test_a_detector_that_asks_for_too_much_memory_is_the_photos_fault(
    darkroom: IsolatedDarkroom,
) -> None:
    error = refusal(darkroom, photo(planted_room.TOO_MUCH))
    assert isinstance(error, BadPhoto)
    assert error.code == "out_of_memory"
    assert_works(darkroom)


def test_a_photo_within_its_limits_that_needs_too_much_memory_is_quarantined(scratch: Path) -> None:
    big = file_of(np.zeros((8000, 12000, 3), np.uint8))
    with IsolatedDarkroom(spec(scratch, memory_mib=512)) as room:
        children = room.children
        error = refusal(room, big)
        assert isinstance(error, BadPhoto)
        assert error.code == "out_of_memory"
        assert_works(room)
        assert room.children != children, "a child that ran out of memory is replaced"


def test_a_bad_file_is_refused_and_the_child_stays(darkroom: IsolatedDarkroom) -> None:
    assert_works(darkroom)
    children = darkroom.children
    assert refusal(darkroom, b"no photo").code == "unknown_format"
    assert darkroom.children == children


def test_what_libraries_print_does_not_come_between(darkroom: IsolatedDarkroom) -> None:
    assert developed(darkroom, photo(planted_room.PRINTS)).redacted


def test_the_child_sees_no_secret_of_the_environment(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for decoders")
    monkeypatch.setenv("LAKEVEIL_QUEUE__URL", "nats://token@host")
    with IsolatedDarkroom(spec(scratch)) as room:
        developed(room, photo(planted_room.ENVIRONMENT))
    names = (scratch / "environment").read_text().splitlines()
    assert "PATH" in names
    assert not [n for n in names if n.startswith(("AWS_", "LAKEVEIL_"))]


def test_a_child_is_replaced_after_so_many_photos(scratch: Path) -> None:
    few = replace(spec(scratch), photos_per_child=2)
    with IsolatedDarkroom(few) as room:
        first = room.children
        assert_works(room)
        assert room.children == first
        assert_works(room)
        assert not room.children
        assert_works(room)
        assert len(room.children) == 1
        assert room.children != first


def test_each_of_several_threads_has_a_child_to_itself(scratch: Path) -> None:
    photos = [file_of(picture(100 + i, 100, Box(10 + i, 10, 30 + i, 30))) for i in range(12)]
    with IsolatedDarkroom(spec(scratch)) as room, ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda data: developed(room, data), photos))
        assert len(room.children) <= 3
    assert [r.width for r in done] == [100 + i for i in range(12)]
    assert [r.detections[0].faces[0].box.left for r in done] == [10 + i for i in range(12)]


def test_a_child_lives_on_when_the_thread_that_used_it_ends(scratch: Path) -> None:
    with IsolatedDarkroom(spec(scratch)) as room:
        thread = threading.Thread(target=assert_works, args=(room,))
        thread.start()
        thread.join()
        (child,) = room.children
        assert_works(room)
        assert room.children == (child,)


def test_work_is_stopped_from_another_thread_without_blaming_the_photo(
    darkroom: IsolatedDarkroom,
) -> None:
    assert_works(darkroom)
    with hanging(darkroom) as (thread, errors):
        darkroom.cancel(thread + 1)
        assert_works(darkroom)
        darkroom.cancel(thread)
    assert isinstance(errors[0], Unavailable)
    assert errors[0].code == "cancelled"
    assert_works(darkroom)


def test_cancelling_when_nothing_is_in_work_does_nothing(darkroom: IsolatedDarkroom) -> None:
    assert_works(darkroom)
    children = darkroom.children
    darkroom.cancel()
    assert_works(darkroom)
    assert darkroom.children == children


def test_closing_ends_work_and_every_child(scratch: Path) -> None:
    room = IsolatedDarkroom(spec(scratch))
    with hanging(room) as (_, errors):
        children = room.children
        room.close()
    assert isinstance(errors[0], Unavailable)
    assert not any(is_running(pid) for pid in children)
    assert isinstance(refusal(room, NORMAL), Unavailable)
    room.close()


def test_a_room_that_cannot_load_its_models_does_not_open(tmp_path: Path) -> None:
    (tmp_path / "no-models").touch()
    with pytest.raises(SetupError, match="planted face detector is not installed"):
        IsolatedDarkroom(spec(tmp_path))


def test_models_that_go_missing_later_are_no_fault_of_the_photo(tmp_path: Path) -> None:
    with IsolatedDarkroom(spec(tmp_path)) as room:
        (tmp_path / "no-models").touch()
        for pid in room.children:
            kill(pid)
        error = refusal(room, NORMAL)
        assert isinstance(error, Unavailable)
        assert error.code == "darkroom_unavailable"
        (tmp_path / "no-models").unlink()
        assert_works(room)


def test_a_room_whose_program_does_not_start_does_not_open() -> None:
    broken = DarkroomSpec(
        module="tests.adapters.no_such_module", setup=RoomSetup(models_dir="", memory_bytes=2**31)
    )
    with pytest.raises(SetupError, match="does not start") as caught:
        IsolatedDarkroom(broken)
    assert "no_such_module" in caught.value.why


def test_children_die_with_the_worker_that_is_killed(scratch: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from tests.adapters.test_darkroom import spec\n"
        "from lakeveil.adapters.darkroom import IsolatedDarkroom\n"
        "room = IsolatedDarkroom(spec(Path(sys.argv[1])))\n"
        "print(room.children[0], flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(scratch)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as worker:
        assert worker.stdout is not None
        child = int(worker.stdout.readline())
        assert is_running(child)
        worker.kill()
        wait_until(lambda: not is_running(child))
