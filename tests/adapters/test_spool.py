"""The spool keeps what it was given, once, whatever happens to its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from lakeveil.adapters.spool import KEEP_PUBLISHED_NS, EventSpool
from lakeveil.errors import SetupError
from lakeveil.ports import SpooledEvent


def event(number: int, *, at_ns: int | None = None) -> SpooledEvent:
    return SpooledEvent(id=f"photos/{number}.jpg:1", body=b"%d" % number, at_ns=at_ns or number)


def test_events_wait_in_order_until_they_are_published(tmp_path: Path) -> None:
    with closing(EventSpool(tmp_path / "spool.db")) as spool:
        assert spool.append([event(2), event(1)], position_ns=2) == 2
        assert [e.body for e in spool.waiting(10)] == [b"2", b"1"]
        spool.published([event(2).id])
        assert [e.body for e in spool.waiting(10)] == [b"1"]


def test_a_replay_brings_nothing_twice_even_after_publishing(tmp_path: Path) -> None:
    with closing(EventSpool(tmp_path / "spool.db")) as spool:
        spool.append([event(1), event(2)], position_ns=2)
        spool.published([event(1).id, event(2).id])
        assert spool.append([event(1), event(2), event(3)], position_ns=3) == 1
        assert [e.body for e in spool.waiting(10)] == [b"3"]


def test_the_position_never_goes_back_and_survives_the_process(tmp_path: Path) -> None:
    with closing(EventSpool(tmp_path / "spool.db")) as spool:
        assert spool.position_ns() is None
        spool.append([event(1)], position_ns=50)
        spool.append([event(2)], position_ns=20)
    with closing(EventSpool(tmp_path / "spool.db")) as spool:
        assert spool.position_ns() == 50
        assert len(spool.waiting(10)) == 2


def test_what_was_published_long_ago_is_forgotten_and_what_waits_is_not(tmp_path: Path) -> None:
    late = 2 * KEEP_PUBLISHED_NS
    with closing(EventSpool(tmp_path / "spool.db")) as spool:
        spool.append([event(1), event(2)], position_ns=2)
        spool.published([event(1).id])
        spool.append([event(3, at_ns=late)], position_ns=late)
        spool.published([event(3).id])
        # Number 1 is unknown again, numbers 2 and 3 are not.
        assert spool.append([event(1), event(2), event(3)], position_ns=late) == 1


def test_what_append_confirmed_survives_sigkill(tmp_path: Path) -> None:
    writer = """
import sys
from pathlib import Path
from lakeveil.adapters.spool import EventSpool
from lakeveil.ports import SpooledEvent
spool = EventSpool(Path(sys.argv[1]))
for number in range(100_000):
    spool.append([SpooledEvent(id=str(number), body=b"", at_ns=number)], position_ns=number)
    print(number, flush=True)
"""
    path = tmp_path / "spool.db"
    with subprocess.Popen(
        [sys.executable, "-c", writer, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        confirmed = [int(process.stdout.readline()) for _ in range(50)]
        os.kill(process.pid, signal.SIGKILL)
        confirmed += [int(line) for line in process.stdout if line.strip()]
    with closing(EventSpool(path)) as spool:
        kept = {int(e.id) for e in spool.waiting(1_000_000)}
    assert set(confirmed) <= kept


def test_a_file_that_is_no_spool_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(SetupError, match="spool"):
        EventSpool(path)
