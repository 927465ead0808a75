"""`lakeveil detect`: show the faces found in files, with no server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lakeveil.cli.session import Session, json_option
from lakeveil.core.photos import Preset, RedactionPolicy
from lakeveil.errors import CannotLook


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE...",
)
@click.option(
    "--preset",
    type=click.Choice([p.value for p in Preset]),
    default=Preset.DEFAULT.value,
    show_default=True,
    help="Detector preset.",
)
@click.option("--min-confidence", type=float, help="Probability from which it is a face (0 to 1).")
@json_option
@click.pass_obj
def command(
    session: Session, files: tuple[Path, ...], preset: str, min_confidence: float | None
) -> int:
    """Show the faces in files: one line each, or with --json Rekognition's `FaceDetails`.

    Animations and documents have one entry for each frame or page. The exit code is 1 if a file
    could not be examined; "no face" is only ever said of one that was.

    \b
    Examples:
      lakeveil detect party.jpg
      lakeveil detect --json *.jpg | jq '.[].FaceDetails | length'
    """
    from lakeveil.wiring.darkroom import open_darkroom

    policy = RedactionPolicy(preset=Preset(preset), min_confidence=min_confidence)
    limit = session.settings.limits.max_bytes
    documents: list[dict[str, Any]] = []
    with open_darkroom(session.settings, policies=[policy]) as darkroom:
        for file in files:
            try:
                with file.open("rb") as opened:
                    found = darkroom.examine(opened.read(limit + 1), policy=policy)
            except CannotLook as error:
                documents.append({"File": str(file), "Error": error.as_dict()})
                continue
            for frame, (look, details) in enumerate(
                zip(found.detections, found.face_details, strict=True)
            ):
                documents.append(
                    {
                        "File": str(file),
                        "Frame": frame,
                        "Width": look.width,
                        "Height": look.height,
                        "Detector": look.detector,
                        "FaceDetails": list(details),
                    }
                )
    failed = [d for d in documents if "Error" in d]
    if session.as_json:
        session.emit(documents)
        return 1 if failed else 0
    columns = ["file", "frame", "confidence", "left", "top", "width", "height"]
    session.emit_rows(_rows(documents), columns, empty="no face was found")
    for document in failed:
        told = document["Error"]
        session.fail({**told, "what": f"{document['File']}: {told['what']}"})
    return 1 if failed else 0


def _rows(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a face, its box in pixels of the upright photo."""
    return [
        {
            "file": document["File"],
            "frame": document["Frame"],
            "confidence": round(face["Confidence"], 2),
            "left": round(face["BoundingBox"]["Left"] * document["Width"]),
            "top": round(face["BoundingBox"]["Top"] * document["Height"]),
            "width": round(face["BoundingBox"]["Width"] * document["Width"]),
            "height": round(face["BoundingBox"]["Height"] * document["Height"]),
        }
        for document in documents
        for face in document.get("FaceDetails", ())
    ]
