"""Files and folders, redacted on this machine with no server: `lakeveil blur`.

First a plan of what becomes what, refused as a whole if it would touch an original; then file by
file, each written whole or not at all. A file that could not be looked at leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from lakeveil.core.outcomes import Outcome
from lakeveil.core.photos import Instructions, RedactionPolicy
from lakeveil.errors import BadPhoto, LakeveilError, UsageError
from lakeveil.pixels.files.refusals import bad
from lakeveil.pixels.files.sniff import Format, sniff
from lakeveil.ports import Darkroom

PHOTO_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp"),
        *(".avif", ".tif", ".tiff", ".gif", ".heic", ".heif"),
    }
)
"""In a folder, files named so are photos whatever they hold; others only by their first bytes."""
_SNIFFED = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One file and what it becomes."""

    source: Path
    target: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done. `skipped` were found in a folder and are no photos."""

    files: tuple[Planned, ...]
    skipped: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResult:
    """What became of one file: released or unchanged with a `target`, or quarantined: `error`."""

    source: Path
    outcome: Outcome
    target: Path | None = None
    faces: int = 0
    frames: int = 0
    width: int = 0
    height: int = 0
    error: dict[str, str] = field(default_factory=dict)
    """`code`, `what`, `why`, `fix`."""
    timings_ms: dict[str, float] = field(default_factory=dict)


def plan_files(sources: Sequence[Path], out: Path, *, overwrite: bool = False) -> Plan:
    """Decide what becomes what; touches nothing.

    A folder's files keep their paths below it. `out` is a folder unless it is the name for one
    single file. A HEIC photo becomes JPEG and gets `.jpg` added to its name.

    Raises:
        UsageError: a source is not there, a target is a source or two files' target, or it is
            there already and `overwrite` is not set.
    """
    into_folder = len(sources) != 1 or sources[0].is_dir() or out.is_dir() or not out.suffix
    files: list[Planned] = []
    skipped: list[Path] = []
    for source in sources:
        if source.is_dir():
            for path in _files_below(source, out):
                if _is_photo(path):
                    files.append(_planned(path, out / path.relative_to(source)))
                else:
                    skipped.append(path)
        elif source.is_file():
            files.append(_planned(source, out / source.name if into_folder else out))
        else:
            raise UsageError(
                f"there is no file or folder `{source}`",
                why="it was named as a source",
                fix="correct the path",
                code="no_such_file",
            )
    _refuse_overlaps(files, overwrite=overwrite)
    return Plan(files=tuple(files), skipped=tuple(skipped))


def blur_files(
    plan: Plan,
    *,
    policy: RedactionPolicy,
    darkroom: Darkroom,
    max_bytes: int,
    instructions: Instructions | None = None,
    jobs: int = 1,
) -> Iterator[FileResult]:
    """Redact every file of a plan, `jobs` at a time; results come as they are done.

    Whatever goes wrong with one file is its result, and the others go on. An older target of a
    file that cannot be released now is removed: it may show what this run would not release.
    """
    said = instructions or Instructions()
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="blur")
    try:
        tasks = [pool.submit(_blur, one, policy, said, darkroom, max_bytes) for one in plan.files]
        for task in as_completed(tasks):
            yield task.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _blur(
    planned: Planned,
    policy: RedactionPolicy,
    instructions: Instructions,
    darkroom: Darkroom,
    max_bytes: int,
) -> FileResult:
    try:
        data = _read(planned.source, max_bytes)
        rendition = darkroom.develop(data, policy=policy, instructions=instructions)
        _write_whole(planned.target, rendition.data)
    except LakeveilError as error:
        return _refused(planned, error)
    except OSError as error:
        return _refused(
            planned,
            LakeveilError(
                "the file could not be read or written",
                why=f"{error.filename or planned.source}: {error.strerror}",
                fix="check its permissions and the space on the disk",
                code="file_error",
            ),
        )
    return FileResult(
        source=planned.source,
        target=planned.target,
        outcome=Outcome.RELEASED if rendition.redacted else Outcome.UNCHANGED,
        faces=rendition.face_count,
        frames=len(rendition.detections),
        width=rendition.width,
        height=rendition.height,
        timings_ms=rendition.timings_ms,
    )


def _refused(planned: Planned, error: LakeveilError) -> FileResult:
    with contextlib.suppress(OSError):
        planned.target.unlink(missing_ok=True)
    return FileResult(source=planned.source, outcome=Outcome.QUARANTINED, error=error.as_dict())


def _read(path: Path, max_bytes: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise bad("file_too_large", f"the limit is {max_bytes} bytes")
    return data


def _write_whole(path: Path, data: bytes) -> None:
    """Write beside the target and move over it: never half a file, never through a link."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _files_below(folder: Path, out: Path) -> Iterator[Path]:
    """Every file below `folder` in order of name, but for what lies in `out`."""
    results = out.resolve()
    for where, folders, names in os.walk(folder):
        here = Path(where)
        folders[:] = sorted(f for f in folders if (here / f).resolve() != results)
        yield from (here / name for name in sorted(names) if (here / name).is_file())


def _is_photo(path: Path) -> bool:
    return path.suffix.lower() in PHOTO_SUFFIXES or _format(path) is not None


def _format(path: Path) -> Format | None:
    try:
        with path.open("rb") as file:
            return sniff(file.read(_SNIFFED))
    except (BadPhoto, OSError):
        return None


def _planned(source: Path, target: Path) -> Planned:
    if _format(source) is Format.HEIC and target.suffix.lower() not in {".jpg", ".jpeg"}:
        target = target.with_name(f"{target.name}.jpg")
    return Planned(source=source, target=target)


def _refuse_overlaps(files: Sequence[Planned], *, overwrite: bool) -> None:
    originals = {_identity(f.source) for f in files} | {f.source.resolve() for f in files}
    targets: dict[Path, Path] = {}
    for one in files:
        target = one.target.resolve()
        if target in originals or (target.exists() and _identity(target) in originals):
            raise UsageError(
                f"`{one.target}` is an original",
                why="an original is never overwritten",
                fix="choose another folder with -o",
                code="over_an_original",
            )
        if target in targets:
            raise UsageError(
                f"`{targets[target]}` and `{one.source}` would both become `{one.target}`",
                why="they have the same name",
                fix="blur them into different folders",
                code="same_target",
            )
        if one.target.exists() and (not overwrite or one.target.is_dir()):
            raise UsageError(
                f"`{one.target}` is there already",
                why="nothing is replaced unless you say so",
                fix="pass --overwrite, or choose another folder with -o",
                code="target_exists",
            )
        targets[target] = one.source


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
