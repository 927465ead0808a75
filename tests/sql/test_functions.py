"""Every supported function gives what Trino's reference says; everything else is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
import yaml
from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.dialect import LakeveilAthena
from lakeveil.sql.functions import FUNCTIONS, MACROS, Status, allowed, function_of
from tests.sql.compiled import Compiled, compiled, engine, error_of, first

CONFORMANCE = Path(__file__).parents[2] / "conformance" / "sql"
Example = dict[str, Any]


def _examples(file: str) -> dict[str, list[Example]]:
    found: dict[str, list[Example]] = yaml.safe_load((CONFORMANCE / file).read_text("utf-8"))
    return found


BY_FUNCTION = _examples("functions.yaml")
CASES = [
    pytest.param(example, id=f"{subject}-{number}")
    for file in ("functions.yaml", "language.yaml")
    for subject, examples in _examples(file).items()
    for number, example in enumerate(examples)
]


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return engine()


@pytest.mark.parametrize("example", CASES)
def test_an_example_answers_as_trino_does(
    example: Example, connection: duckdb.DuckDBPyConnection
) -> None:
    assert set(example) <= {"sql", "is", "type", "fails"}
    text = f"SELECT {example['sql']}"
    if "fails" in example:
        assert _failure(text, connection) is ErrorName[example["fails"]]
        return
    query = compiled(text)
    assert first(connection, query) == example["is"], query.sql
    if "type" in example:
        assert query.types[0] == example["type"]


def _failure(text: str, connection: duckdb.DuckDBPyConnection) -> ErrorName | None:
    try:
        query: Compiled = compiled(text)
        connection.execute(query.sql).fetchall()
    except QueryError as error:
        return error.failure.name
    except duckdb.Error as error:
        return error_of(error)
    return None


def test_every_supported_function_has_an_example() -> None:
    supported = {row.name for row in FUNCTIONS if row.status is not Status.REFUSED}
    assert supported == set(BY_FUNCTION)


def test_every_refused_function_says_why() -> None:
    for row in FUNCTIONS:
        if row.status is Status.REFUSED:
            assert row.note
            with pytest.raises(QueryError) as error:
                allowed(exp.Anonymous(this=row.name.upper(), expressions=[exp.null()]))
            assert error.value.failure.name is ErrorName.NOT_SUPPORTED
            assert f"'{row.name.upper()}'" in error.value.failure.message


def _engines_own(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()
    return sorted(name for (name,) in rows if name.isidentifier())


def test_functions_that_only_the_engine_has_are_refused(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    names = _engines_own(connection)
    refused = [name for name in names if function_of(name) is None and name != "row"]
    assert len(refused) > 500
    for name in refused:
        with pytest.raises(QueryError):
            allowed(exp.Anonymous(this=name, expressions=[exp.null()]))


@pytest.mark.parametrize("written", ["{}", "{} /* sqlglot.anonymous */", '"{}"'])
def test_a_function_of_the_engine_does_not_get_through_the_parser(
    written: str, connection: duckdb.DuckDBPyConnection
) -> None:
    """However it is written, and whatever node sqlglot makes of it."""
    for name in _engines_own(connection):
        if function_of(name) is not None or name in _SYNTAX:
            continue
        text = f"SELECT {written.format(name + '(1, 2)')}"
        if written.startswith('"'):
            text = f'SELECT "{name}"(1, 2)'
        with pytest.raises((sqlglot.errors.ParseError, QueryError)):
            _checked(text)


def _checked(text: str) -> None:
    for node in sqlglot.parse_one(text, dialect=LakeveilAthena).walk():
        allowed(node)


# `row(1, 2)` and `position(1, 2)` mean in Trino what they look like.
_SYNTAX = {"row", "position"}


def test_every_node_that_sqlglot_calls_a_function_is_refused_unless_it_has_a_syntax() -> None:
    let_through = []
    for kind in exp.ALL_FUNCTIONS:
        try:
            allowed(kind())
        except QueryError:
            continue
        let_through.append(kind.__name__)
    assert sorted(let_through) == [
        "And",
        "Array",
        "Case",
        "Cast",
        "CurrentDate",
        "CurrentTimestamp",
        "Exists",
        "If",
        "Localtimestamp",
        "Or",
        "TryCast",
        "Unnest",
    ]


def test_nothing_need_be_defined_in_the_engine() -> None:
    assert MACROS == ()


def test_a_function_is_named_as_its_user_wrote_it() -> None:
    with pytest.raises(QueryError, match="'My_Fn' not registered"):
        compiled("SELECT My_Fn(1)")
