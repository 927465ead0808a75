"""Statements that write rows: INSERT, UPDATE, DELETE, MERGE, UNLOAD, OPTIMIZE, VACUUM."""

from __future__ import annotations

from lakeveil.sql import syntax
from lakeveil.sql.statements import (
    Condition,
    Delete,
    Insert,
    Merge,
    MergeCase,
    Optimize,
    Unload,
    Update,
    Vacuum,
)
from lakeveil.sql.words import Words

_QUERY_FIRST = {"SELECT", "WITH", "VALUES", "TABLE", "("}
_CLAUSES = {"WHERE", "SET", "USING", "ON", "WHEN", "AS"}


def insert(words: Words) -> Insert:
    """INSERT INTO table [(column, ...)] query."""
    words.demand("INSERT", "INTO")
    table = syntax.table(words)
    named = words.at("(") and words.word(1) not in {*_QUERY_FIRST}
    columns = syntax.names(words) if named else ()
    if words.word() not in _QUERY_FIRST:
        raise words.unexpected("a query")
    return Insert(table=table, columns=columns, query=syntax.query(words.rest()))


def delete(words: Words) -> Delete:
    """DELETE FROM table [alias] [WHERE condition]."""
    words.demand("DELETE", "FROM")
    table = syntax.table(words)
    alias = _alias(words)
    return Delete(table=table, alias=alias, where=_where(words))


def update(words: Words) -> Update:
    """UPDATE table [alias] SET column = expression, ... [WHERE condition]."""
    words.demand("UPDATE")
    table = syntax.table(words)
    alias = _alias(words)
    words.demand("SET")
    assignments = _assignments(words, ends={"WHERE"})
    return Update(table=table, alias=alias, assignments=assignments, where=_where(words))


def merge(words: Words) -> Merge:
    """MERGE INTO table USING source ON condition WHEN ..."""
    words.demand("MERGE", "INTO")
    table = syntax.table(words)
    alias = _alias(words)
    words.demand("USING")
    source = syntax.relation(_until(words, {"ON"}))
    words.demand("ON")
    on = syntax.condition(_until(words, {"WHEN"}))
    cases = []
    while words.at("WHEN"):
        cases.append(_merge_case(words))
    if not cases:
        raise words.unexpected("`WHEN`")
    return Merge(table=table, alias=alias, source=source, on=on, cases=tuple(cases))


def _merge_case(words: Words) -> MergeCase:
    words.demand("WHEN")
    matched = not words.taken("NOT")
    words.demand("MATCHED")
    condition = syntax.condition(_until(words, {"THEN"})) if words.taken("AND") else None
    words.demand("THEN")
    if not matched:
        words.demand("INSERT")
        columns = syntax.names(words) if words.at("(") else ()
        words.demand("VALUES")
        values = _listed(words.parenthesised())
        if columns and len(columns) != len(values):
            raise words.unexpected("as many values as columns")
        return MergeCase(
            matched=False, action="insert", condition=condition, columns=columns, values=values
        )
    if words.taken("DELETE"):
        return MergeCase(matched=True, action="delete", condition=condition)
    words.demand("UPDATE", "SET")
    assignments = _assignments(words, ends={"WHEN"})
    return MergeCase(
        matched=True,
        action="update",
        condition=condition,
        columns=tuple(name for name, _ in assignments),
        values=tuple(value for _, value in assignments),
    )


def unload(words: Words) -> Unload:
    """UNLOAD (query) TO 's3://...' [WITH (property = value, ...)]."""
    words.demand("UNLOAD")
    query = syntax.query(words.parenthesised())
    words.demand("TO")
    location = words.string()
    properties = syntax.properties(words) if words.taken("WITH") else {}
    return Unload(query=query, location=location, properties=properties)


def optimize(words: Words) -> Optimize:
    """OPTIMIZE table REWRITE DATA USING BIN_PACK [WHERE condition]."""
    words.demand("OPTIMIZE")
    table = syntax.table(words)
    words.demand("REWRITE", "DATA", "USING", "BIN_PACK")
    return Optimize(table=table, where=_where(words))


def vacuum(words: Words) -> Vacuum:
    """VACUUM table."""
    words.demand("VACUUM")
    return Vacuum(table=syntax.table(words))


def _alias(words: Words) -> str:
    if words.taken("AS"):
        return words.name()
    return "" if words.over or words.word() in _CLAUSES else words.name()


def _where(words: Words) -> Condition | None:
    return syntax.condition(words.rest()) if words.taken("WHERE") else None


def _assignments(words: Words, *, ends: set[str]) -> tuple[tuple[str, Condition], ...]:
    found = []
    while True:
        name = words.name()
        words.demand("=")
        found.append((name, syntax.condition(_until(words, {",", *ends}))))
        if not words.taken(","):
            break
    if len({name for name, _ in found}) != len(found):
        raise words.unexpected("each column once")
    return tuple(found)


def _listed(words: Words) -> tuple[Condition, ...]:
    found = [syntax.condition(_until(words, {","}))]
    while words.taken(","):
        found.append(syntax.condition(_until(words, {","})))
    words.end()
    return tuple(found)


def _until(words: Words, ends: set[str]) -> Words:
    """The words up to one of these that stands in no parentheses, bracket or CASE."""
    start = words.next
    depth = 0
    while not words.over:
        word = words.word()
        if depth == 0 and word in ends:
            break
        depth += 1 if word in {"(", "[", "CASE"} else -1 if word in {")", "]", "END"} else 0
        words.next += 1
    return Words(words.tokens[start : words.next], words.text)
