"""`lakeveil review`: look at a random share of releases; estimate how many have a missed face."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lakeveil.cli.photo_address import collection_of, find_record
from lakeveil.cli.session import Session, json_option
from lakeveil.core.photos import ObjectRef
from lakeveil.core.review import Verdict, miss_rate
from lakeveil.errors import NotFound, UsageError

if TYPE_CHECKING:
    from lakeveil.core.outcomes import PhotoRecord


@click.group()
def command() -> None:
    """Look at a random share of releases; estimate the miss rate."""


@command.command(name="ls")
@click.option("--collection", help="Only this collection.")
@json_option
@click.pass_obj
def list_offered(session: Session, collection: str | None) -> None:
    """List the releases that wait for a look, the longest waiting first."""
    from lakeveil.wiring.state import open_ledger

    with open_ledger(session.settings) as ledger:
        session.emit_rows(
            [
                {
                    "photo": f"s3://{record.bucket}/{record.key}",
                    "collection": record.collection,
                    "outcome": record.outcome.value,
                    "faces": len(record.faces),
                }
                for record in ledger.offered(collection)
            ],
            ["photo", "collection", "outcome", "faces"],
            empty="nothing waits for a look; `review_share` of a collection says how much is "
            "offered",
        )


@command.command()
@click.argument("photo", required=False)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, file_okay=False), required=True,
    help="Directory for the two files.",
)  # fmt: skip
@json_option
@click.pass_obj
def fetch(session: Session, photo: str | None, out: Path) -> None:
    """Fetch one photo, before and after, to look at.

    Without PHOTO it is the one that has waited longest. The original shows faces: the directory
    is made for you alone, and the file is yours to remove.

    \b
    Example:
      lakeveil review fetch -o look/
    """
    from lakeveil.adapters.credentials import private_directory, write_private
    from lakeveil.wiring.state import open_ledger, open_store

    settings = session.settings
    collections = settings.photo_collections()
    with open_ledger(settings) as ledger:
        record = find_record(photo, collections, ledger) if photo else next(ledger.offered(), None)
    if record is None:
        raise NotFound(
            "nothing waits for a look",
            why="no release is on offer",
            fix="name a photo, or raise `review_share` of the collection",
        )
    bucket = collection_of(record, collections).release_bucket
    store = open_store(settings)
    released = store.head(bucket, record.key)
    if released is None or not record.outcome.has_release:
        raise NotFound(
            f"`{record.key}` has no release",
            why=f"it is {record.outcome}",
            fix=f"lakeveil photo show s3://{record.bucket}/{record.key}",
        )
    limit = settings.limits.max_bytes
    before = store.get(
        ObjectRef(record.bucket, record.key, record.version), etag=record.etag, limit_bytes=limit
    )
    after = store.get(ObjectRef(bucket, record.key), etag=released.etag, limit_bytes=2 * limit)
    private_directory(out)
    name = Path(record.key).name or "photo"
    paths = {"before": out / f"before-{name}", "after": out / f"after-{name}"}
    for which, data in (("before", before), ("after", after)):
        # Replaces whatever lies there, and never follows a link: the original shows faces.
        write_private(paths[which], data)
    session.emit(
        {
            "photo": f"s3://{record.bucket}/{record.key}",
            **{which: str(path) for which, path in paths.items()},
        }
    )
    session.say(f"then: lakeveil review verdict s3://{record.bucket}/{record.key} good|missed")


@command.command()
@click.argument("photo")
@click.argument("seen", type=click.Choice([verdict.value for verdict in Verdict]))
@json_option
@click.pass_obj
def verdict(session: Session, photo: str, seen: str) -> None:
    """Say what you saw on a release that was on offer: good, or missed (a face still shows).

    A missed face is mended with `lakeveil photo redact --box`, or the release taken back with
    `lakeveil photo withdraw`.

    \b
    Example:
      lakeveil review verdict holiday/beach.jpg good
    """
    from lakeveil.wiring.state import open_ledger

    with open_ledger(session.settings) as ledger:
        record = find_record(photo, session.settings.photo_collections(), ledger)
        if not ledger.review(record, verdict=Verdict(seen), reviewer=getpass.getuser()):
            raise UsageError(
                f"`{record.key}` is not on offer for review",
                why="only releases drawn at random count, each once",
                fix="`lakeveil review ls` lists them",
            )
    session.emit({"photo": f"s3://{record.bucket}/{record.key}", "verdict": seen})
    if seen == Verdict.MISSED.value:
        session.say(f"mend it: lakeveil photo redact {_shown(record)} --box LEFT,TOP,WIDTH,HEIGHT")


@command.command()
@json_option
@click.pass_obj
def rate(session: Session) -> None:
    """Estimate the share of each collection's releases with a missed face, with its interval."""
    from lakeveil.wiring.state import open_ledger

    rows: list[dict[str, Any]] = []
    with open_ledger(session.settings) as ledger:
        for collection in session.settings.photo_collections():
            tally = ledger.tally(collection.name)
            estimate = miss_rate(tally)
            rows.append(
                {
                    "collection": collection.name,
                    "looked_at": tally.looked_at,
                    "missed": tally.missed,
                    "miss_rate": estimate.estimate,
                    "low_95": round(estimate.low, 4),
                    "high_95": round(estimate.high, 4),
                    "waiting": sum(1 for _ in ledger.offered(collection.name)),
                }
            )
    session.emit_rows(
        rows, ["collection", "looked_at", "missed", "miss_rate", "low_95", "high_95", "waiting"]
    )


def _shown(record: PhotoRecord) -> str:
    return f"s3://{record.bucket}/{record.key}"
