"""The demo, from an empty stack to checked releases and a governed lake: `make demo`.

It starts the real stack, puts seven photos into the source bucket with boto3, follows each one's
way, and then looks at what came out as a stranger would: through S3, file by file, with the
detector run once more over every release. Then it builds the advertising lake, asks for its tables
as three people, fills them, and asks in SQL by the clients that people have. It exits 0 only if
every outcome is the expected one.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
if __package__ in {None, ""}:
    # Run as a file, Python looks for modules beside it, not for the package it is in.
    sys.path.insert(0, str(ROOT))

from demo import access_picture, query_picture, stack  # noqa: E402 - needs the path above
from demo.checks import Seen, problems_with_release  # noqa: E402
from demo.contact_sheet import Card, write_page, write_sheet, write_strip  # noqa: E402
from demo.events import Events, events  # noqa: E402
from demo.expected import EXPECTED, PHOTOS, Expected  # noqa: E402
from demo.lake import PEOPLE, Lake, ask, near_miss, set_up  # noqa: E402
from demo.loading import load  # noqa: E402
from demo.progress import Board, Progress, read  # noqa: E402
from demo.questions import ASKS_BY, EVERYTHING, Interview, interview  # noqa: E402
from demo.side_by_side import table  # noqa: E402

SOURCE, RELEASE = "photos", "photos-released"
FOLLOW_FOR_S = 120.0
LOOK_EVERY_S = 0.1
EVENTS = 3_000_000
WIDTH = 110
"""Columns that the answers side by side want, where no terminal says how many there are."""
IN_THE_STRIP = ("rotated.jpg", "group.jpg", "thumbnail.jpg")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one photo, and what is wrong with that (nothing, if all is well)."""

    expected: Expected
    outcome: str
    faces: int
    reason: str
    release: bytes | None
    problems: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(
        description="Send seven photos through a real stack, and govern a lake."
    )
    parser.add_argument("--home", type=Path, default=ROOT / ".lakeveil-demo")
    parser.add_argument("--output", type=Path, default=ROOT / "demo-output")
    parser.add_argument("--strip", type=Path, help="also write the picture of the README here")
    parser.add_argument(
        "--events", type=int, default=EVENTS, help="rows of the largest table (default %(default)s)"
    )
    options = parser.parse_args(arguments)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    try:
        return _run(
            console, options.home.resolve(), options.output.resolve(), options.strip, options.events
        )
    except stack.StackError as error:
        console.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; the stack is stopped")
        return 130


def _run(console: Console, home: Path, output: Path, strip: Path | None, rows: int) -> int:
    started = time.monotonic()
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    console.print("Starting an object store, a queue and workers on loopback ...")
    with stack.running(home, log=output / "stack.log") as running:
        console.print(f"Ready after {time.monotonic() - started:.1f} s: {running.s3_endpoint}")
        console.print(f"\nPutting {len(EXPECTED)} photos into s3://{SOURCE}/ ...")
        _upload(running)
        followed = _follow(console, running)
        console.print("\nLooking at the releases from the outside ...")
        verdicts = _judge(running, followed, output)
        _report(console, verdicts)
        lake, told = _show_lake(console, running, events(rows))
    _write_pictures(verdicts, output, strip)
    access_picture.write_page(lake, output / "access.html")
    access_picture.write_svg(lake, output / "access.svg")
    query_picture.write_svg(told, output / "queries.svg")
    seconds = time.monotonic() - started
    wrong = sum(bool(verdict.problems) for verdict in verdicts) + len(lake.problems)
    wrong += sum(len(one.problems) for one in told.asked)
    _say_where_to_look(console, output, home)
    if wrong:
        console.print(f"\n{wrong} outcomes are not the expected ones.", style="red")
        return 1
    console.print(f"\nEvery outcome is the expected one. The demo took {seconds:.0f} s.")
    return 0


def _upload(running: stack.Stack) -> None:
    s3 = running.s3("uploader")
    for photo in EXPECTED:
        s3.put_object(Bucket=SOURCE, Key=photo.name, Body=photo.original)


def _follow(console: Console, running: stack.Stack) -> list[Progress]:
    """Show every photo's state until each has its outcome, or the time is up."""
    names = [photo.name for photo in EXPECTED]
    photos = read(running.home / "state.db", names)
    end = time.monotonic() + FOLLOW_FOR_S
    with Board(console) as board:
        while True:
            photos = read(running.home / "state.db", names)
            board.show(photos)
            if all(photo.is_over for photo in photos) or time.monotonic() > end:
                return photos
            time.sleep(LOOK_EVERY_S)


def _judge(running: stack.Stack, followed: list[Progress], output: Path) -> list[Verdict]:
    reader = running.s3("reader")
    releases = {photo.name: _release(reader, photo.name) for photo in EXPECTED}
    folder = output / "released"
    folder.mkdir()
    for name, release in releases.items():
        if release is not None:
            (folder / name).write_bytes(release)
    before = _look({name: PHOTOS / name for name, release in releases.items() if release})
    after = _look({name: folder / name for name, release in releases.items() if release})
    return [
        verdict(photo, progress, releases[photo.name], before, after)
        for photo, progress in zip(EXPECTED, followed, strict=True)
    ]


def _release(reader: Any, key: str) -> bytes | None:
    try:
        body: bytes = reader.get_object(Bucket=RELEASE, Key=key)["Body"].read()
    except reader.exceptions.NoSuchKey:
        return None
    return body


def _look(files: Mapping[str, Path]) -> dict[str, list[list[Seen]]]:
    """The faces that `lakeveil detect` finds on each frame of each file."""
    found: dict[str, list[list[Seen]]] = {name: [] for name in files}
    names = {str(path): name for name, path in files.items()}
    for frame in stack.lakeveil("detect", *names) if names else ():
        faces = [_seen(face, frame["Width"], frame["Height"]) for face in frame["FaceDetails"]]
        found[names[frame["File"]]].append(faces)
    return found


def _seen(face: Mapping[str, Any], width: int, height: int) -> Seen:
    """A face as Rekognition describes it: ratios of the frame's size, and per cent."""
    box = face["BoundingBox"]
    left, top = round(box["Left"] * width), round(box["Top"] * height)
    right = left + round(box["Width"] * width)
    return Seen((left, top, right, top + round(box["Height"] * height)), face["Confidence"] / 100)


def verdict(
    photo: Expected,
    progress: Progress,
    release: bytes | None,
    before: Mapping[str, list[list[Seen]]],
    after: Mapping[str, list[list[Seen]]],
) -> Verdict:
    """Hold one photo's outcome and release against what is expected of them.

    `before` and `after` hold what was found on each frame of each original and each release.
    """
    problems: list[str] = []
    if progress.state != photo.outcome:
        problems.append(f"its outcome is `{progress.state}`, not `{photo.outcome}`")
    if progress.faces < photo.min_faces:
        problems.append(f"{progress.faces} face(s) were found, not {photo.min_faces}")
    if photo.outcome == "quarantined":
        if release is not None:
            problems.append("something was released all the same")
    elif release is None:
        problems.append("nothing was released")
    else:
        problems += problems_with_release(
            photo.original,
            release,
            before=before[photo.name],
            after=after[photo.name],
        )
    return Verdict(
        expected=photo,
        outcome=progress.state,
        faces=progress.faces,
        reason=progress.reason,
        release=release,
        problems=tuple(problems),
    )


def _report(console: Console, verdicts: Sequence[Verdict]) -> None:
    for verdict in verdicts:
        name = verdict.expected.name
        if verdict.problems:
            console.print(f"  [red]WRONG[/]  {name}: {'; '.join(verdict.problems)}", soft_wrap=True)
        else:
            console.print(f"  [green]as expected[/]  {name:<15} {_title(verdict)}", soft_wrap=True)


def _show_lake(console: Console, running: stack.Stack, made: Events) -> tuple[Lake, Interview]:
    console.print("\nBuilding the advertising lake: 3 tables, 2 tags, 1 override, 2 rules ...")
    set_up(running)
    console.print(f"Loading {made.impressions.num_rows:,} impressions from a landing folder ...")
    load(running, made)
    console.print("A column `ipaddress` comes that no rule thought of; its name is guarded ...")
    near_miss(running)
    found = ask(running)
    for answer in found.answers:
        if answer.problems:
            for problem in answer.problems:
                console.print(f"  [red]WRONG[/]  {answer.person}: {problem}", soft_wrap=True)
            continue
        outcomes = [one for columns in answer.seen.values() for one in columns.values()]
        counted = ", ".join(
            f"{outcomes.count(one)} {one}" for one in ("visible", "masked", "hidden")
        )
        title = f"{answer.person} ({PEOPLE[answer.person]})"
        console.print(f"  [green]as expected[/]  {title:<48} {counted}", soft_wrap=True)
    asked = "lakeveil why ana ads.impressions.ip_address"
    console.print(f"\n$ {asked}\n{found.why.rstrip()}", markup=False, soft_wrap=True)
    return found, _show_queries(console, running, made)


def _show_queries(console: Console, running: stack.Stack, made: Events) -> Interview:
    console.print(f"\nThe same SQL for everybody: {EVERYTHING.sql} ...", soft_wrap=True)
    told = interview(running, made)
    console.print(table(told))
    for person in PEOPLE:
        if found := told.problems(person):
            for problem in found:
                console.print(f"  [red]WRONG[/]  {person}: {problem}", soft_wrap=True)
            continue
        own = [one for one in told.asked if one.person == person]
        refused = sum(bool(one.result.error) for one in own)
        title = f"{person} (by {ASKS_BY[person]}, then by the others)"
        counted = f"{len(own) - refused} answers, {refused} refused"
        console.print(f"  [green]as expected[/]  {title:<48} {counted}", soft_wrap=True)
    return told


def _title(verdict: Verdict) -> str:
    match verdict.outcome:
        case "released":
            faces = "1 face" if verdict.faces == 1 else f"{verdict.faces} faces"
            return f"released: {faces} hidden, none left to a second look"
        case "unchanged":
            return "released: no face, every pixel as it was"
        case "quarantined":
            return f"quarantined, nothing released: {verdict.reason}"
        case other:
            return other


def _write_pictures(verdicts: Sequence[Verdict], output: Path, strip: Path | None) -> None:
    cards = [
        Card(
            name=verdict.expected.name,
            title=verdict.outcome,
            note="; ".join(verdict.problems) or verdict.expected.shows,
            original=verdict.expected.original,
            release=verdict.release,
            ok=not verdict.problems,
        )
        for verdict in verdicts
    ]
    right = sum(card.ok for card in cards)
    summary = f"{right} of {len(cards)} photos had the outcome they should have."
    write_sheet(cards, output / "before-after.png")
    write_page(cards, output / "index.html", summary=summary)
    if strip:
        write_strip([card for card in cards if card.name in IN_THE_STRIP], strip)


def _say_where_to_look(console: Console, output: Path, home: Path) -> None:
    console.print(f"\nLook at  {_short(output / 'index.html')}  (or before-after.png beside it)")
    console.print(f"         {_short(output / 'released')}/  for the releases themselves")
    console.print(f"         {_short(output / 'access.html')}  for who sees what of the tables")
    console.print(f"         {_short(output / 'queries.svg')}  for the same SQL, asked by three")
    console.print("\nNext:")
    console.print("  make up                            run it yourself, until Ctrl-C")
    console.print("  docs/tutorial.md                   ten minutes, with your own photos")
    console.print("  docs/tutorial-tables.md            ten minutes, with tables and tags")
    console.print("  docs/tutorial-sql.md               ten minutes, with queries")
    again = f"{_short(Path(stack.program()))} --config {_short(home / 'lakeveil.toml')} up"
    console.print(f"  {again}\n{'':37}go on with the demo's stack", soft_wrap=True)


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


if __name__ == "__main__":
    sys.exit(main())
