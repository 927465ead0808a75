"""Athena's dialect: how it is read, what its expressions are of which type, what the engine runs.

tree = sqlglot.parse_one(text, dialect=LakeveilAthena)
tree = qualify(tree, schema=..., dialect=LakeveilAthena)
annotate(tree, {"r0": {"price": hive_type("decimal(12,2)")}})
for node in tree.walk(): allowed(node)
sql = to_engine(tree).sql(dialect="duckdb")
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types

from lakeveil.sql.dialect.reading import LakeveilAthena
from lakeveil.sql.dialect.rewriting import to_engine
from lakeveil.sql.dialect.typing import output_types, type_of


def annotate(tree: exp.Expr, schema: Any) -> exp.Expr:
    """Give every expression its type, as Trino has it; `schema` is sqlglot's.

    Raises:
        QueryError: TYPE_MISMATCH, FUNCTION_NOT_FOUND: what Trino's analyzer refuses.
    """
    return annotate_types(tree, schema=schema, dialect=LakeveilAthena)


__all__ = ["LakeveilAthena", "annotate", "output_types", "to_engine", "type_of"]
