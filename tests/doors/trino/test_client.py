"""Trino's own client, unmodified, sees what its principal may see, with the types that it has."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from trino.exceptions import HttpError, TrinoQueryError, TrinoUserError

from tests.doors.trino.running_queries import SEEN, Served, connect


def rows(served: Served, sql: str, params: Any = None, **more: Any) -> list[tuple[Any, ...]]:
    """What a statement gives."""
    cursor = served.connect(**more).cursor()
    cursor.execute(sql, params)
    return [tuple(row) for row in cursor.fetchall()]


def test_every_type_comes_back_exactly(served: Served) -> None:
    cursor = served.connect().cursor()
    cursor.execute("SELECT * FROM events ORDER BY id")
    first, second = cursor.fetchall()
    types = {one.name: one.type_code for one in cursor.description}
    assert types == {
        "id": "bigint",
        "name": "varchar",
        "price": "decimal(12,2)",
        "seen": "timestamp(6)",
        "day": "date",
        "score": "double",
        "tags": "array(varchar)",
        "attrs": "map(varchar, bigint)",
        "spot": "row(x bigint, label varchar)",
        "raw": "varbinary",
    }
    got = dict(zip(types, first, strict=True))
    assert got["name"] == 'says "no",\nreally'
    assert got["price"] == Decimal("12.30")
    assert got["seen"] == SEEN
    assert got["day"] == date(2026, 1, 31)
    assert got["score"] != got["score"]  # NaN
    assert got["tags"] == ["a, b", None, "null"]
    assert got["attrs"] == {"k=v": 1, "n": None}
    assert tuple(got["spot"]) == (2**53 + 1, "é")
    assert got["raw"] == b"\x00\xff"
    assert second[1:] == [None] * 9


def test_a_hidden_column_is_not_there(served: Served) -> None:
    with pytest.raises(TrinoUserError) as error:
        rows(served, "SELECT\n  ip_address FROM events")
    assert error.value.error_name == "COLUMN_NOT_FOUND"
    assert error.value.error_code == 47
    assert error.value.error_location == (2, 3)


def test_a_table_that_is_not_granted_is_not_there(served: Served) -> None:
    with pytest.raises(TrinoUserError) as error:
        rows(served, "SELECT * FROM many", who="bob")
    assert error.value.error_name in {"TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND"}


@pytest.mark.parametrize("legacy", [False, True])
def test_parameters_are_bound_as_values(served: Served, legacy: bool) -> None:
    sql = "SELECT id FROM events WHERE name = ? AND price = ? AND day = ?"
    values = ['says "no",\nreally', Decimal("12.30"), date(2026, 1, 31)]
    more = {"legacy_prepared_statements": legacy}
    assert rows(served, sql, values, **more) == [(1,)]
    assert rows(served, "SELECT id FROM events WHERE name = ?", ["' OR 1=1 --"], **more) == []


def test_a_large_result_comes_in_pages_and_in_order(served: Served) -> None:
    found = rows(served, "SELECT n FROM many ORDER BY n")
    assert found == [(n,) for n in range(25_000)]


def test_an_empty_result_has_its_columns(served: Served) -> None:
    cursor = served.connect().cursor()
    cursor.execute("SELECT id, name FROM events WHERE id = 3")
    assert cursor.fetchall() == []
    assert [one.name for one in cursor.description] == ["id", "name"]


def test_statistics_tell_what_was_read(served: Served) -> None:
    # Whoever has read a file before reads it from memory.
    cursor = served.connect("admin").cursor()
    cursor.execute("SELECT sum(n) FROM many")
    assert cursor.fetchall() == [[312_487_500]]
    assert cursor.stats["state"] == "FINISHED"
    assert cursor.stats["processedBytes"] > 0


def test_use_changes_the_schema_of_the_connection(served: Served) -> None:
    connection = served.connect(schema=None)
    cursor = connection.cursor()
    cursor.execute("USE ads").fetchall()
    cursor.execute("SELECT count(*) FROM many")
    assert cursor.fetchall() == [[25_000]]


def test_a_schema_that_may_not_be_known_cannot_be_used(served: Served) -> None:
    for name in ("secret", "missing"):
        with pytest.raises(TrinoUserError) as error:
            rows(served, f"USE {name}")
        assert error.value.error_name == "SCHEMA_NOT_FOUND"


def test_a_workgroup_is_chosen_by_tag_property_or_statement(served: Served) -> None:
    def workgroup(cursor: Any) -> str:
        cursor.execute("SELECT 1").fetchall()
        found = served.desk.log.get("123456789012", cursor.query_id)
        assert found is not None
        return found.workgroup

    assert workgroup(served.connect().cursor()) == "primary"
    assert workgroup(served.connect(client_tags=["x", "workgroup=bu-a"]).cursor()) == "bu-a"
    chosen = {"workgroup": "bu-a"}
    assert workgroup(served.connect(session_properties=chosen).cursor()) == "bu-a"
    connection = served.connect()
    connection.cursor().execute("SET SESSION workgroup = 'bu-a'").fetchall()
    assert workgroup(connection.cursor()) == "bu-a"
    assert ["workgroup", "bu-a"] in [
        row[:2] for row in connection.cursor().execute("SHOW SESSION").fetchall()
    ]
    connection.cursor().execute("RESET SESSION workgroup").fetchall()
    assert workgroup(connection.cursor()) == "primary"


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"session_properties": {"query_max_run_time": "1h"}}, "INVALID_SESSION_PROPERTY"),
        ({"catalog": "hive"}, "CATALOG_NOT_FOUND"),
        ({"client_tags": ["workgroup=off"]}, "INVALID_ARGUMENTS"),
        ({"client_tags": ["workgroup=missing"]}, "NOT_FOUND"),
        ({"who": "powerless"}, "PERMISSION_DENIED"),
        ({"who": "ana", "user": "bob"}, "PERMISSION_DENIED"),
    ],
)
def test_what_cannot_be_had_is_refused(served: Served, more: dict[str, Any], name: str) -> None:
    if "user" in more:
        headers = {"Authorization": served.authorization("ana")}
        connection = connect(host="127.0.0.1", port=served.port, user="bob", http_headers=headers)
    else:
        connection = served.connect(**more)
    with pytest.raises(TrinoQueryError) as error:
        connection.cursor().execute("SELECT 1").fetchall()
    assert error.value.error_name == name


@pytest.mark.parametrize(
    "sql", ["START TRANSACTION", "COMMIT", "ROLLBACK", "SET ROLE admin", "DESCRIBE OUTPUT st_1"]
)
def test_what_is_not_supported_says_so(served: Served, sql: str) -> None:
    with pytest.raises(TrinoUserError) as error:
        rows(served, sql)
    assert error.value.error_name == "NOT_SUPPORTED"


def test_transactions_are_refused(served: Served) -> None:
    from trino.transaction import IsolationLevel

    connection = served.connect(isolation_level=IsolationLevel.SERIALIZABLE)
    with pytest.raises(TrinoUserError, match="Transactions are not supported"):
        connection.cursor()


def test_a_statement_that_was_not_prepared_is_not_found(served: Served) -> None:
    for sql in ("EXECUTE missing USING 1", "DEALLOCATE PREPARE missing"):
        with pytest.raises(TrinoUserError) as error:
            rows(served, sql)
        assert error.value.error_name == "NOT_FOUND"


def test_what_there_is_is_shown_as_trino_shows_it(served: Served) -> None:
    assert rows(served, "SHOW CATALOGS") == [("awsdatacatalog",)]
    assert rows(served, "SHOW SCHEMAS FROM awsdatacatalog") == [("ads",)]
    assert rows(served, "SHOW SCHEMAS LIKE 's%'") == []
    assert rows(served, 'SHOW TABLES FROM "ads"') == [("events",), ("many",)]
    assert rows(served, "SHOW TABLES FROM awsdatacatalog.ads LIKE 'm_n%'") == [("many",)]
    with pytest.raises(TrinoUserError, match="Catalog 'hive'"):
        rows(served, "SHOW SCHEMAS FROM hive")


@pytest.mark.parametrize("sql", ["DESCRIBE events", 'SHOW COLUMNS FROM "ads"."events"'])
def test_columns_are_described_with_trinos_types(served: Served, sql: str) -> None:
    cursor = served.connect().cursor()
    found = cursor.execute(sql).fetchall()
    assert [one.name for one in cursor.description] == ["Column", "Type", "Extra", "Comment"]
    assert ["id", "bigint", "", ""] in found
    assert ["spot", "row(x bigint, label varchar)", "", ""] in found
    assert ["seen", "timestamp(6)", "", ""] in found
    assert "ip_address" not in {row[0] for row in found}


def test_a_plan_is_one_text(served: Served) -> None:
    found = rows(served, "EXPLAIN SELECT id FROM events")
    assert len(found) == 1
    assert "TableScan" in found[0][0]
    assert "ip_address" not in found[0][0]


def test_a_table_can_be_made_and_dropped(served: Served) -> None:
    connection = served.connect("admin")
    cursor = connection.cursor()
    cursor.execute(
        "CREATE TABLE ads.made WITH (format = 'PARQUET', "
        "external_location = 's3://lake/ads/made/') AS SELECT 1 AS a, 'x' AS b"
    )
    assert cursor.update_type == "CREATE TABLE"
    assert cursor.rowcount == 1
    assert connection.cursor().execute("SELECT a, b FROM ads.made").fetchall() == [[1, "x"]]
    dropped = connection.cursor()
    dropped.execute("DROP TABLE ads.made")
    assert dropped.update_type == "DROP TABLE"


def test_a_cursor_that_is_closed_cancels_its_query(served: Served) -> None:
    cursor = served.connect().cursor()
    cursor.execute("SELECT a.n FROM many a ORDER BY 1")
    cursor.cancel()
    found = served.desk.log.get("123456789012", cursor.query_id)
    assert found is not None
    assert found.state.over


def test_a_wrong_secret_is_refused(served: Served) -> None:
    with pytest.raises(HttpError, match="401"):
        rows(served, "SELECT 1", http_headers={"Authorization": "Basic QUtJQTpzZWNyZXQ="})
