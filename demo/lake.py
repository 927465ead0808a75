"""The demo's second part: the advertising lake, two rules, and three people who ask.

Everything is done as its users would: boto3 for what AWS's services have an operation for,
`lakeveil` for the rest. What each person may see is written down here beforehand; what they do see
is asked of Glue with their own key, column by column.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
import botocore.config

from demo.stack import Stack
from demo.workgroups import WORKGROUPS, rights

BUCKET = "lake"
TABLES: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("ads", "impressions"): {
        "event_time": "timestamp",
        "ip_address": "string",
        "user_agent": "string",
        "campaign": "string",
        "price": "decimal(10,4)",
        "viewable": "boolean",
    },
    ("ads", "clicks"): {"event_time": "timestamp", "ip_address": "string", "campaign": "string"},
    ("partner_feeds", "viewability"): {
        "event_time": "timestamp",
        "partner": "string",
        "score": "double",
    },
}
TAGS = {
    "ads": {"class": "non-private", "owner": "internal"},
    "partner_feeds": {"class": "non-private", "owner": "partner"},
}
PRIVATE = "ip_address"
NEAR_MISS = "ipaddress"
TWO_RULES = {"class": ["non-private"], "owner": ["internal"]}
EVERYTHING = {"class": ["private", "non-private"], "owner": ["internal", "partner"]}
PEOPLE = {
    "ana": "analyst: the two rules",
    "finn": "fraud team: the two rules, and a mask",
    "priya": "privacy officer: everything",
}
MAY_CALL: Mapping[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["glue:Get*", "glue:SearchTables"], "Resource": "*"},
        {"Effect": "Allow", "Action": "lakeformation:GetDataAccess", "Resource": "*"},
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one person sees: (database, table) -> column -> `visible`, `masked` or `hidden`."""

    person: str
    seen: Mapping[tuple[str, str], Mapping[str, str]]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lake:
    """The lake once it is set up, and the answers of everybody."""

    answers: Sequence[Answer]
    why: str
    """What `lakeveil why` says of the one column that the two rules leave out."""
    tables: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)

    @property
    def problems(self) -> list[str]:
        """What is not as it should be."""
        return [f"{answer.person}: {one}" for answer in self.answers for one in answer.problems]


def set_up(running: Stack) -> None:
    """Build the published lake: location, tags, databases, tables, one override, two rules."""
    formation, glue = client(running, "lakeformation"), client(running, "glue")
    formation.register_resource(ResourceArn=f"arn:aws:s3:::{BUCKET}", UseServiceLinkedRole=True)
    for key, values in EVERYTHING.items():
        formation.create_lf_tag(TagKey=key, TagValues=values)
    for database, tags in TAGS.items():
        glue.create_database(
            DatabaseInput={"Name": database, "LocationUri": f"s3://{BUCKET}/{database}"}
        )
        _tag(formation, {"Database": {"Name": database}}, tags)
    for (database, table), columns in TABLES.items():
        _create_table(glue, database, table, columns)
        if PRIVATE in columns:
            column = {"DatabaseName": database, "Name": table, "ColumnNames": [PRIVATE]}
            _tag(formation, {"TableWithColumns": column}, {"class": "private"})
    _people(running)
    for group, expression in (("analysts", TWO_RULES), ("privacy", EVERYTHING)):
        # Two rules for each: one lets the databases be seen, the other their columns.
        for kind, permission in (("DATABASE", "DESCRIBE"), ("TABLE", "SELECT")):
            formation.grant_permissions(
                Principal={"DataLakePrincipalIdentifier": _group(running, group)},
                Resource={"LFTagPolicy": {"ResourceType": kind, "Expression": _wire(expression)}},
                Permissions=[permission],
            )
    # AWS has no masks, so these are our own command's.
    fraud = _group(running, "fraud")
    running.lakeveil("grant", fraud, "class=private and owner=internal", "--mask", "hash")


def near_miss(running: Stack) -> None:
    """A column comes whose name nobody thought of; the guard keeps it closed."""
    running.lakeveil("access", "guard", "add", "ip_addr*", "--key", "class")
    glue = client(running, "glue")
    columns = {**TABLES["ads", "clicks"], NEAR_MISS: "string"}
    glue.update_table(DatabaseName="ads", TableInput=_hive_table("ads", "clicks", columns))


def ask(running: Stack) -> Lake:
    """Ask Glue as each person, and hold what they see against what they should."""
    everything = {
        name: [*columns, *([NEAR_MISS] if name == ("ads", "clicks") else [])]
        for name, columns in TABLES.items()
    }
    answers = [_ask(running, person, everything) for person in PEOPLE]
    why = running.lakeveil_text("why", "ana", f"ads.impressions.{PRIVATE}")
    return Lake(answers=answers, why=why, tables=everything)


def client(running: Stack, service: str, profile: str = "lake-admin") -> Any:
    """A boto3 client as anybody would make it, with a profile of this stack."""
    session = boto3.Session(**running.keys(profile))
    return session.client(
        service,
        endpoint_url=running.ready["endpoints"]["http"],
        region_name="us-east-1",
        config=botocore.config.Config(proxies={}),
    )


def expected(person: str, name: tuple[str, str], column: str) -> str:
    """What a person should see of a column."""
    if person == "priya":
        # A guarded name is closed to everybody until somebody has tagged it.
        return "hidden" if column == NEAR_MISS else "visible"
    if name[0] != "ads" or column == NEAR_MISS:
        return "hidden"
    if column == PRIVATE:
        return "masked" if person == "finn" else "hidden"
    return "visible"


def answer(
    person: str,
    everything: Mapping[tuple[str, str], Sequence[str]],
    listed: Mapping[tuple[str, str], Sequence[str]],
    masked: Mapping[tuple[str, str], set[str]],
) -> Answer:
    """Hold the columns that were listed for a person against those of each table."""
    seen: dict[tuple[str, str], dict[str, str]] = {}
    problems = []
    for name, columns in everything.items():
        seen[name] = {
            column: "hidden"
            if column not in listed[name]
            else "masked"
            if column in masked[name]
            else "visible"
            for column in columns
        }
        for column, outcome in seen[name].items():
            wanted = expected(person, name, column)
            if outcome != wanted:
                problems.append(f"{'.'.join(name)}.{column} is {outcome}, not {wanted}")
        if strangers := sorted(set(listed[name]) - set(columns)):
            problems.append(f"{'.'.join(name)} shows {', '.join(strangers)}")
    return Answer(person=person, seen=seen, problems=tuple(problems))


def _ask(
    running: Stack, person: str, everything: Mapping[tuple[str, str], Sequence[str]]
) -> Answer:
    glue = client(running, "glue", person)
    listed = {name: _columns(glue, *name) for name in everything}
    masked = {name: _masked(running, person, name, listed[name]) for name in everything}
    return answer(person, everything, listed, masked)


def _columns(glue: Any, database: str, table: str) -> list[str]:
    try:
        found = glue.get_table(DatabaseName=database, Name=table)["Table"]
    except glue.exceptions.EntityNotFoundException:
        return []
    return [column["Name"] for column in found["StorageDescriptor"]["Columns"]]


def _masked(running: Stack, person: str, name: tuple[str, str], columns: Sequence[str]) -> set[str]:
    """The columns that are there through a mask only; Glue cannot say that, `why` can."""
    if not columns:
        return set()
    found = running.lakeveil("why", person, ".".join(name))["columns"]
    return {one["column"] for one in found if one["outcome"] == "masked"}


def _people(running: Stack) -> None:
    for group in ("analysts", "fraud", "privacy"):
        running.lakeveil("identity", "group", "create", group)
    members = {"ana": ["analysts"], "finn": ["analysts", "fraud"], "priya": ["privacy"]}
    for person, groups in members.items():
        own = rights(running.ready["account"], WORKGROUPS[person])
        policy = running.home / f"{person}-may-call.json"
        policy.write_text(json.dumps({**MAY_CALL, "Statement": [*MAY_CALL["Statement"], *own]}))
        running.lakeveil("identity", "user", "create", person, "--policy", str(policy))
        for group in groups:
            running.lakeveil("identity", "group", "add", group, person)
        running.add_key(person, running.lakeveil("identity", "key", "create", person))


def _create_table(glue: Any, database: str, table: str, columns: Mapping[str, str]) -> None:
    if table == "clicks":
        # As Hive-style clients make them: files of Parquet, the catalog knows their columns.
        glue.create_table(DatabaseName=database, TableInput=_hive_table(database, table, columns))
        return
    glue.create_table(
        DatabaseName=database,
        TableInput=_table_input(database, table, columns),
        OpenTableFormatInput={"IcebergInput": {"MetadataOperation": "CREATE", "Version": "2"}},
    )


def _table_input(database: str, table: str, columns: Mapping[str, str]) -> dict[str, Any]:
    return {
        "Name": table,
        "StorageDescriptor": {
            "Location": f"s3://{BUCKET}/{database}/{table}",
            "Columns": [{"Name": name, "Type": kind} for name, kind in columns.items()],
        },
    }


def _hive_table(database: str, table: str, columns: Mapping[str, str]) -> dict[str, Any]:
    made = _table_input(database, table, columns)
    made["TableType"] = "EXTERNAL_TABLE"
    made["Parameters"] = {"classification": "parquet"}
    made["StorageDescriptor"] |= {
        "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        "SerdeInfo": {
            "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
        },
    }
    return made


def _tag(formation: Any, resource: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    done = formation.add_lf_tags_to_resource(
        Resource=resource, LFTags=_wire({key: [value] for key, value in tags.items()})
    )
    if done["Failures"]:
        raise RuntimeError(f"a tag was not assigned: {done['Failures']}")


def _wire(expression: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    return [{"TagKey": key, "TagValues": list(values)} for key, values in expression.items()]


def _group(running: Stack, name: str) -> str:
    return f"arn:aws:iam::{running.ready['account']}:group/{name}"
