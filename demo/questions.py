"""What three people ask of the lake, and what each must be told, written down beforehand.

The events are made up, so the truth is known without asking: `priya` sees it, `finn` sees a hash in
place of each private value, and the same one for the same value. For `ana` there is no such column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow.compute as pc

from demo.clients import CLIENTS, Result
from demo.events import Events
from demo.lake import PEOPLE, PRIVATE
from demo.stack import Stack

ASKS_BY = {"ana": "PyAthena", "finn": "awswrangler", "priya": "trino"}
NO_COLUMN, NO_SCHEMA = "COLUMN_NOT_FOUND", "SCHEMA_NOT_FOUND"
NO_RIGHT = "PERMISSION_DENIED"
"""Of a table that may be known of, and none of whose columns may be seen."""
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One statement. `refused` says who gets which error; to others `truth` is told."""

    name: str
    sql: str
    truth: Callable[[Events], Result]
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question by one person through one client, and what is wrong with the answer."""

    question: Question
    person: str
    client: str
    result: Result
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interview:
    """All that was asked. `price` is what a TiB scanned costs."""

    asked: Sequence[Asked]
    price: float

    def answer(self, question: Question, person: str) -> Result:
        """What a person was told through the client of their own."""
        return next(
            one.result
            for one in self.asked
            if one.question is question and one.person == person and one.client == ASKS_BY[person]
        )

    def problems(self, person: str) -> list[str]:
        """What is not as it should be for somebody."""
        return [
            f"{one.client}, {one.question.name}: {problem}"
            for one in self.asked
            if one.person == person
            for problem in one.problems
        ]


@dataclass(slots=True)
class Hashes:
    """Which hash stands for which value: one for one, in every question and client."""

    of: dict[str, str] = field(default_factory=dict)
    back: dict[str, str] = field(default_factory=dict)

    def problem(self, value: object, shown: object) -> str:
        """What is wrong with a hash that is shown for a value; empty if nothing."""
        if not isinstance(shown, str) or not _HASH.fullmatch(shown):
            return f"{PRIVATE} is shown as it is, not as a hash"
        if self.of.setdefault(str(value), shown) != shown:
            return "one address has two hashes"
        if self.back.setdefault(shown, str(value)) != str(value):
            return "two addresses have one hash"
        return ""


def interview(running: Stack, made: Events) -> Interview:
    """Ask everything, everybody by a client of their own; then one question by all of them."""
    asked, hashes = [], Hashes()
    pairs = [
        *((question, ASKS_BY[person], person) for question in QUESTIONS for person in PEOPLE),
        *(
            (ADDRESSES, client, person)
            for client in CLIENTS
            for person in PEOPLE
            if client != ASKS_BY[person]
        ),
    ]
    for question, client, person in pairs:
        result = CLIENTS[client](running, person, question.sql)
        asked.append(
            Asked(
                question=question,
                person=person,
                client=client,
                result=result,
                problems=problems(question, person, result, question.truth(made), hashes),
            )
        )
    (setting,) = running.lakeveil("config", "show", "sql.price_per_tib")
    return Interview(asked=asked, price=setting["value"])


def problems(
    question: Question, person: str, result: Result, truth: Result, hashes: Hashes
) -> tuple[str, ...]:
    """Hold an answer against what this person should be told."""
    wanted = question.refused.get(person, "")
    if result.error != wanted:
        return (f"the answer is {result.error or 'rows'}, not {wanted or 'rows'}",)
    if wanted:
        return ()
    columns = [name for name in truth.columns if person != "ana" or name != PRIVATE]
    if list(result.columns) != columns:
        return (f"the columns are {', '.join(result.columns)}, not {', '.join(columns)}",)
    if len(result.rows) != len(truth.rows):
        return (f"{len(result.rows)} rows came, not {len(truth.rows)}",)
    found = []
    for got, row in zip(result.rows, truth.rows, strict=True):
        real = dict(zip(truth.columns, row, strict=True))
        for name, shown in zip(columns, got, strict=True):
            if person == "finn" and name == PRIVATE:
                found.append(hashes.problem(real[name], shown))
            elif shown != real[name]:
                found.append(f"{name} is not what was loaded")
    return tuple(dict.fromkeys(one for one in found if one))


def _first(made: Events) -> Result:
    head = made.impressions.slice(0, 3).to_pylist()
    return Result(
        columns=tuple(made.impressions.column_names),
        rows=tuple(tuple(row.values()) for row in head),
    )


def _most_seen(made: Events) -> Result:
    counted = made.impressions.group_by(PRIVATE).aggregate([(PRIVATE, "count")])
    first = counted.sort_by([(f"{PRIVATE}_count", "descending")]).slice(0, 3).to_pylist()
    rows = tuple((row[PRIVATE], row[f"{PRIVATE}_count"]) for row in first)
    return Result(columns=(PRIVATE, "shown"), rows=rows)


def _clicked(made: Events) -> Result:
    clicked = pc.unique(made.clicks[PRIVATE])
    both = pc.sum(pc.is_in(pc.unique(made.impressions[PRIVATE]), clicked)).as_py()
    return Result(columns=("n",), rows=((both,),))


def _campaigns(made: Events) -> Result:
    counted = made.impressions.group_by("campaign").aggregate([("campaign", "count")])
    rows = [(row["campaign"], row["campaign_count"]) for row in counted.to_pylist()]
    return Result(columns=("campaign", "shown"), rows=tuple(sorted(rows)))


def _visitors(made: Events) -> Result:
    return Result(columns=("n",), rows=((pc.count_distinct(made.impressions[PRIVATE]).as_py(),),))


def _partners(made: Events) -> Result:
    counted = made.viewability.group_by("partner").aggregate([("partner", "count")])
    rows = [(row["partner"], row["partner_count"]) for row in counted.to_pylist()]
    return Result(columns=("partner", "scores"), rows=tuple(sorted(rows)))


def _nothing(_made: Events) -> Result:
    return Result()


EVERYTHING = Question(
    name="every column",
    sql="SELECT * FROM impressions ORDER BY event_time LIMIT 3",
    truth=_first,
)
ADDRESSES = Question(
    name="addresses seen most",
    sql=(
        "SELECT ip_address, count(*) AS shown FROM impressions "
        "GROUP BY ip_address ORDER BY shown DESC LIMIT 3"
    ),
    truth=_most_seen,
    refused={"ana": NO_COLUMN},
)
QUESTIONS = (
    EVERYTHING,
    ADDRESSES,
    Question(
        name="addresses that clicked",
        sql=(
            "SELECT count(DISTINCT ip_address) AS n FROM impressions "
            "WHERE ip_address IN (SELECT ip_address FROM clicks)"
        ),
        truth=_clicked,
        refused={"ana": NO_COLUMN},
    ),
    Question(
        name="made of open columns",
        sql="SELECT campaign, sum(shown) AS shown FROM campaigns GROUP BY campaign ORDER BY 1",
        truth=_campaigns,
    ),
    Question(
        name="made of private ones",
        sql="SELECT count(ip_address) AS n FROM visitors",
        truth=_visitors,
        refused={"ana": NO_RIGHT},
    ),
    Question(
        name="the partner's table",
        sql=(
            "SELECT partner, count(*) AS scores FROM partner_feeds.viewability "
            "GROUP BY partner ORDER BY partner"
        ),
        truth=_partners,
        refused={"ana": NO_SCHEMA, "finn": NO_SCHEMA},
    ),
    Question(
        name="the landing folder",
        sql="SELECT count(*) AS n FROM landing.impressions",
        truth=_nothing,
        refused=dict.fromkeys(PEOPLE, NO_SCHEMA),
    ),
)
