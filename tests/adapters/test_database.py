"""The state database: made from nothing, brought up from every older schema, refused if newer."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from lakeveil.adapters import migrations
from lakeveil.adapters.database import open_database
from lakeveil.adapters.migrations import HEAD, KNOWN
from lakeveil.errors import SetupError
from tests.new_database import lay_down


def at_revision(path: Path, revision: str) -> None:
    """A database as the version wrote it that knew up to `revision`."""
    engine = sa.create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def schema(path: Path) -> Sequence[tuple[str, str]]:
    """Every table, index and trigger, as SQLite keeps it."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def revision(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        (found,) = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return str(found[0])


def test_a_new_database_has_the_newest_schema(tmp_path: Path) -> None:
    path = tmp_path / "home" / "state.db"
    open_database(f"sqlite:///{path}").dispose()
    assert revision(path) == HEAD
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("older", KNOWN[:-1])
def test_every_older_schema_becomes_that_of_a_new_database(tmp_path: Path, older: str) -> None:
    at_revision(tmp_path / "old.db", older)
    assert revision(tmp_path / "old.db") == older
    open_database(f"sqlite:///{tmp_path / 'old.db'}").dispose()
    open_database(f"sqlite:///{tmp_path / 'new.db'}").dispose()
    assert schema(tmp_path / "old.db") == schema(tmp_path / "new.db")


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    lay_down(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    before = schema(path)
    with pytest.raises(SetupError, match="schema 9999") as refused:
        open_database(f"sqlite:///{path}")
    assert "newer version" in refused.value.why
    assert (schema(path), revision(path)) == (before, "9999")


def test_what_is_written_is_on_the_disk_before_it_is_said_to_be(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    engine.dispose()
