"""The answers side by side in a terminal: what is asked downwards, who asks across."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.markup import escape
from rich.table import Table

from demo.clients import Result
from demo.lake import PEOPLE, PRIVATE
from demo.questions import ASKS_BY, EVERYTHING, QUESTIONS, Interview

SHORT = 24
TIB = 2**40


def table(found: Interview) -> Table:
    """The first row of `SELECT *` column by column, what it cost, and the other answers."""
    drawn = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    drawn.add_column("", no_wrap=True)
    for person in PEOPLE:
        drawn.add_column(f"{person}, by {ASKS_BY[person]}", no_wrap=True)
    answers = [found.answer(EVERYTHING, person) for person in PEOPLE]
    names = dict.fromkeys(name for one in answers for name in one.columns)
    order = sorted(names, key=lambda name: max(_place(one, name) for one in answers))
    for name in order:
        style = "yellow" if name == PRIVATE else ""
        drawn.add_row(name, *(_cell(one, name) for one in answers), style=style)
    drawn.add_row("scanned", *(size(one.scanned) for one in answers), style="dim")
    drawn.add_row(
        "1000 such cost", *(cost(one.scanned, found.price) for one in answers), style="dim"
    )
    drawn.add_section()
    for question in QUESTIONS:
        if question is not EVERYTHING:
            told = [found.answer(question, person) for person in PEOPLE]
            drawn.add_row(question.name, *(escape(head(one)) for one in told))
    return drawn


def head(result: Result) -> str:
    """The first row of an answer, or its error."""
    if result.error:
        return result.error
    return ", ".join(short(value) for value in result.rows[0]) if result.rows else "no rows"


def short(value: Any) -> str:
    """A value in a few characters."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    text = str(value)
    kept = SHORT - 3 if " " in text else 9
    return text if len(text) <= SHORT else f"{text[:kept]}..."


def size(scanned: int) -> str:
    """Bytes as people read them."""
    return f"{scanned / 1e6:.2f} MB"


def cost(scanned: int, price: float) -> str:
    """What a thousand such queries cost, in whatever a TiB is paid in."""
    return f"{scanned / TIB * price * 1000:.4f}"


def _place(result: Result, name: str) -> int:
    return result.columns.index(name) if name in result.columns else -1


def _cell(result: Result, name: str) -> str:
    if result.error or not result.rows:
        return result.error or "no rows"
    place = _place(result, name)
    return "[dim]is not there[/]" if place < 0 else escape(short(result.rows[0][place]))
