"""The demo's live display, against a ledger as the real adapter writes it."""

from __future__ import annotations

import io
from pathlib import Path

from demo.progress import Board, Progress, line, read
from rich.console import Console

from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.database import open_database
from lakeveil.adapters.ledger import SqlLedger
from lakeveil.core.faces import Face
from lakeveil.core.geometry import Box
from lakeveil.core.outcomes import Outcome, PhotoRecord


def record(key: str, outcome: Outcome, reason: str = "") -> PhotoRecord:
    faces = (Face(box=Box(1, 2, 3, 4), confidence=0.9, network="yunet"),)
    return PhotoRecord(
        collection="photos",
        bucket="photos",
        key=key,
        version=None,
        etag="e",
        sequencer="",
        outcome=outcome,
        reason=reason,
        faces=faces if outcome is Outcome.RELEASED else (),
        timings_ms={"get": 4.2, "detect": 180.0, "inspect": 1.0},
    )


def test_states_follow_the_ledger(tmp_path: Path) -> None:
    database = tmp_path / "state.db"
    assert [p.state for p in read(database, ["a"])] == ["queued"]
    ledger = SqlLedger(open_database(f"sqlite:///{database}"), SystemClock())
    for key, outcome in (("done", Outcome.RELEASED), ("bad", Outcome.QUARANTINED)):
        claim = ledger.claim("photos", "photos", key, owner="w", lease_s=60)
        assert claim is not None
        assert ledger.complete(claim, record(key, outcome, "it is cut off"))
    ledger.claim("photos", "photos", "busy", owner="w", lease_s=60)
    done, bad, busy, waiting = read(database, ["done", "bad", "busy", "waiting"])
    assert (done.state, done.faces, done.is_over) == ("released", 1, True)
    assert (bad.state, bad.reason) == ("quarantined", "it is cut off")
    assert (busy.state, waiting.state) == ("looking", "queued")
    assert not busy.is_over


def test_without_a_terminal_each_change_of_state_is_one_plain_line() -> None:
    out = io.StringIO()
    with Board(Console(file=out, force_terminal=False)) as board:
        board.show([Progress(key="a.jpg", state="queued")])
        board.show([Progress(key="a.jpg", state="queued")])
        board.show([Progress(key="a.jpg", state="looking")])
        board.show([Progress(key="a.jpg", state="released", faces=2, ms={"detect": 180.4})])
    lines = [" ".join(text.split()) for text in out.getvalue().splitlines()]
    assert lines == ["a.jpg queued", "a.jpg looking", "a.jpg released, 2 faces (ms: detect 180)"]
    assert "\x1b" not in out.getvalue()


def test_on_a_terminal_the_table_is_drawn_in_place() -> None:
    out = io.StringIO()
    with Board(Console(file=out, force_terminal=True, width=100)) as board:
        board.show([Progress(key="a.jpg", state="looking")])
        board.show([Progress(key="a.jpg", state="released", faces=1, ms={"get": 3.0})])
    assert "released" in out.getvalue()
    assert "stages in milliseconds" in out.getvalue()


def test_a_quarantined_photo_says_why() -> None:
    said = line(Progress(key="a.jpg", state="quarantined", reason="[truncated] it is cut off"))
    assert "[truncated] it is cut off" in said
