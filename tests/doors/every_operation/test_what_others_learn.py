"""What those learn who were granted nothing, or a part: no word of what is not theirs to know.

Every name in the lake is a word that occurs nowhere else. Each of these people sends every row of
the table, whomever it is meant for, and every probe. Of what is hidden from them they may be told
only the words that they sent; and the answer must be the one they get for words that nobody ever
used, so that not even guessing right tells anything.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import pytest

from lakeveil.aws.protocol import load_model
from tests.doors.every_operation.clients import Answer, BuiltLake
from tests.doors.every_operation.names import HOME, Names
from tests.doors.every_operation.probes import probes
from tests.doors.every_operation.rows import Params, Row, Token, Told
from tests.doors.every_operation.table import looked_at, table

MOST_PAGES = 4
OF_CALLERS = frozenset(
    {
        *("audit_heads", "audit_record_keys", "audit_records"),
        *("identity_keys", "identity_sessions", "identity_version"),
        *("access_requests", "queries", "query_servers"),
    }
)
"""What anybody's calls leave behind: records, the last use of keys, sessions, what they ask for."""
TOLD_TO_ALL: Mapping[str, frozenset[str]] = {
    "GetDataLakeSettings": frozenset({"admin", "reader"}),
}
"""In one's own account: whom to ask."""


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Somebody, and what they know of."""

    who: str
    knows: frozenset[str] = frozenset()
    told: Mapping[str, frozenset[str]]
    """By operation, what they are told there alone."""


BEARER = frozenset({"role", "session"})
"""Whoever has a token knows of which role it is."""
STRANGER = Asker(who="stranger", knows=BEARER, told=TOLD_TO_ALL)
FOREIGNER = Asker(who="foreigner", knows=BEARER, told={})
ANALYST = Asker(
    who="analyst",
    knows=frozenset(
        {
            *("database", "table", "sealed_table", "iceberg_table", "shown", "key"),
            *("comment", "description", "owner", "value", "other_value", "bucket"),
            *("parameter", "parameter_value", "resource_tag", "resource_tag_value"),
            *("tag", "open_value", *BEARER),
            # Their own grant is by it.
            "expression",
        }
    ),
    told={
        **TOLD_TO_ALL,
        # Who made their grant.
        **dict.fromkeys(
            ("ListPermissions", "GetEffectivePermissionsForPath"), frozenset({"admin"})
        ),
        # What they wrote themselves.
        "ListAccessRequests": frozenset({"reason"}),
    },
)
OTHER = Asker(
    who="other",
    knows=frozenset(
        {
            *("database", "table", "closed_table", "shown", "hidden", "key", "cells"),
            *("comment", "closed_comment", "description", "closed_description", "owner"),
            *("parameter", "parameter_value", "resource_tag", "resource_tag_value"),
            *("value", "other_value", "mask_text", "bucket", *BEARER),
        }
    ),
    told={
        **TOLD_TO_ALL,
        "ListPermissions": frozenset({"admin"}),
        **dict.fromkeys(
            ("ListAccessRequests", "DescribeAccessRequest", "WithdrawAccessRequest"),
            frozenset({"reason", "other_reason"}),
        ),
    },
)
"""Columns, some of them through a filter; one table through a mask."""
EVERY = [
    STRANGER,
    ANALYST,
    pytest.param(FOREIGNER, marks=pytest.mark.slow),
    pytest.param(OTHER, marks=pytest.mark.slow),
]


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A request as it was sent, and all that was answered, pages and all."""

    row: Row
    params: Params
    answers: list[Answer]

    def told(self) -> str:
        """Everything in the answers, with what their tokens hold."""
        texts = [f"{a.raw.headers} {a.raw.body.decode()}" for a in self.answers]
        texts += [str(_opened(a.document.get("NextToken", ""))) for a in self.answers]
        return "\n".join(texts).lower()


def ask(of: BuiltLake, row: Row, who: str) -> Exchange:
    """Send a row as somebody, to our account, and follow its pages."""
    params = _sendable(row.params, of)
    shape = load_model(row.service).operation_model(row.operation).input_shape
    if who == "foreigner":
        params = _towards_home(params, shape)
    answers = [of.client.send(who, row.service, row.operation, params)]
    while (token := answers[-1].document.get("NextToken")) and len(answers) < MOST_PAGES:
        further = {**params, "NextToken": token}
        answers.append(of.client.send(who, row.service, row.operation, further))
    return Exchange(row=row, params=params, answers=answers)


def requests(asker: Asker, names: Names) -> list[Row]:
    """All that somebody asks, each thing once."""
    every = [*table(names), *probes(asker.who, names)]
    # Whoever has the right breaks the glass of what they know of, and that changes the lake.
    known = {getattr(names, what) for what in asker.knows}
    every = [one for one in every if not _opens_something(one, known)]
    return list({repr((one.operation, one.params)): one for one in every}.values())


@dataclass(frozen=True, kw_only=True)
class Asked:
    """All that somebody asked: of what is there, and with it the same of what never was."""

    asker: Asker
    names: Names
    absent: Names
    exchanges: list[tuple[Exchange, Exchange | None]]
    changed: bool
    """Whether anything else than what calls leave behind was."""


@pytest.fixture(scope="module", params=EVERY, ids=lambda asker: asker.who)
def asked(request: pytest.FixtureRequest, of_words: BuiltLake) -> Asked:
    """Everything asked by one of them."""
    asker: Asker = request.param
    lake = of_words.lake
    names, who = lake.names, asker.who
    absent = Names.of_words(2, but=names, keep={who, *asker.knows, "bucket"})
    before = lake.state(without=OF_CALLERS)
    exchanges = [
        (ask(of_words, there, who), ask(of_words, not_there, who) if not_there != there else None)
        for there, not_there in zip(requests(asker, names), requests(asker, absent), strict=True)
    ]
    return Asked(
        asker=asker,
        names=names,
        absent=absent,
        exchanges=exchanges,
        changed=lake.state(without=OF_CALLERS) != before,
    )


def test_no_answer_holds_a_word_of_what_is_hidden(asked: Asked) -> None:
    asker, words = asked.asker, asked.names.words()
    leaks = []
    for found, _ in asked.exchanges:
        told, sent = found.told(), f"{found.params}".lower()
        known = {asker.who, *asker.knows, *asker.told.get(found.row.operation, ())}
        leaks += [
            f"{found.row.operation} {found.params} tells the {what}: {found.answers[0].message}"
            for what, word in words.items()
            if word in told and word not in sent and what not in known
        ]
    assert not leaks, "\n".join(leaks)


def test_what_is_hidden_is_answered_as_what_was_never_there(asked: Asked) -> None:
    differences = []
    for there, not_there in asked.exchanges:
        if not_there is None:
            continue
        said, expected = _said(there), _renamed(_said(not_there), asked.absent, asked.names)
        if said != expected:
            differences.append(f"{there.row.operation} {there.params}: {said} not {expected}")
    assert not differences, "\n".join(differences)


STATEMENTS = (
    "SELECT {hidden} FROM {table}",
    "SELECT {shown} FROM {table} WHERE {hidden} = 'x'",
    "SELECT * FROM {table}",
    "SELECT count(*) FROM {closed_table}",
    "SELECT {closed_key} FROM {sealed_table}",
    "SELECT * FROM {iceberg_table}",
    "SELECT * FROM {closed_database}.{closed_table}",
    "SELECT table_name, column_name FROM information_schema.columns",
    "EXPLAIN SELECT * FROM {closed_table}",
    "SHOW TABLES",
    "SHOW TABLES IN {closed_database}",
    "SHOW DATABASES",
    "SHOW COLUMNS IN {table}",
    "SHOW PARTITIONS {sealed_table}",
    "SHOW PARTITIONS {table}",
    "SHOW TBLPROPERTIES {table}",
    "SHOW CREATE TABLE {table}",
    "SHOW CREATE TABLE {closed_table}",
    "DESCRIBE {table}",
    "DESCRIBE EXTENDED {closed_table}",
    "EXECUTE {statement}",
    "DROP TABLE {closed_table}",
    "DROP DATABASE {closed_database}",
    "ALTER TABLE {closed_table} ADD COLUMNS (more string)",
    "INSERT INTO {closed_table} VALUES (1)",
)
"""What is asked in SQL, in the database that some know of."""


@pytest.mark.parametrize("asker", EVERY, ids=lambda asker: asker.who)
def test_no_query_tells_a_word_of_what_is_hidden(of_words: BuiltLake, asker: Asker) -> None:
    names, who = of_words.lake.names, asker.who
    absent = Names.of_words(2, but=names, keep={who, *asker.knows, "bucket"})
    words = {what: word for what, word in names.words().items() if what not in asker.knows}
    before = of_words.lake.state(without=OF_CALLERS)
    for statement in STATEMENTS:
        sql = statement.format(**names.words())
        told = asked_in_sql(of_words, who, sql, names)
        expected = asked_in_sql(of_words, who, statement.format(**absent.words()), absent)
        expected = _renamed(expected, absent, names)
        # Names without a database's are looked for in the one that the query named.
        sent = f"{sql} {names.database}"

        assert [what for what, word in words.items() if word in told and word not in sent] == []
        if sql != statement.format(**absent.words()):
            assert told == expected
    assert of_words.lake.state(without=OF_CALLERS) == before


def test_a_query_tells_its_owner_the_words(of_words: BuiltLake) -> None:
    """Else the test above would find nothing in anything."""
    names = of_words.lake.names

    assert names.closed_table in asked_in_sql(of_words, "owner", "SHOW TABLES", names)
    described = asked_in_sql(of_words, "owner", f"DESCRIBE {names.table}", names)
    assert names.hidden in described


def asked_in_sql(of: BuiltLake, who: str, sql: str, names: Names) -> str:
    """Everything that a query is answered, but for what it was asked."""
    context = {"Database": names.database}
    place = {"OutputLocation": f"s3://{names.bucket}/asked/"}
    asked = {
        "QueryString": sql,
        "QueryExecutionContext": context,
        "ResultConfiguration": place,
    }
    started = of.client.send(who, "athena", "StartQueryExecution", asked)
    assert not started.code, started.message
    of.lake.settle()
    said = []
    for operation in ("GetQueryExecution", "GetQueryResults"):
        answer = of.client.send(who, "athena", operation, started.document)
        found = answer.document.get("QueryExecution", {})
        # Where it lies and how long it took are never alike.
        kept = found.get("Status", {}).get("StateChangeReason"), answer.document.get("ResultSet")
        said.append(f"{answer.code} {answer.message} {kept} {found.get('StatementType')}")
    return "\n".join(said).lower()


def test_nothing_was_changed_by_them(asked: Asked) -> None:
    assert not asked.changed


def test_who_may_see_everything_is_told_the_words(of_words: BuiltLake) -> None:
    """Else the tests above would find nothing in anything."""
    names = of_words.lake.names
    told = "".join(ask(of_words, row, "reader").told() for row in looked_at(names))

    unseen = {what for what, word in names.words().items() if word not in told}
    values = {"value", "other_value", "closed_values", "cell_literal"}
    # A saved query is told by its id alone, which was made with the lake: tests of Athena ask so.
    assert unseen <= {*values, "saved_query", "stranger", "powerless", "foreigner", *BEARER}


def _renamed(said: str, names: Names, others: Names) -> str:
    """What was said with other names in the place of these, in small letters and capitals."""
    for one in fields(Names):
        name, other = getattr(names, one.name), getattr(others, one.name)
        said = said.replace(name, other).replace(name.upper(), other.upper())
    return said


def _opens_something(row: Row, known: set[str]) -> bool:
    columns = set(row.params.get("ColumnNames", ()))
    return row.operation == "BreakGlass" and row.params["TableName"] in known and columns <= known


def _said(found: Exchange) -> str:
    return repr(
        [(a.raw.status, a.code, a.message, _without_tokens(a.document)) for a in found.answers]
    )


def _without_tokens(value: Any) -> Any:
    return {n: v for n, v in value.items() if n not in {"NextToken", "Credentials"}}


def _sendable(value: Any, of: BuiltLake) -> Any:
    """Parameters without what is only told to others: a made-up id in its place."""
    match value:
        case Told():
            return (
                1
                if value.path == ("Cells",)
                else of.answers["RequestAccess"]["Request"]["RequestId"]
            )
        case Token():
            return of.lake.token()
        case Mapping():
            return {name: _sendable(item, of) for name, item in value.items()}
        case list() | tuple():
            return [_sendable(item, of) for item in value]
        case _:
            return value


def _towards_home(value: Any, shape: Any) -> Any:
    """The same of our account, wherever a request can say so."""
    if shape is None or shape.type_name not in {"structure", "list"}:
        return value
    if shape.metadata.get("document"):
        # Any JSON: a text is one.
        return value
    if shape.type_name == "list":
        return [_towards_home(item, shape.member) for item in value]
    found = {name: _towards_home(item, shape.members[name]) for name, item in value.items()}
    for member in ("CatalogId", "TableCatalogId"):
        if member in shape.members:
            found[member] = HOME
    if shape.name == "CatalogResource":
        found["Id"] = HOME
    return found


def _opened(token: str) -> Any:
    return base64.urlsafe_b64decode(token) if token else b""
