"""Text to one statement. Queries are read by sqlglot's Trino parser, everything around them here.

Each kind of statement has its own strict reader over the words; what none of them knows is refused,
and an opaque command never comes out of this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql import ddl, dml, utility
from lakeveil.sql.kept import LONGEST, Kept
from lakeveil.sql.parameters import bound
from lakeveil.sql.statements import Execute, Explain, Prepare, Select, Statement
from lakeveil.sql.syntax import query
from lakeveil.sql.words import Words, read

_READERS: Mapping[tuple[str, ...], Callable[[Words], Statement]] = {
    ("INSERT",): dml.insert,
    ("UPDATE",): dml.update,
    ("DELETE",): dml.delete,
    ("MERGE",): dml.merge,
    ("UNLOAD",): dml.unload,
    ("OPTIMIZE",): dml.optimize,
    ("VACUUM",): dml.vacuum,
    ("CREATE", "OR", "REPLACE", "VIEW"): ddl.create_view,
    ("CREATE", "VIEW"): ddl.create_view,
    ("CREATE", "EXTERNAL", "TABLE"): ddl.create_table,
    ("CREATE", "TABLE"): ddl.create_table,
    ("CREATE", "DATABASE"): ddl.create_database,
    ("CREATE", "SCHEMA"): ddl.create_database,
    ("DROP", "TABLE"): ddl.drop_table,
    ("DROP", "VIEW"): ddl.drop_view,
    ("DROP", "DATABASE"): ddl.drop_database,
    ("DROP", "SCHEMA"): ddl.drop_database,
    ("ALTER", "TABLE"): ddl.alter_table,
    ("ALTER", "DATABASE"): ddl.alter_database,
    ("ALTER", "SCHEMA"): ddl.alter_database,
    ("MSCK",): utility.msck,
    ("SHOW",): utility.show,
    ("DESCRIBE",): utility.describe,
    ("DESC",): utility.describe,
    ("EXECUTE",): utility.execute,
    ("DEALLOCATE",): utility.deallocate,
    ("USE",): utility.use,
}
_SELECTS: Kept[Select] = Kept()
"""Queries that were read before. Nobody writes into a tree that came from here; checks copy it."""
_QUERY_FIRST = {"SELECT", "WITH", "VALUES", "TABLE", "("}


def parse(text: str, parameters: Sequence[str] = ()) -> Statement:
    """Read exactly one statement, with its question marks bound to `parameters` as values.

    Raises:
        QueryError: SYNTAX_ERROR with the place; NOT_SUPPORTED for what is none of ours;
            INVALID_PARAMETER_USAGE where question marks and values don't fit.
    """
    key = (text, tuple(parameters))
    before = _SELECTS.get(key)
    if before is not None:
        return before
    statement = _parsed(text, parameters)
    if isinstance(statement, Select) and len(text) <= LONGEST:
        _SELECTS.put(key, statement)
    return statement


def _parsed(text: str, parameters: Sequence[str]) -> Statement:
    words = read(text)
    if words.at("PREPARE"):
        return _prepare(words)
    if parameters and words.at("EXECUTE") and len(words.tokens) == len(("EXECUTE", "name")):
        # Athena's way beside USING: the values are those of the statement that is executed.
        return Execute(name=utility.execute(words).name, parameters=tuple(parameters))
    return _statement(bound(words, parameters))


def _statement(words: Words) -> Statement:
    if words.word() in _QUERY_FIRST:
        return Select(query(words.rest()))
    if words.at("EXPLAIN"):
        return _explain(words)
    for first, reader in _READERS.items():
        if words.at(*first):
            found = reader(words)
            words.end()
            return found
    raise QueryError(
        ErrorName.NOT_SUPPORTED,
        f"statements that begin with `{ascii(words.tokens[0].text[:32])[1:-1]}` cannot be run",
        line=1,
        column=1,
    )


def _explain(words: Words) -> Explain:
    words.demand("EXPLAIN")
    analyze = words.taken("ANALYZE")
    options = {"FORMAT": "text", "TYPE": "distributed"}
    allowed = {
        "FORMAT": ("TEXT", "GRAPHVIZ", "JSON"),
        "TYPE": ("LOGICAL", "DISTRIBUTED", "VALIDATE", "IO"),
    }
    if words.at("(", "FORMAT") or words.at("(", "TYPE"):
        inner = words.parenthesised()
        while True:
            option = inner.one_of("FORMAT", "TYPE")
            options[option] = inner.one_of(*allowed[option]).lower()
            if not inner.taken(","):
                break
        inner.end()
    if words.word() not in _QUERY_FIRST | {"CREATE", "INSERT", "UNLOAD"}:
        raise words.unexpected("a query")
    explained = _statement(words.rest())
    return Explain(
        statement=explained, analyze=analyze, format=options["FORMAT"], type=options["TYPE"]
    )


def _prepare(words: Words) -> Prepare:
    words.demand("PREPARE")
    name = words.name()
    words.demand("FROM")
    inner = words.rest()
    if inner.word() not in _QUERY_FIRST | {"CREATE", "INSERT", "UNLOAD", "DELETE", "UPDATE"}:
        raise inner.unexpected("a statement that can be prepared")
    return Prepare(name=name, sql=inner.source())
