"""Shows each photo's way: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

STAGES = ("get", "decode", "detect", "redact", "look_again", "encode", "put")
"""In the order of the work; other timings of a record are left to `lakeveil photo show`."""
_COLOURS = {"released": "green", "unchanged": "green", "quarantined": "yellow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where one photo is. `ms` holds the milliseconds of each stage once they are known."""

    key: str
    state: str
    faces: int = 0
    ms: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""

    @property
    def is_over(self) -> bool:
        """Whether an outcome is recorded."""
        return self.state not in {"queued", "looking"}


def read(database: Path, keys: Iterable[str]) -> list[Progress]:
    """Where each photo is, read from the ledger without writing to it."""
    if not database.exists():
        return [Progress(key=key, state="queued") for key in keys]
    # Read-only: a look from outside must not be able to change anything.
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as ledger:
        rows = ledger.execute("SELECT key, outcome, claimed_until, record FROM photos").fetchall()
    known = {key: (outcome, claimed_until, record) for key, outcome, claimed_until, record in rows}
    return [_progress(key, *known.get(key, (None, 0.0, None))) for key in keys]


def _progress(key: str, outcome: str | None, claimed_until: float, record: str | None) -> Progress:
    if outcome is None:
        return Progress(key=key, state="looking" if claimed_until > time.time() else "queued")
    details: dict[str, Any] = json.loads(record or "{}")
    return Progress(
        key=key,
        state=outcome,
        faces=len(details.get("faces", ())),
        ms=details.get("timings_ms", {}),
        reason=details.get("reason", ""),
    )


class Board:
    """Draws the photos' progress to a console, each time `show` is called."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[str, str] = {}
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, photos: list[Progress]) -> None:
        """Draw the table anew, or print a line for each photo whose state changed."""
        if self._live:
            self._live.update(table(photos), refresh=True)
            return
        for photo in photos:
            if self._last.get(photo.key) != photo.state:
                self._last[photo.key] = photo.state
                self._console.print(line(photo), highlight=False, soft_wrap=True, markup=False)


def table(photos: list[Progress]) -> Table:
    """Everything on one screen, one row per photo."""
    drawn = Table(
        box=None, padding=(0, 1, 0, 0), header_style="bold", caption="stages in milliseconds"
    )
    drawn.add_column("photo")
    drawn.add_column("state", min_width=11)
    drawn.add_column("faces", justify="right")
    stages = [s for s in STAGES if any(s in photo.ms for photo in photos)]
    for stage in stages:
        drawn.add_column(stage.removeprefix("look_"), justify="right", style="dim")
    for photo in photos:
        colour = _COLOURS.get(photo.state, "cyan" if photo.state == "looking" else "dim")
        faces = str(photo.faces) if photo.state in {"released", "unchanged"} else ""
        spent = [f"{photo.ms[s]:.0f}" if s in photo.ms else "" for s in stages]
        drawn.add_row(photo.key, f"[{colour}]{photo.state}[/]", faces, *spent)
    return drawn


def line(photo: Progress) -> str:
    """One photo in one line, for a log."""
    said = f"  {photo.key:<15} {photo.state}"
    if photo.state == "quarantined":
        return f"{said}: {photo.reason}"
    if not photo.is_over:
        return said
    faces = (
        "no face" if not photo.faces else "1 face" if photo.faces == 1 else f"{photo.faces} faces"
    )
    spent = ", ".join(f"{s.replace('_', ' ')} {photo.ms[s]:.0f}" for s in STAGES if s in photo.ms)
    return f"{said}, {faces}" + (f" (ms: {spent})" if spent else "")
