"""Statements that make, change and drop tables, views and databases, as Athena writes them.

Grammar: Athena user guide, "DDL statements"; Iceberg's partition transforms are those of its
"Creating Iceberg tables".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lakeveil.sql import syntax
from lakeveil.sql.statements import (
    AddColumns,
    AddPartitions,
    AlterDatabase,
    AlterTable,
    ChangeColumn,
    ColumnDefinition,
    CreateDatabase,
    CreateTable,
    CreateTableAs,
    CreateView,
    DropColumn,
    DropDatabase,
    DropPartitions,
    DropTable,
    DropView,
    PartitionSpec,
    PartitionTransform,
    RenamePartition,
    RenameTable,
    SetLocation,
    SetTableProperties,
    TableRef,
)
from lakeveil.sql.words import Words

_PLAIN_TRANSFORMS = {"YEAR", "MONTH", "DAY", "HOUR", "YEARS", "MONTHS", "DAYS", "HOURS"}
_SIZED_TRANSFORMS = {"BUCKET", "TRUNCATE"}


def create_table(words: Words) -> CreateTable | CreateTableAs:
    """CREATE [EXTERNAL] TABLE [IF NOT EXISTS] table (...) ..., or ... AS query."""
    words.demand("CREATE")
    external = words.taken("EXTERNAL")
    words.demand("TABLE")
    exists = words.taken("IF", "NOT", "EXISTS")
    table = syntax.table(words)
    if not external and words.word() in {"WITH", "AS"}:
        return _create_table_as(words, table, exists=exists)
    columns = syntax.columns(words)
    parts: dict[str, Any] = {}
    while not words.over:
        _clause(words, parts)
    return CreateTable(
        table=table, columns=columns, external=external, if_not_exists=exists, **parts
    )


def _create_table_as(words: Words, table: TableRef, *, exists: bool) -> CreateTableAs:
    properties = syntax.properties(words) if words.taken("WITH") else {}
    words.demand("AS")
    rest = words.rest()
    last = [token.text.upper() for token in rest.tokens[-3:]]
    with_data = last[-3:] != ["WITH", "NO", "DATA"]
    if not with_data:
        rest = Words(rest.tokens[:-3], rest.text)
    elif last[-2:] == ["WITH", "DATA"]:
        rest = Words(rest.tokens[:-2], rest.text)
    return CreateTableAs(
        table=table,
        query=syntax.query(rest),
        properties=properties,
        if_not_exists=exists,
        with_data=with_data,
    )


def _clause(words: Words, parts: dict[str, Any]) -> None:
    """One clause behind the columns, each at most once."""
    for first, name, reader in _CLAUSES:
        if words.taken(*first):
            found = {name: reader(words)} if name else reader(words)
            if not parts.keys().isdisjoint(found):
                raise words.unexpected("each clause once")
            parts.update(found)
            return
    raise words.unexpected("a clause of CREATE TABLE")


def _partitioned_by(words: Words) -> dict[str, Any]:
    inner = words.parenthesised()
    columns: list[ColumnDefinition] = []
    transforms: list[PartitionTransform] = []
    while True:
        if inner.word() in _PLAIN_TRANSFORMS | _SIZED_TRANSFORMS and inner.word(1) == "(":
            transforms.append(_transform(inner))
        elif inner.word(1) == "," or inner.next + 1 >= len(inner.tokens):
            transforms.append(PartitionTransform(inner.name()))
        else:
            columns.append(syntax.column(inner))
        if not inner.taken(","):
            break
    inner.end()
    if columns and transforms:
        raise inner.unexpected("columns with types, or transforms, not both")
    return {"partitions": tuple(columns), "transforms": tuple(transforms)}


def _transform(words: Words) -> PartitionTransform:
    name = words.name()
    inner = words.parenthesised()
    argument = None
    if name.upper() in _SIZED_TRANSFORMS:
        argument = inner.number()
        inner.demand(",")
    column = inner.name()
    inner.end()
    return PartitionTransform(column, name.removesuffix("s"), argument)


def _row_format(words: Words) -> dict[str, Any]:
    if words.taken("SERDE"):
        found: dict[str, Any] = {"serde": words.string()}
        if words.taken("WITH", "SERDEPROPERTIES"):
            found["serde_properties"] = syntax.text_properties(words)
        return found
    words.demand("DELIMITED")
    delimited: dict[str, str] = {}
    if words.taken("FIELDS", "TERMINATED", "BY"):
        delimited["fields"] = words.string()
        if words.taken("ESCAPED", "BY"):
            delimited["escaped"] = words.string()
    if words.taken("COLLECTION", "ITEMS", "TERMINATED", "BY"):
        delimited["items"] = words.string()
    if words.taken("MAP", "KEYS", "TERMINATED", "BY"):
        delimited["keys"] = words.string()
    if words.taken("LINES", "TERMINATED", "BY"):
        delimited["lines"] = words.string()
    if words.taken("NULL", "DEFINED", "AS"):
        delimited["null"] = words.string()
    return {"delimited": delimited}


def _stored_as(words: Words) -> dict[str, Any]:
    if words.taken("INPUTFORMAT"):
        found = {"input_format": words.string()}
        words.demand("OUTPUTFORMAT")
        return found | {"output_format": words.string()}
    return {"stored_as": words.name()}


_CLAUSES: tuple[tuple[tuple[str, ...], str, Callable[[Words], Any]], ...] = (
    (("COMMENT",), "comment", Words.string),
    (("PARTITIONED", "BY"), "", _partitioned_by),
    (("ROW", "FORMAT"), "", _row_format),
    (("WITH", "SERDEPROPERTIES"), "serde_properties", syntax.text_properties),
    (("STORED", "AS"), "", _stored_as),
    (("LOCATION",), "location", Words.string),
    (("TBLPROPERTIES",), "properties", syntax.text_properties),
)


def drop_table(words: Words) -> DropTable:
    """DROP TABLE [IF EXISTS] table."""
    words.demand("DROP", "TABLE")
    exists = words.taken("IF", "EXISTS")
    return DropTable(table=syntax.table(words), if_exists=exists)


def create_view(words: Words) -> CreateView:
    """CREATE [OR REPLACE] VIEW view [(column, ...)] AS query."""
    words.demand("CREATE")
    replace = words.taken("OR", "REPLACE")
    words.demand("VIEW")
    view = syntax.table(words)
    columns = syntax.names(words) if words.at("(") else ()
    words.demand("AS")
    return CreateView(view=view, columns=columns, replace=replace, query=syntax.query(words.rest()))


def drop_view(words: Words) -> DropView:
    """DROP VIEW [IF EXISTS] view."""
    words.demand("DROP", "VIEW")
    exists = words.taken("IF", "EXISTS")
    return DropView(view=syntax.table(words), if_exists=exists)


def create_database(words: Words) -> CreateDatabase:
    """CREATE DATABASE [IF NOT EXISTS] database [COMMENT ...] [LOCATION ...] [WITH ...]."""
    words.demand("CREATE")
    words.one_of("DATABASE", "SCHEMA")
    exists = words.taken("IF", "NOT", "EXISTS")
    database = syntax.database(words)
    comment = words.string() if words.taken("COMMENT") else ""
    location = words.string() if words.taken("LOCATION") else ""
    properties = syntax.text_properties(words) if words.taken("WITH", "DBPROPERTIES") else {}
    return CreateDatabase(
        database=database,
        if_not_exists=exists,
        comment=comment,
        location=location,
        properties=properties,
    )


def drop_database(words: Words) -> DropDatabase:
    """DROP DATABASE [IF EXISTS] database [RESTRICT | CASCADE]."""
    words.demand("DROP")
    words.one_of("DATABASE", "SCHEMA")
    exists = words.taken("IF", "EXISTS")
    database = syntax.database(words)
    cascade = words.taken("CASCADE")
    if not cascade:
        words.taken("RESTRICT")
    return DropDatabase(database=database, if_exists=exists, cascade=cascade)


def alter_database(words: Words) -> AlterDatabase:
    """ALTER DATABASE database SET DBPROPERTIES (...)."""
    words.demand("ALTER")
    words.one_of("DATABASE", "SCHEMA")
    database = syntax.database(words)
    words.demand("SET", "DBPROPERTIES")
    return AlterDatabase(database=database, properties=syntax.text_properties(words))


def alter_table(words: Words) -> AlterTable:
    """ALTER TABLE table ..."""
    words.demand("ALTER", "TABLE")
    table = syntax.table(words)
    if words.at("PARTITION"):
        return _alter_partition(words, table)
    action = words.one_of("ADD", "REPLACE", "DROP", "CHANGE", "RENAME", "SET", "UNSET")
    return _ALTER[action](words, table)


def _alter_partition(words: Words, table: TableRef) -> AlterTable:
    old = partition(words)
    if words.taken("RENAME", "TO"):
        return RenamePartition(table=table, old=old, new=partition(words))
    words.demand("SET", "LOCATION")
    return SetLocation(table=table, location=words.string(), partition=old)


def _add(words: Words, table: TableRef) -> AlterTable:
    if words.taken("COLUMNS"):
        return AddColumns(table=table, columns=syntax.columns(words))
    exists = words.taken("IF", "NOT", "EXISTS")
    found = [_located(words)]
    while words.at("PARTITION"):
        found.append(_located(words))
    return AddPartitions(table=table, partitions=tuple(found), if_not_exists=exists)


def _located(words: Words) -> PartitionSpec:
    found = partition(words)
    return PartitionSpec(found.values, words.string()) if words.taken("LOCATION") else found


def _replace(words: Words, table: TableRef) -> AlterTable:
    words.demand("COLUMNS")
    return AddColumns(table=table, columns=syntax.columns(words), replace=True)


def _drop(words: Words, table: TableRef) -> AlterTable:
    if words.taken("COLUMN"):
        return DropColumn(table=table, name=words.name())
    exists = words.taken("IF", "EXISTS")
    found = [partition(words)]
    while words.taken(","):
        found.append(partition(words))
    return DropPartitions(table=table, partitions=tuple(found), if_exists=exists)


def _change(words: Words, table: TableRef) -> AlterTable:
    words.taken("COLUMN")
    name = words.name()
    new = syntax.column(words)
    after = None
    if words.taken("FIRST"):
        after = ""
    elif words.taken("AFTER"):
        after = words.name()
    return ChangeColumn(table=table, name=name, new=new, after=after)


def _rename(words: Words, table: TableRef) -> AlterTable:
    if words.taken("COLUMN"):
        name = words.name()
        words.demand("TO")
        return ChangeColumn(table=table, name=name, new=ColumnDefinition(words.name(), ""))
    words.demand("TO")
    return RenameTable(table=table, new=syntax.table(words))


def _set(words: Words, table: TableRef) -> AlterTable:
    if words.taken("LOCATION"):
        return SetLocation(table=table, location=words.string())
    words.demand("TBLPROPERTIES")
    return SetTableProperties(table=table, properties=syntax.text_properties(words))


def _unset(words: Words, table: TableRef) -> AlterTable:
    words.demand("TBLPROPERTIES")
    inner = words.parenthesised()
    found = [inner.string()]
    while inner.taken(","):
        found.append(inner.string())
    inner.end()
    return SetTableProperties(table=table, removed=tuple(found))


_ALTER: dict[str, Callable[[Words, TableRef], AlterTable]] = {
    "ADD": _add,
    "REPLACE": _replace,
    "DROP": _drop,
    "CHANGE": _change,
    "RENAME": _rename,
    "SET": _set,
    "UNSET": _unset,
}


def partition(words: Words) -> PartitionSpec:
    """PARTITION (name = constant, ...)."""
    words.demand("PARTITION")
    inner = words.parenthesised()
    values: list[tuple[str, str]] = []
    while True:
        name = inner.name()
        inner.demand("=")
        values.append((name, _partition_value(inner)))
        if not inner.taken(","):
            break
    inner.end()
    if len({name for name, _ in values}) != len(values):
        raise inner.unexpected("each column once")
    return PartitionSpec(tuple(values))


def _partition_value(words: Words) -> str:
    if words.word() == "":
        return words.string()
    sign = "-" if words.taken("-") else ""
    return sign + str(words.number())
