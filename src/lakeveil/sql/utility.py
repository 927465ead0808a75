"""Statements that show something or concern the session: SHOW, DESCRIBE, MSCK, EXECUTE, USE, ..."""

from __future__ import annotations

from lakeveil.sql import syntax
from lakeveil.sql.ddl import partition
from lakeveil.sql.parameters import constant
from lakeveil.sql.statements import (
    Deallocate,
    Describe,
    Execute,
    MsckRepair,
    ShowColumns,
    ShowCreateTable,
    ShowCreateView,
    ShowDatabases,
    ShowPartitions,
    ShowTableProperties,
    ShowTables,
    ShowViews,
    Statement,
    TableRef,
    Use,
)
from lakeveil.sql.words import Words


def show(words: Words) -> Statement:  # noqa: PLR0911 - one per thing shown
    """SHOW DATABASES, TABLES, VIEWS, COLUMNS, CREATE TABLE, CREATE VIEW, PARTITIONS, ..."""
    words.demand("SHOW")
    if words.taken("DATABASES") or words.taken("SCHEMAS"):
        return ShowDatabases(like=_like(words))
    if words.taken("TABLES"):
        return ShowTables(database=_in_database(words), like=_like(words))
    if words.taken("VIEWS"):
        return ShowViews(database=_in_database(words), like=_like(words))
    if words.taken("COLUMNS"):
        return ShowColumns(table=_columns_of(words))
    if words.taken("PARTITIONS"):
        return ShowPartitions(table=syntax.table(words))
    if words.taken("TBLPROPERTIES"):
        table = syntax.table(words)
        name = ""
        if words.at("("):
            inner = words.parenthesised()
            name = inner.string()
            inner.end()
        return ShowTableProperties(table=table, name=name)
    words.demand("CREATE")
    if words.one_of("TABLE", "VIEW") == "VIEW":
        return ShowCreateView(view=syntax.table(words))
    return ShowCreateTable(table=syntax.table(words))


def _like(words: Words) -> str | None:
    if words.taken("LIKE"):
        return words.string()
    return None if words.over else words.string()


def _in_database(words: Words) -> str:
    return words.name() if words.taken("IN") or words.taken("FROM") else ""


def _columns_of(words: Words) -> TableRef:
    words.one_of("IN", "FROM")
    table = syntax.table(words)
    if not table.database and (words.taken("IN") or words.taken("FROM")):
        return TableRef(table.table, words.name(), "", table.line, table.column)
    return table


def describe(words: Words) -> Describe:
    """DESCRIBE [EXTENDED | FORMATTED] table [PARTITION (...)] [column]."""
    words.one_of("DESCRIBE", "DESC")
    detail = (
        words.one_of("EXTENDED", "FORMATTED")
        if words.word()
        in {
            "EXTENDED",
            "FORMATTED",
        }
        and len(words.tokens) > words.next + 1
        else ""
    )
    table = syntax.table(words)
    found = partition(words) if words.at("PARTITION") else None
    name = "" if words.over else words.name()
    return Describe(table=table, detail=detail.lower(), partition=found, name=name)


def msck(words: Words) -> MsckRepair:
    """MSCK REPAIR TABLE table."""
    words.demand("MSCK", "REPAIR", "TABLE")
    return MsckRepair(table=syntax.table(words))


def execute(words: Words) -> Execute:
    """EXECUTE name [USING constant, ...]."""
    words.demand("EXECUTE")
    name = words.name()
    parameters: list[str] = []
    if words.taken("USING"):
        parameters.append(_parameter(words))
        while words.taken(","):
            parameters.append(_parameter(words))
    return Execute(name=name, parameters=tuple(parameters))


def _parameter(words: Words) -> str:
    start = words.next
    depth = 0
    while not words.over and not (depth == 0 and words.at(",")):
        depth += 1 if words.at("(") else -1 if words.at(")") else 0
        words.next += 1
    text = Words(words.tokens[start : words.next], words.text).source()
    constant(text)
    return text


def deallocate(words: Words) -> Deallocate:
    """DEALLOCATE PREPARE name."""
    words.demand("DEALLOCATE", "PREPARE")
    return Deallocate(name=words.name())


def use(words: Words) -> Use:
    """USE [catalog.]database."""
    words.demand("USE")
    return Use(database=syntax.database(words))
