"""Reads our Markdown: fenced blocks with the remark above them, links, headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(
    r"(?:^<!--\s*(?P<remark>.*?)\s*-->\n)?^```(?P<language>[\w-]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6}\s+(?P<title>.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block. `line` is that of its first fence, from 1."""

    document: Path
    line: int
    language: str
    text: str
    remark: str

    @property
    def why_not_run(self) -> str | None:
        """The reason in `<!-- not run: reason -->`, or None."""
        before, _, reason = self.remark.partition("not run:")
        return reason.strip() if reason and not before.strip() else None

    @property
    def exit_code(self) -> int:
        """What `<!-- run: exits N -->` says its last command exits with; 0 by default."""
        found = re.search(r"exits (\d+)", self.remark)
        return int(found[1]) if found else 0

    @property
    def is_repeated(self) -> bool:
        """`<!-- run: until it prints this -->`: a reader would look again until it is done."""
        return "until it prints this" in self.remark


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a block, and the output that the document shows for it."""

    command: str
    output: str


def blocks(document: Path) -> list[Block]:
    """Every fenced block of a document, in order."""
    text = document.read_text("utf-8")
    return [
        Block(
            document=document,
            line=text.count("\n", 0, found.start("language")) + 1,
            language=found["language"],
            text=found["text"],
            remark=found["remark"] or "",
        )
        for found in _FENCE.finditer(text)
    ]


def steps(block: Block) -> list[Step]:
    """The commands of a `bash` block (one step) or of a `console` block (one for each `$`)."""
    if block.language == "bash":
        return [Step(block.text, "")]
    found: list[Step] = []
    command, output, continued = "", "", False
    for line in block.text.splitlines():
        if continued:
            command += "\n" + line
        elif line.startswith("$ "):
            if command:
                found.append(Step(command, output))
            command, output = line[2:], ""
        else:
            output += line + "\n"
            continue
        continued = line.endswith("\\")
    return [*found, Step(command, output)] if command else found


def shows(expected: str, actual: str) -> bool:
    """Whether `actual` holds the lines of `expected` in order.

    Runs of blanks are one blank: a terminal gets aligned columns, a pipe gets tabs. `...` within
    a line stands for anything; other lines may stand between.
    """
    lines = iter([_one_blank(line) for line in actual.splitlines()])
    wanted = [_one_blank(line) for line in expected.splitlines() if line.strip() not in {"", "..."}]
    return all(any(_pattern(want).fullmatch(line) for line in lines) for want in wanted)


def links(document: Path) -> Iterator[tuple[str, str]]:
    """(path, anchor) of every link that stays within the repository, code left out."""
    text = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", document.read_text("utf-8")))
    for found in _LINK.finditer(text):
        if not re.match(r"[a-z]+:", found["target"]):
            path, _, anchor = found["target"].partition("#")
            yield path, anchor


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives a document's headings."""
    return {_slug(title) for title in headings(document)}


def headings(document: Path) -> list[str]:
    """A document's headings, code left out."""
    return [h["title"] for h in _HEADING.finditer(_FENCE.sub("", document.read_text("utf-8")))]


def _slug(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _one_blank(line: str) -> str:
    return " ".join(line.split())


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in line.split("...")))
