"""The same SQL, three answers, as a picture: people across, what each was told below."""

from __future__ import annotations

import html
import textwrap
from pathlib import Path

from demo.clients import Result
from demo.lake import PEOPLE, PRIVATE
from demo.questions import ADDRESSES, ASKS_BY, EVERYTHING, Interview, Question
from demo.side_by_side import cost, short, size

PANEL, GAP, LINE, NAME = 330, 14, 24, 108
QUERY, HEAD, FOOT = 40, 34, 34
WORDS = 42
"""Characters of a message in one line."""
PAPER, PLATE, INK, SOFT = "#faf9f6", "#ffffff", "#1c1c1e", "#5f5e5a"
MASKED, PLAIN, GONE = ("#f6e9c8", "#7a5300"), ("#d7efe0", "#186e3e"), ("#eeeceb", SOFT)
SHOWN = (EVERYTHING, ADDRESSES)


def write_svg(found: Interview, path: Path) -> None:
    """Two questions as one SVG: what differs is told in colour and in words."""
    path.write_text(_svg(found), "utf-8")


def _svg(found: Interview) -> str:
    width = GAP + (PANEL + GAP) * len(PEOPLE)
    parts: list[str] = []
    y = 0
    for question in SHOWN:
        parts.append(_text(GAP, y + 28, question.sql, size=15, family="monospace"))
        y += QUERY
        lines = [_lines(found, question, person) for person in PEOPLE]
        height = HEAD + LINE * max(len(one) for one in lines) + FOOT
        for number, person in enumerate(PEOPLE):
            x = GAP + (PANEL + GAP) * number
            result = found.answer(question, person)
            parts += [
                _box(x, y, PANEL, height, fill=PLATE, radius=6),
                _text(x + 12, y + 22, f"{person}, by {ASKS_BY[person]}", weight=600),
                *_told(x, y + HEAD, lines[number]),
                _text(x + 12, y + height - 12, _footer(result, found.price), size=12, fill=SOFT),
            ]
        y += height + GAP
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" '
                'font-family="system-ui, sans-serif" role="img" '
                'aria-label="What three people are told by the same two queries">'
            ),
            _box(0, 0, width, y, fill=PAPER, radius=0),
            *parts,
            "</svg>",
        ]
    )


def _lines(found: Interview, question: Question, person: str) -> list[tuple[str, str, str]]:
    """What is told, line by line: a name, a value, and which kind of value it is."""
    result = found.answer(question, person)
    if result.error:
        said = textwrap.wrap(result.message.partition(": ")[2], WORDS)
        return [("", result.error, "gone"), *(("", line, "text") for line in said[:2])]
    if not result.rows:
        return [("", "no rows", "gone")]
    kind = "masked" if person == "finn" else "plain"
    if question is not EVERYTHING:
        return [(short(first), str(count), kind) for first, count in result.rows]
    everything = max((found.answer(question, one).columns for one in PEOPLE), key=len)
    row = dict(zip(result.columns, result.rows[0], strict=True))
    return [
        (name, short(row[name]), kind if name == PRIVATE else "text")
        if name in row
        else (name, "is not there", "gone")
        for name in everything
    ]


def _told(x: float, y: float, lines: list[tuple[str, str, str]]) -> list[str]:
    parts = []
    colours = {"masked": MASKED, "plain": PLAIN, "gone": GONE, "text": (PLATE, INK)}
    for number, (name, value, kind) in enumerate(lines):
        top = y + LINE * number
        paper, ink = colours[kind]
        parts += [
            _box(x + 6, top + 1, PANEL - 12, LINE - 2, fill=paper),
            _text(x + 12, top + 17, name, fill=SOFT if kind == "text" else ink),
            _text(x + 12 + (NAME if name else 0), top + 17, value, fill=ink),
        ]
    return parts


def _footer(result: Result, price: float) -> str:
    if result.error:
        return "nothing scanned"
    return f"{size(result.scanned)} scanned; 1000 such cost {cost(result.scanned, price)}"


def _box(x: float, y: float, width: float, height: float, *, fill: str, radius: int = 4) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius}" '
        f'fill="{fill}"/>'
    )


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 14,
    weight: int = 400,
    fill: str = INK,
    family: str = "",
) -> str:
    face = f' font-family="{family}"' if family else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" fill="{fill}"{face}>'
        f"{html.escape(text)}</text>"
    )
