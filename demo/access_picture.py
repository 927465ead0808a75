"""Who sees what, as a picture: columns down, people across, and the explanation below."""

from __future__ import annotations

import html
from pathlib import Path

from demo.lake import PEOPLE, Lake

ROW, NAME, CELL, HEAD, GAP = 30, 250, 190, 86, 14
COLOURS = {
    "visible": ("#d7efe0", "#186e3e", "\u25cf visible"),
    "masked": ("#f6e9c8", "#7a5300", "\u25d0 masked"),
    "hidden": ("#eeeceb", "#5f5e5a", "\u25cb hidden"),
}


def write_svg(lake: Lake, path: Path) -> None:
    """The matrix as one SVG: each cell says its outcome in colour, sign and word."""
    path.write_text(_svg(lake), "utf-8")


def write_page(lake: Lake, path: Path) -> None:
    """The matrix and the explanation as one self-contained page."""
    path.write_text(
        _PAGE.replace("{{picture}}", _svg(lake)).replace("{{why}}", html.escape(lake.why)),
        "utf-8",
    )


def _svg(lake: Lake) -> str:
    lines = sum(1 + len(columns) for columns in lake.tables.values())
    width = NAME + CELL * len(PEOPLE) + 2 * GAP
    height = HEAD + ROW * lines + GAP
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            'font-family="system-ui, sans-serif" role="img" '
            'aria-label="Which columns each person sees">'
        ),
        f'<rect width="{width}" height="{height}" fill="#faf9f6"/>',
        *_people(),
    ]
    y = HEAD
    for name, columns in lake.tables.items():
        parts.append(_text(GAP, y + 20, ".".join(name), weight=600))
        y += ROW
        for column in columns:
            parts.append(_text(2 * GAP, y + 20, column))
            for number, answer in enumerate(lake.answers):
                parts += _cell(GAP + NAME + CELL * number, y, answer.seen[name][column])
            y += ROW
    return "\n".join([*parts, "</svg>"])


def _people() -> list[str]:
    parts = []
    for number, (person, title) in enumerate(PEOPLE.items()):
        x = GAP + NAME + CELL * number + CELL / 2
        role, _, rules = title.partition(": ")
        parts += [
            _text(x, 30, person, size=18, weight=600, anchor="middle"),
            _text(x, 50, role, fill="#5f5e5a", anchor="middle"),
            _text(x, 68, rules, size=12, fill="#5f5e5a", anchor="middle"),
        ]
    return parts


def _cell(x: float, y: float, outcome: str) -> list[str]:
    paper, ink, words = COLOURS[outcome]
    return [
        (
            f'<rect x="{x + 4}" y="{y + 2}" width="{CELL - 8}" height="{ROW - 4}" rx="4" '
            f'fill="{paper}"/>'
        ),
        _text(x + CELL / 2, y + 20, words, fill=ink, anchor="middle"),
    ]


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 14,
    weight: int = 400,
    fill: str = "#1c1c1e",
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" fill="{fill}" '
        f'text-anchor="{anchor}">{html.escape(text)}</text>'
    )


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Lakeveil: who sees what</title>
<style>
:root { color-scheme: light dark; --paper: #faf9f6; --ink: #1c1c1e; --soft: #5f5e5a;
  --plate: #e8e6e0 }
@media (prefers-color-scheme: dark) {
  :root { --paper: #161618; --ink: #f0efec; --soft: #a9a8a3; --plate: #2a2a2d } }
body { margin: 0 auto; padding: 2rem 1rem; max-width: 60rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
h1 { margin: 0 0 .25rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
p { color: var(--soft); margin: .15rem 0 1rem }
svg { width: 100%; height: auto; border-radius: 6px }
pre { background: var(--plate); padding: 1rem; border-radius: 6px; overflow-x: auto;
  font-size: .85rem }
</style>
</head>
<body>
<h1>Who sees what</h1>
<p>Three tables, two tags, two rules for the analysts. <code>ip_address</code> is closed by one
override; <code>ipaddress</code>, which nobody thought of, by its name until somebody tags it;
the partner's table by its owner.</p>
{{picture}}
<h2><code>lakeveil why ana ads.impressions.ip_address</code></h2>
<pre>{{why}}</pre>
</body>
</html>
"""
