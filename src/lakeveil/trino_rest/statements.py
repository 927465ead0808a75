"""Statements as Trino's clients write them: those of the session are answered, others are asked.

USE, SET SESSION, RESET SESSION, PREPARE, DEALLOCATE, SHOW CATALOGS and SHOW SESSION change or tell
what the client itself carries, so they are answered at once, in headers. EXECUTE becomes the
statement that it stands for, with its values. SHOW and DESCRIBE are spelled as the catalog's own
statements are (`LIKE 'a%'` is `'a*'` there). Everything else is passed on as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote_plus

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import NotFound
from lakeveil.flows.change_access import Call
from lakeveil.flows.query_desk import QueryDesk
from lakeveil.flows.read_catalog import check_database
from lakeveil.flows.start_query import QueryRequest
from lakeveil.sql import syntax
from lakeveil.sql.parameters import constant
from lakeveil.sql.parse import parse
from lakeveil.sql.statements import DatabaseRef, Prepare, TableRef
from lakeveil.sql.words import Words, read
from lakeveil.trino_rest.session import (
    CATALOG,
    PROPERTIES,
    ClientSession,
    check_catalog,
    check_property,
    no_transactions,
)

MAX_PREPARED = 8192
"""Bytes of a prepared statement as it is written into a header; servers take no larger ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """An answer that needs no query: headers for the client's session, or rows of text."""

    update_type: str = ""
    headers: Sequence[tuple[str, str]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who asks, in which session."""

    session: ClientSession
    call: Call
    desk: QueryDesk
    parameters: tuple[str, ...] = field(default=())

    def request(self, sql: str, parameters: tuple[str, ...] = ()) -> QueryRequest:
        """A query of this session."""
        return QueryRequest(
            sql=sql,
            workgroup=self.session.workgroup,
            database=self.session.schema,
            catalog=CATALOG,
            output=self.session.properties.get("output_location", ""),
            parameters=parameters,
            typed=True,
        )


def understood(text: str, asking: Asking) -> Settled | QueryRequest:
    """What a statement's answer is, or which query gives it.

    Raises:
        QueryError: it cannot be read, or is none that is served here.
    """
    words = read(_hive_quotes(text) if _SHOWS.match(text) else text)
    reader = _READERS.get(words.word())
    return reader(words, asking) if reader else asking.request(text)


# -- the session -------------------------------------------------------------------------------
def _use(words: Words, asking: Asking) -> Settled:
    words.demand("USE")
    found = syntax.database(words)
    words.end()
    if found.catalog:
        check_catalog(found.catalog)
    account, who = asking.call.who.account, asking.call.who
    try:
        check_database(account, found.database, who=who, desk=asking.desk.catalog)
    except NotFound:
        raise QueryError(
            ErrorName.SCHEMA_NOT_FOUND, f"Schema '{CATALOG}.{found.database}' does not exist"
        ) from None
    headers = [("x-trino-set-catalog", CATALOG), ("x-trino-set-schema", found.database)]
    return Settled(update_type="USE", headers=headers)


def _set(words: Words, _asking: Asking) -> Settled:
    words.demand("SET")
    if not words.taken("SESSION") or words.at("AUTHORIZATION"):
        raise QueryError(ErrorName.NOT_SUPPORTED, "SET is of session properties here")
    name = words.name()
    check_property(name)
    words.demand("=")
    value = words.string()
    words.end()
    header = ("x-trino-set-session", f"{name}={quote_plus(value)}")
    return Settled(update_type="SET SESSION", headers=[header])


def _reset(words: Words, _asking: Asking) -> Settled:
    words.demand("RESET", "SESSION")
    name = words.name()
    words.end()
    check_property(name)
    return Settled(update_type="RESET SESSION", headers=[("x-trino-clear-session", name)])


def _transaction(_words: Words, _asking: Asking) -> Settled:
    raise no_transactions()


# -- prepared statements -----------------------------------------------------------------------
def _prepare(words: Words, _asking: Asking) -> Settled:
    found = parse(words.text)
    if not isinstance(found, Prepare):
        raise words.unexpected("`PREPARE`")
    written = f"{_in_header(found.name)}={quote_plus(found.sql)}"
    if len(written) > MAX_PREPARED:
        raise QueryError(
            ErrorName.QUERY_TEXT_TOO_LARGE,
            f"A prepared statement has {MAX_PREPARED} bytes at most. Use EXECUTE IMMEDIATE.",
        )
    return Settled(update_type="PREPARE", headers=[("x-trino-added-prepare", written)])


def _deallocate(words: Words, asking: Asking) -> Settled:
    words.demand("DEALLOCATE", "PREPARE")
    name = words.name()
    words.end()
    _prepared(name, asking)
    headers = [("x-trino-deallocated-prepare", _in_header(name))]
    return Settled(update_type="DEALLOCATE", headers=headers)


def _execute(words: Words, asking: Asking) -> QueryRequest:
    words.demand("EXECUTE")
    sql = words.string() if words.taken("IMMEDIATE") else _prepared(words.name(), asking)
    parameters = _parameters(words)
    words.end()
    return asking.request(sql, parameters)


def _prepared(name: str, asking: Asking) -> str:
    found = asking.session.prepared.get(name)
    if found is None:
        raise QueryError(ErrorName.NOT_FOUND, f"Prepared statement not found: {name[:255]}")
    return found


def _parameters(words: Words) -> tuple[str, ...]:
    """The constants after USING, each as its text."""
    if not words.taken("USING"):
        return ()
    found: list[str] = []
    while True:
        start, depth = words.next, 0
        while not words.over and not (depth == 0 and words.at(",")):
            depth += words.at("(") - words.at(")")
            words.next += 1
        text = Words(words.tokens[start : words.next], words.text).source()
        if not text:
            raise words.unexpected("a constant")
        constant(text)
        found.append(text)
        if not words.taken(","):
            return tuple(found)


def _in_header(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9_]{1,255}", name, re.ASCII):
        raise QueryError(
            ErrorName.NOT_SUPPORTED, "A prepared statement's name has letters, digits and `_`"
        )
    return name


# -- what there is -----------------------------------------------------------------------------
def _show(words: Words, asking: Asking) -> Settled | QueryRequest:
    words.demand("SHOW")
    if words.taken("CATALOGS"):
        words.end()
        return Settled(columns=["Catalog"], rows=[[CATALOG]])
    if words.taken("SESSION"):
        words.end()
        return _show_session(asking)
    if words.taken("SCHEMAS") or words.taken("DATABASES"):
        if words.one_of("FROM", "IN") if words.word() in {"FROM", "IN"} else "":
            check_catalog(words.name())
        return asking.request(f"SHOW DATABASES{_like(words)}")
    if words.taken("TABLES"):
        inside = ""
        if words.taken("FROM") or words.taken("IN"):
            inside = f" IN {_database(syntax.database(words))}"
        return asking.request(f"SHOW TABLES{inside}{_like(words)}")
    if words.taken("COLUMNS"):
        words.one_of("FROM", "IN")
        # Trino's answer has the types, too, as DESCRIBE has here.
        found = _table(syntax.table(words))
        words.end()
        return asking.request(f"DESCRIBE {found}")
    return asking.request(words.text)


def _show_session(asking: Asking) -> Settled:
    given = {"workgroup": asking.session.workgroup, **asking.session.properties}
    defaults = {"workgroup": "primary"}
    return Settled(
        columns=["Name", "Value", "Default", "Type", "Description"],
        rows=[
            [name, given.get(name, ""), defaults.get(name, ""), "varchar", said]
            for name, said in sorted(PROPERTIES.items())
        ],
    )


def _describe(words: Words, asking: Asking) -> QueryRequest:
    ahead = words.word(1)
    if ahead in {"INPUT", "OUTPUT"} and len(words.tokens) == 3:  # noqa: PLR2004 - and a name
        raise QueryError(ErrorName.NOT_SUPPORTED, f"DESCRIBE {ahead} is not supported")
    return asking.request(words.text)


def _like(words: Words) -> str:
    """A pattern as Hive has it, from Trino's: `%` is any text, `_` any sign."""
    if not words.taken("LIKE"):
        words.end()
        return ""
    pattern = words.string()
    words.end()
    if not re.fullmatch(r"[\w%]*", pattern, re.ASCII):
        raise QueryError(
            ErrorName.NOT_SUPPORTED, "A pattern has letters, digits, `_` and `%`, and no ESCAPE"
        )
    return f" LIKE '{pattern.replace('%', '*').replace('_', '?')}'"


def _database(ref: DatabaseRef) -> str:
    if ref.catalog:
        check_catalog(ref.catalog)
    return _name(ref.database)


def _table(ref: TableRef) -> str:
    return ".".join(_name(part) for part in (ref.catalog, ref.database, ref.table) if part)


def _name(name: str) -> str:
    if "`" in name:
        raise QueryError(ErrorName.NOT_SUPPORTED, "A name cannot have a backtick")
    return f"`{name}`"


_SHOWS = re.compile(
    r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*(?:SHOW|DESCRIBE|DESC)\b", re.IGNORECASE | re.DOTALL
)
_QUOTED = re.compile(r"('(?:[^']|'')*')|\"((?:[^\"]|\"\")*)\"")


def _hive_quotes(text: str) -> str:
    """Names in Hive's quotes, as SHOW and DESCRIBE are read, from Trino's."""
    return _QUOTED.sub(lambda one: one[1] or _name(one[2].replace('""', '"')), text)


_READERS: Mapping[str, Callable[[Words, Asking], Settled | QueryRequest]] = {
    "USE": _use,
    "SET": _set,
    "RESET": _reset,
    "START": _transaction,
    "COMMIT": _transaction,
    "ROLLBACK": _transaction,
    "PREPARE": _prepare,
    "DEALLOCATE": _deallocate,
    "EXECUTE": _execute,
    "SHOW": _show,
    "DESCRIBE": _describe,
    "DESC": _describe,
}
