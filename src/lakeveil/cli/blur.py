"""`lakeveil blur`: redact files or folders on this machine, with no server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lakeveil.cli.session import Session, json_option
from lakeveil.core.geometry import Box
from lakeveil.core.outcomes import Outcome
from lakeveil.core.photos import Instructions, Preset, RedactionPolicy, Shape, Style

if TYPE_CHECKING:
    from lakeveil.flows.blur_files import FileResult

MOST_JOBS = 4
"""By default; each one takes the memory of a worker."""
METADATA = ("dates", "exposure", "camera", "gps")


class BoxType(click.ParamType[Box]):
    """LEFT,TOP,WIDTH,HEIGHT in pixels of the upright photo."""

    name = "LEFT,TOP,WIDTH,HEIGHT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Box:
        """Parse it."""
        if isinstance(value, Box):
            return value
        try:
            left, top, width, height = (int(part) for part in str(value).split(","))
            return Box(left, top, left + width, top + height)
        except ValueError:
            self.fail(f"`{value}` is no box: write four numbers, such as 120,80,64,64", param, ctx)


@click.command()
@click.argument(
    "sources", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE|DIR..."
)
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="Where results go."
)
@click.option("--style", type=click.Choice([s.value for s in Style]), help="How faces are hidden.")
@click.option("--shape", type=click.Choice([s.value for s in Shape]), help="Outline of a cover.")
@click.option("--margin", type=float, help="Growth per side, as a share of the face's size.")
@click.option("--tint/--no-tint", default=None, help="Keep 12 bits of a face's colour in a veil.")
@click.option("--blocks", type=int, help="Most blocks across for blur and pixelate (1 to 8).")
@click.option("--preset", type=click.Choice([p.value for p in Preset]), help="Detector preset.")
@click.option("--min-confidence", type=float, help="Probability from which it is a face (0 to 1).")
@click.option(
    "--keep-metadata",
    multiple=True,
    type=click.Choice([*METADATA, "none"]),
    help="Metadata that survives; may be repeated.",
)
@click.option("--box", "hide", multiple=True, type=BoxType(), help="Hide this too (one file).")
@click.option("--keep", multiple=True, type=BoxType(), help="Leave this face alone (one file).")
@click.option("--collection", help="Start from the policy of this collection.")
@click.option("-j", "--jobs", type=click.IntRange(1, 64), help="Files at a time.")
@click.option("--overwrite", is_flag=True, help="Replace results of an earlier run.")
@json_option
@click.pass_obj
def command(
    session: Session,
    /,
    sources: tuple[Path, ...],
    out: Path,
    *,
    hide: tuple[Box, ...],
    keep: tuple[Box, ...],
    collection: str | None,
    jobs: int | None,
    overwrite: bool,
    **chosen: Any,
) -> int:
    """Redact files, or all photos below folders, into OUT. Originals are never touched.

    Nothing is written for a photo that could not be examined: it is listed with the reason, and
    the exit code is 1.

    \b
    Examples:
      lakeveil blur party.jpg -o hidden.jpg
      lakeveil blur holiday/ -o shared/ --style fill --jobs 2
      lakeveil blur team.jpg -o out/ --keep 120,80,64,64
    """
    from lakeveil.flows.blur_files import blur_files, plan_files
    from lakeveil.wiring.darkroom import open_darkroom

    policy = _policy(session, collection, chosen)
    plan = plan_files(sources, out, overwrite=overwrite)
    if (hide or keep) and len(plan.files) != 1:
        raise click.UsageError("--box and --keep are for one file: the boxes lie on its pixels.")
    results: list[FileResult] = []
    if plan.files:
        count = min(jobs or min(MOST_JOBS, os.cpu_count() or 1), len(plan.files))
        with (
            open_darkroom(session.settings, policies=[policy]) as darkroom,
            _progress(session, len(plan.files)) as show,
        ):
            for result in blur_files(
                plan,
                policy=policy,
                darkroom=darkroom,
                max_bytes=session.settings.limits.max_bytes,
                instructions=Instructions(hide=hide, keep=keep),
                jobs=count,
            ):
                results.append(result)
                show(result)
    return _finish(session, results, plan.skipped)


def _policy(session: Session, collection: str | None, chosen: dict[str, Any]) -> RedactionPolicy:
    from dataclasses import replace

    policy = RedactionPolicy()
    if collection is not None:
        known = {c.name: c.policy for c in session.settings.photo_collections()}
        if collection not in known:
            raise click.UsageError(
                f"there is no collection `{collection}`; known: {', '.join(sorted(known))}"
            )
        policy = known[collection]
    kept = chosen.pop("keep_metadata")
    changes = {name: value for name, value in chosen.items() if value is not None}
    if kept:
        changes["keep_metadata"] = tuple(k for k in METADATA if k in kept)
    for name, kind in (("style", Style), ("shape", Shape), ("preset", Preset)):
        if name in changes:
            changes[name] = kind(changes[name])
    return replace(policy, **changes)


@contextmanager
def _progress(session: Session, total: int) -> Iterator[Any]:
    """Yields what is called with each result: a bar on a terminal, else a line each."""

    def line(result: FileResult) -> None:
        if not session.as_json:
            print(_line(result), flush=True)

    if not session.progress or session.as_json:
        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (BarColumn(), MofNCompleteColumn(), Remaining(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)

        def advance(result: FileResult) -> None:
            bar.update(task, advance=1, description=_printable(result.source.name))
            line(result)

        yield advance


def _finish(session: Session, results: list[FileResult], skipped: tuple[Path, ...]) -> int:
    counts = {
        outcome.value: sum(r.outcome is outcome for r in results)
        for outcome in (Outcome.RELEASED, Outcome.UNCHANGED, Outcome.QUARANTINED)
    }
    bad = [r for r in results if r.outcome is Outcome.QUARANTINED]
    if session.as_json:
        session.emit(
            {
                **counts,
                "skipped": [str(p) for p in skipped],
                "files": [_document(r) for r in sorted(results, key=lambda r: r.source)],
            }
        )
    else:
        if skipped:
            session.say(f"{len(skipped)} files in folders are no photos and were left out")
        session.say(
            f"{counts['released']} with faces hidden, {counts['unchanged']} without a face, "
            f"{counts['quarantined']} not released"
        )
        for result in bad:
            session.fail({**result.error, "what": f"{result.source}: {result.error['what']}"})
    return 1 if bad else 0


def _line(result: FileResult) -> str:
    about = result.error.get("code") or f"{result.faces} face{'s' * (result.faces != 1)}"
    cells = (result.outcome.value, str(result.source), str(result.target or "-"), about)
    return "\t".join(_printable(cell) for cell in cells)


def _document(result: FileResult) -> dict[str, Any]:
    document: dict[str, Any] = {
        "source": str(result.source),
        "target": str(result.target) if result.target else None,
        "outcome": result.outcome.value,
    }
    if result.error:
        return {**document, "error": result.error}
    return {
        **document,
        "faces": result.faces,
        "frames": result.frames,
        "width": result.width,
        "height": result.height,
        "timings_ms": result.timings_ms,
    }


def _printable(text: str) -> str:
    # File names may hold escape sequences.
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
