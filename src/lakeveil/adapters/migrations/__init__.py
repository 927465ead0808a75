"""Our schema's history, forward only; `upgrade` brings a database to `HEAD`."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from lakeveil.errors import SetupError

KNOWN = ("0001", "0002", "0003", "0004", "0005", "0006")
HEAD = KNOWN[-1]


def upgrade(engine: sa.Engine, current: str | None) -> None:
    """Run the missing migrations; safe when several processes start at once.

    Raises:
        SetupError: the schema is newer than this Lakeveil.
    """
    if current is not None and current not in KNOWN:
        raise SetupError(
            f"the state database has schema {current}, which this Lakeveil does not know",
            why=f"it was written by a newer version; this one knows up to {HEAD}",
            fix="upgrade Lakeveil, or restore a backup of the state made before",
        )
    from alembic import command  # noqa: PLC0415 - slow to import, seldom needed
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
