"""`lakeveil doctor`: check everything this installation needs, and say how to mend it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from lakeveil.cli.session import Session, json_option
from lakeveil.errors import LakeveilError, SetupError

if TYPE_CHECKING:
    from lakeveil.settings import Settings

LOW_DISK_BYTES = 2 * 2**30


@click.command()
@json_option
@click.pass_obj
def command(session: Session) -> int:
    """Check everything this installation needs. Exits 1 if anything is wrong."""
    settings = session.settings
    rows = []
    for name, check in _checks(settings):
        row = _checked(name, check)
        rows.append(row)
        if not session.as_json:
            mark = "ok  " if row["ok"] else "FAIL"
            click.echo(f"{mark} {name:<12} {row['found']}")
            if row["fix"]:
                click.echo(f"     {'':<12} fix: {row['fix']}")
    if session.as_json:
        session.emit(rows)
    return int(not all(row["ok"] for row in rows))


def _checks(settings: Settings) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "python", _python
    yield "settings", lambda: f"{len(settings.collections)} collections, none feeds another"
    yield "disk", lambda: _disk(settings)
    yield "models", lambda: _models(settings)
    yield "formats", _formats
    yield "isolation", _isolation
    yield "credentials", lambda: _credentials(settings)
    yield "database", lambda: _database(settings)
    yield "store", lambda: _store(settings)
    yield "store keys", lambda: _store_keys(settings)
    yield "queue", lambda: _queue(settings)
    yield "queries", lambda: _queries(settings)


def _checked(name: str, check: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"check": name, "ok": True, "found": check(), "fix": ""}
    except LakeveilError as error:
        found = ": ".join(part for part in (error.what, error.why) if part)
        return {"check": name, "ok": False, "found": found, "fix": error.fix}


def _python() -> str:
    return f"{sys.version.split()[0]} on {sys.platform}"


def _disk(settings: Settings) -> str:
    from lakeveil.errors import SetupError

    home = settings.home_path
    there = next(p for p in (home, *home.parents) if p.exists())
    free = shutil.disk_usage(there).free
    if free < LOW_DISK_BYTES:
        raise SetupError(
            f"only {free / 2**30:.1f} GiB are free at {there}",
            why="originals and releases are kept there",
            fix="free some space, or set `home` to another disk",
        )
    return f"{free / 2**30:.0f} GiB free at {there}"


def _models(settings: Settings) -> str:
    from lakeveil.adapters.model_store import load

    load(settings.models_path)
    return f"face detectors at {settings.models_path}, each with the expected SHA-256"


def _formats() -> str:
    from importlib.util import find_spec

    base = "JPEG, PNG, WebP, AVIF, TIFF, GIF, APNG"
    if find_spec("pillow_heif"):
        return f"{base}, HEIC"
    return f"{base}; HEIC is quarantined: pip install 'lakeveil[heic]'"


def _isolation() -> str:
    from lakeveil.errors import SetupError

    if not sys.platform.startswith("linux"):
        raise SetupError(
            "photos cannot be developed in isolation here",
            why=f"memory limits and parent-death signals need Linux, and this is {sys.platform}",
            fix="run Lakeveil on Linux",
        )
    return "photos are developed in child processes with limits of memory and time"


def _credentials(settings: Settings) -> str:
    from lakeveil.adapters.credentials import load_credentials

    if not (settings.embedded_store or settings.embedded_queue):
        return "none of ours: store and queue are not embedded"
    load_credentials(settings.home_path)
    return f"in {settings.home_path}, readable by you alone"


def _database(settings: Settings) -> str:
    from lakeveil.wiring.state import open_ledger

    with open_ledger(settings) as ledger:
        return "answers" if any(ledger.records(limit=1)) else "answers; no photo is in it yet"


def _store(settings: Settings) -> str:
    from lakeveil.wiring.state import open_store

    store = open_store(settings)
    buckets = sorted(
        {b for c in settings.photo_collections() for b in (c.source_bucket, c.release_bucket)}
    )
    for bucket in buckets:
        next(store.list(bucket), None)
    return f"{settings.s3_endpoint or 'Amazon S3'} shows {', '.join(buckets)}"


def _store_keys(settings: Settings) -> str:
    from lakeveil.wiring.store_keys import try_store_keys

    return try_store_keys(settings)


def _queue(settings: Settings) -> str:
    from lakeveil.wiring.queue import open_queue

    with closing(open_queue(settings)) as queue:
        depth, dead = queue.depth(), len(queue.dead())
    hint = "; `lakeveil queue dead ls` shows why" if dead else ""
    return f"{depth} messages, {dead} dead letters{hint}"


def _queries(settings: Settings) -> str:
    from lakeveil.adapters.engine.landlock import support

    found = support()
    missing = "; ".join(found.missing)
    if not found.enough and settings.sql.require_landlock:
        raise SetupError(
            "queries cannot be run",
            why=f"this kernel cannot confine their processes; missing: {missing}",
            fix="run Linux 6.7 or newer with Landlock, or set sql.require_landlock = false",
        )
    if not found.enough:
        return f"NOT confined by the kernel, which lacks: {missing}; other walls stand"
    return f"confined by Landlock (ABI {found.abi})" + (f", without: {missing}" if missing else "")
