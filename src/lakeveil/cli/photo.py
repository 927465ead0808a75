"""`lakeveil photo`: what became of each photo, and what people decide about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from lakeveil.cli.photo_address import collection_of, find_record, parse_box
from lakeveil.cli.session import Session, json_option
from lakeveil.core.outcomes import Outcome
from lakeveil.errors import UsageError

if TYPE_CHECKING:
    from lakeveil.core.faces import Face
    from lakeveil.core.outcomes import PhotoRecord
    from lakeveil.core.photos import Instructions
    from lakeveil.flows.review_photo import ReviewDesk

OUTCOMES = [outcome.value for outcome in Outcome]


@click.group()
def command() -> None:
    """List, show, retry, release, redact and withdraw photos."""


@command.command(name="ls")
@click.option("--collection", help="Only this collection.")
@click.option("--outcome", type=click.Choice(OUTCOMES), help="Only photos that ended so.")
@click.option("--prefix", default="", help="Only keys that begin so.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
@json_option
@click.pass_obj
def list_photos(
    session: Session, collection: str | None, outcome: str | None, prefix: str, limit: int | None
) -> None:
    """List photos and what became of them.

    \b
    Examples:
      lakeveil photo ls
      lakeveil photo ls --outcome quarantined
    """
    from lakeveil.wiring.state import open_ledger

    with open_ledger(session.settings) as ledger:
        records = ledger.records(
            collection=collection,
            outcome=Outcome(outcome) if outcome else None,
            prefix=prefix,
            limit=limit,
        )
        session.emit_rows(
            (_row(record) for record in records),
            ["photo", "outcome", "faces", "updated_at", "reason"],
            empty="no photos yet: upload one to a collection's source bucket",
        )


@command.command()
@click.argument("photo")
@json_option
@click.pass_obj
def show(session: Session, photo: str) -> None:
    """Show one photo: outcome, boxes, detector, timings, reason.

    PHOTO is s3://bucket/key, or the key alone.

    \b
    Example:
      lakeveil photo show holiday/beach.jpg --json
    """
    from lakeveil.wiring.state import open_ledger

    with open_ledger(session.settings) as ledger:
        record = find_record(photo, session.settings.photo_collections(), ledger)
        given = ledger.instructions(record.bucket, record.key)
    session.emit(_details(record, given))


@command.command()
@click.argument("photos", nargs=-1, metavar="[PHOTO]...")
@click.option("--all", "every", is_flag=True, help="Every photo that the options select.")
@click.option("--collection", help="With --all: only this collection.")
@click.option("--outcome", type=click.Choice(OUTCOMES), help="With --all: only these.")
@click.option("--reason", help="With --all: only this reason code, such as timeout.")
@click.option("--stale", is_flag=True, help="With --all: only those of another policy or model.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def retry(
    session: Session,
    photos: tuple[str, ...],
    *,
    every: bool,
    collection: str | None,
    outcome: str | None,
    reason: str | None,
    stale: bool,
    yes: bool,
) -> None:
    """Send photos through the pipeline again.

    \b
    Examples:
      lakeveil photo retry broken/one.jpg
      lakeveil photo retry --all --outcome quarantined --reason timeout
      lakeveil photo retry --all --stale    redo what a changed policy or model affects
    """
    from lakeveil.flows.review_photo import retry as send_again

    if every == bool(photos):
        raise UsageError(
            "name the photos to retry, or pass --all",
            why="both were given" if every else "neither was given",
            fix="`lakeveil photo ls` lists them",
        )
    with _desk(session) as desk:
        collections = session.settings.photo_collections()
        if every:
            wanted = Outcome(outcome) if outcome else None
            found = [
                record
                for record in desk.ledger.records(collection=collection, outcome=wanted)
                if record.outcome is not Outcome.DELETED
                and (reason is None or record.reason_code == reason)
                and (not stale or _is_stale(record, session))
            ]
            if found:
                session.confirm(f"Send {len(found)} photos through the pipeline again?", yes=yes)
        else:
            found = [find_record(photo, collections, desk.ledger) for photo in photos]
        session.emit({"enqueued": send_again(found, desk)})


@command.command()
@click.argument("photo")
@json_option
@click.pass_obj
def release(session: Session, photo: str) -> None:
    """Release a withdrawn photo again, or answer for one that detection could not settle."""
    from lakeveil.flows.review_photo import release as release_photo

    with _desk(session) as desk:
        record = find_record(photo, session.settings.photo_collections(), desk.ledger)
        release_photo(record, desk)
    session.emit({"photo": _address(record), "decided": "release"})


@command.command()
@click.argument("photo")
@click.option("--box", "boxes", multiple=True, metavar="L,T,W,H", help="Hide this box too.")
@click.option("--keep", "kept", multiple=True, metavar="L,T,W,H", help="Leave faces here alone.")
@click.option("--reset", is_flag=True, help="Forget all boxes given before, first.")
@json_option
@click.pass_obj
def redact(
    session: Session, photo: str, boxes: tuple[str, ...], kept: tuple[str, ...], *, reset: bool
) -> None:
    """Hide more of a photo, or leave a face alone; a new release follows.

    Boxes are left,top,width,height in pixels of the upright photo. A detected face is left alone
    when at least half of it lies in a --keep box.

    \b
    Examples:
      lakeveil photo redact party.jpg --box 120,80,64,64
      lakeveil photo redact party.jpg --keep 300,40,90,110
    """
    from lakeveil.flows import review_photo

    if not (boxes or kept or reset):
        raise UsageError(
            "nothing to do",
            why="no --box, --keep or --reset was given",
            fix="see `lakeveil photo redact --help`",
        )
    hide, keep = [parse_box(text) for text in boxes], [parse_box(text) for text in kept]
    with _desk(session) as desk:
        record = find_record(photo, session.settings.photo_collections(), desk.ledger)
        given = review_photo.reset(record, desk) if reset else None
        if hide or keep:
            given = review_photo.redact(record, desk, hide=hide, keep=keep)
    session.emit({"photo": _address(record), **_given(given)})


@command.command()
@click.argument("photo")
@click.option("--reason", default="withdrawn by a reviewer", help="Kept in the record.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def withdraw(session: Session, photo: str, *, reason: str, yes: bool) -> None:
    """Take a release back, at once and with every older version of it."""
    from lakeveil.flows.review_photo import withdraw as take_back

    with _desk(session) as desk:
        collections = session.settings.photo_collections()
        record = find_record(photo, collections, desk.ledger)
        session.confirm(f"Take the release of {_address(record)} back?", yes=yes)
        done = take_back(record, collection_of(record, collections), desk, reason=reason)
    session.emit({"photo": _address(done), "outcome": done.outcome.value, "reason": done.reason})


@contextmanager
def _desk(session: Session) -> Iterator[ReviewDesk]:
    from lakeveil.adapters.clock import SystemClock
    from lakeveil.flows.review_photo import ReviewDesk
    from lakeveil.wiring.queue import open_queue
    from lakeveil.wiring.state import open_ledger, open_store

    with open_ledger(session.settings) as ledger, closing(open_queue(session.settings)) as queue:
        yield ReviewDesk(
            store=open_store(session.settings), ledger=ledger, queue=queue, clock=SystemClock()
        )


def _is_stale(record: PhotoRecord, session: Session) -> bool:
    """Whether today's policy or model would make something else of a photo."""
    from lakeveil.wiring.darkroom import detector_fingerprint

    for collection in session.settings.photo_collections():
        if collection.name == record.collection:
            if record.policy_version != collection.policy.version:
                return True
            if not record.fingerprint or collection.policy.detector != "bundled":
                return False
            return record.fingerprint != detector_fingerprint(session.settings, collection.policy)
    return False


def _address(record: PhotoRecord) -> str:
    return f"s3://{record.bucket}/{record.key}"


def _row(record: PhotoRecord) -> dict[str, Any]:
    return {
        "photo": _address(record),
        "collection": record.collection,
        "outcome": record.outcome.value,
        "faces": len(record.faces),
        "updated_at": _time(record.updated_at),
        "reason_code": record.reason_code,
        "reason": record.reason,
    }


def _details(record: PhotoRecord, given: Instructions) -> dict[str, Any]:
    return {
        **_row(record),
        "faces": [_face(face) for face in record.faces],
        "version": record.version,
        "etag": record.etag,
        "release_etag": record.release_etag,
        "width": record.width,
        "height": record.height,
        "frames": record.frames,
        "policy_version": record.policy_version,
        "detector": record.detector,
        "fingerprint": record.fingerprint,
        "timings_ms": record.timings_ms,
        **_given(given),
    }


def _face(face: Face) -> dict[str, Any]:
    box = face.box
    return {
        "box": [box.left, box.top, box.width, box.height],
        "confidence": round(face.confidence, 4),
        "network": face.network,
    }


def _given(given: Instructions | None) -> dict[str, Any]:
    if given is None:
        return {}
    return {
        "hide": [[b.left, b.top, b.width, b.height] for b in given.hide],
        "keep": [[b.left, b.top, b.width, b.height] for b in given.keep],
        "approved": given.approved,
        "instructions_revision": given.revision,
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
