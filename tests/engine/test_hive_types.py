"""Hive's types become DuckDB's, and what is not known is refused."""

from __future__ import annotations

import duckdb
import pytest

from lakeveil.adapters.engine.hive_types import duckdb_type
from lakeveil.core.query.failures import QueryError


@pytest.mark.parametrize(
    ("hive", "expected"),
    [
        ("bigint", "BIGINT"),
        ("STRING", "VARCHAR"),
        ("varchar(20)", "VARCHAR"),
        ("char(3)", "VARCHAR"),
        ("decimal(12,2)", "DECIMAL(12,2)"),
        ("decimal( 12 , 2 )", "DECIMAL(12,2)"),
        ("decimal(7)", "DECIMAL(7,0)"),
        ("timestamp(3)", "TIMESTAMP"),
        ("timestamp with time zone", "TIMESTAMPTZ"),
        ("fixed[16]", "BLOB"),
        ("array<int>", "INTEGER[]"),
        ("map<string,array<double>>", "MAP(VARCHAR, DOUBLE[])"),
        (
            "struct<a:int,`b c`:struct<d:decimal(5,1),e:map<string,date>>>",
            'STRUCT("a" INTEGER, "b c" STRUCT("d" DECIMAL(5,1), "e" MAP(VARCHAR, DATE)))',
        ),
        ('struct<a"b:int>', 'STRUCT("a""b" INTEGER)'),
    ],
)
def test_a_type_is_spelt_as_duckdb_does(hive: str, expected: str) -> None:
    assert duckdb_type(hive) == expected
    duckdb.sql(f"SELECT CAST(NULL AS {expected})")


@pytest.mark.parametrize(
    "hive",
    [
        "",
        "blob); DROP TABLE x; --",
        "int)",
        "array<int",
        "array<>",
        "array<int,int>",
        "map<string>",
        "struct<a>",
        "struct<a:int:int>",
        "uniontype<int,string>",
        "decimal(39,1)",
        "decimal(3,4)",
        "array<" * 40 + "int" + ">" * 40,
    ],
)
def test_what_is_no_type_is_refused(hive: str) -> None:
    with pytest.raises(QueryError, match="NOT_SUPPORTED"):
        duckdb_type(hive)
