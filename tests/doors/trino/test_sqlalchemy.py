"""Trino's dialect of SQLAlchemy, and the tables that tell of the catalog, as each one sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from trino.exceptions import TrinoUserError

from tests.doors.trino.running_queries import Served


@pytest.fixture
def engine(served: Served) -> Iterator[sa.Engine]:
    """An engine as ana."""
    made = sa.create_engine(
        f"trino://ana@127.0.0.1:{served.port}/awsdatacatalog/ads",
        connect_args={"http_headers": {"Authorization": served.authorization("ana")}},
    )
    yield made
    made.dispose()


def test_the_inspector_sees_what_its_principal_sees(engine: sa.Engine) -> None:
    inspector = sa.inspect(engine)
    assert inspector.get_schema_names() == ["ads", "information_schema"]
    assert inspector.get_table_names("ads") == ["events", "many"]
    assert inspector.get_view_names("ads") == []
    assert inspector.has_table("events", "ads")
    assert not inspector.has_table("missing", "ads")
    columns = {one["name"]: str(one["type"]) for one in inspector.get_columns("events", "ads")}
    assert "ip_address" not in columns
    assert columns["id"] == "BIGINT"
    assert columns["price"] == "DECIMAL(12, 2)"
    assert columns["seen"] == "TIMESTAMP"


def test_statements_have_parameters(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        found = connection.execute(
            sa.text("SELECT id FROM events WHERE id = :id OR name = :name"),
            {"id": 2, "name": "o'hare"},
        )
        assert found.all() == [(2,)]


def rows(served: Served, sql: str, who: str = "ana") -> list[Any]:
    """What a statement gives."""
    found: list[Any] = served.connect(who).cursor().execute(sql).fetchall()
    return found


def test_metadata_differs_by_who_asks(served: Served) -> None:
    names = "SELECT table_name FROM information_schema.tables ORDER BY 1"
    assert rows(served, names) == [["events"], ["many"]]
    assert rows(served, names, "bob") == []
    columns = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'ip_address'"
    assert rows(served, columns) == [[0]]
    assert rows(served, columns, "admin") == [[1]]
    schemata = "SELECT schema_name FROM information_schema.schemata WHERE schema_name = 'secret'"
    assert rows(served, schemata) == []
    assert rows(served, schemata, "admin") == [["secret"]]


def test_other_metadata_is_not_there(served: Served) -> None:
    for name in ("information_schema.role_authorization", "information_schema.missing"):
        with pytest.raises(TrinoUserError) as error:
            rows(served, f"SELECT * FROM {name}")
        assert error.value.error_name == "TABLE_NOT_FOUND"
