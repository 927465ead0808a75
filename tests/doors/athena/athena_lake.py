"""A lake with business units, as `lakeveil up` runs it, and everybody's clients for Athena.

`ads.events` has a row with everything and one with nothing; `ip_address` is granted to nobody, and
neither is anything of `payroll`. `ads.large` is larger than the smallest limit of a query.
"""

from __future__ import annotations

import configparser
import io
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.config import Config

from lakeveil.core.identity import arns
from lakeveil.core.identity.rights import business_unit_role
from tests.command_line import PROGRAM
from tests.running_stack import RunningStack, running_stack

REGION = "us-east-1"
UNITS = ("bu-a", "bu-b")
OVER = ("SUCCEEDED", "FAILED", "CANCELLED")
COLUMNS: Mapping[str, str] = {
    "id": "bigint",
    "name": "string",
    "price": "decimal(12,2)",
    "seen": "timestamp",
    "day": "date",
    "score": "double",
    "tags": "array<string>",
    "attrs": "map<string,bigint>",
    "spot": "struct<x:bigint,label:string>",
    "raw": "binary",
    "ip_address": "string",
}
ROWS: Sequence[Mapping[str, Any]] = [
    {
        "id": 1,
        "name": 'says "no",\nreally',
        "price": Decimal("12.30"),
        "seen": datetime(2026, 1, 31, 12, 34, 56, 789_012),  # noqa: DTZ001 - the column has no zone
        "day": date(2026, 1, 31),
        "score": 0.5,
        "tags": ["a", None, "b"],
        "attrs": [("k", 1)],
        "spot": {"x": 7, "label": "é"},
        "raw": b"\x00\xff",
        "ip_address": "10.0.0.1",
    },
    {**dict.fromkeys(COLUMNS), "id": 2, "name": ""},
]
HEAVY = "SELECT count(*) FROM many a CROSS JOIN many b CROSS JOIN many c WHERE a.n + b.n = c.n * 2"
"""Takes longer than any test waits."""
METADATA: Sequence[Mapping[str, Any]] = [
    {
        "Effect": "Allow",
        "Action": ["glue:*", "athena:ListWorkGroups", "athena:ListDataCatalogs"],
        "Resource": "*",
    },
    {
        "Effect": "Allow",
        "Action": "athena:*",
        "Resource": f"arn:aws:athena:{REGION}:*:datacatalog/AwsDataCatalog",
    },
]
"""What tools ask beside their queries: a unit's three rights do not let it see the catalog."""


@dataclass(kw_only=True)
class AthenaLake:
    """A running stack, and who works with it."""

    stack: RunningStack
    keys: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """By name, as boto3 takes them."""
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def account(self) -> str:
        account: str = self.stack.ready["account"]
        return account

    @property
    def url(self) -> str:
        url: str = self.stack.ready["endpoints"]["http"]
        return url

    def client(self, who: str, service: str = "athena") -> Any:
        """A client as anybody would make it, but for the endpoint."""
        if (who, service) not in self._clients:
            self._clients[who, service] = boto3.client(
                service,
                endpoint_url=self.stack.endpoint if service == "s3" else self.url,
                region_name=REGION,
                config=Config(retries={"mode": "standard", "total_max_attempts": 6}),
                **self.keys[who],
            )
        return self._clients[who, service]

    def start(self, sql: str, who: str = "wanda", **more: Any) -> str:
        """The id of a query that was started, in the caller's workgroup."""
        given = {
            "WorkGroup": GROUP_OF.get(who, "tools"),
            "QueryExecutionContext": {"Database": "ads"},
            **more,
        }
        started = self.client(who).start_query_execution(QueryString=sql, **given)
        query_id: str = started["QueryExecutionId"]
        return query_id

    def ended(self, query_id: str, who: str = "wanda") -> dict[str, Any]:
        """The record of a query once it is over."""
        until = time.monotonic() + 60
        while True:
            found: dict[str, Any] = self.client(who).get_query_execution(QueryExecutionId=query_id)[
                "QueryExecution"
            ]
            if found["Status"]["State"] in OVER:
                return found
            assert time.monotonic() < until, found
            time.sleep(0.03)

    def run(self, sql: str, who: str = "wanda", **more: Any) -> dict[str, Any]:
        """The record of a query that was run to its end."""
        return self.ended(self.start(sql, who, **more), who)

    def rows(self, sql: str, who: str = "wanda", **more: Any) -> list[list[str | None]]:
        """What a query answers, without the names of its columns; it has to succeed."""
        done = self.run(sql, who, **more)
        assert done["Status"]["State"] == "SUCCEEDED", done["Status"]
        found = self.client(who).get_query_results(QueryExecutionId=done["QueryExecutionId"])
        return values(found)[1:]

    def failure(self, sql: str, who: str = "wanda", **more: Any) -> str:
        """Why a query failed; it has to."""
        status = self.run(sql, who, **more)["Status"]
        assert status["State"] == "FAILED", status
        reason: str = status["StateChangeReason"]
        return reason

    def environment(self, who: str) -> dict[str, str]:
        """All that a tool is told: the endpoints, a region and a key."""
        key = self.keys[who]
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_S3": self.stack.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": key["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": key["aws_secret_access_key"],
            **({"AWS_SESSION_TOKEN": token} if (token := key.get("aws_session_token")) else {}),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def user(self, name: str, *statements: Mapping[str, Any]) -> None:
        """A user with these rights, and a key."""
        path = self._document(f"{name}.json", *statements)
        self.stack.lakeveil("identity", "user", "create", name, "--policy", path)
        made = self.stack.lakeveil("identity", "key", "create", name)
        self.keys[name] = {
            "aws_access_key_id": made["access_key_id"],
            "aws_secret_access_key": made["secret_access_key"],
        }

    def unit(self, name: str, trusted: str) -> None:
        """A business unit's role with its three rights, and a session of it."""
        trust = {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"AWS": arns.user_arn(self.account, trusted)},
        }
        self.stack.lakeveil(
            *("identity", "role", "create", name),
            *("--trust", self._document(f"{name}-trust.json", trust)),
            *("--workgroup", name, "--output", f"s3://lake-results/{name}/"),
        )
        self.keys[name] = self.session(name, trusted)

    def session(self, role: str, who: str, **more: Any) -> Mapping[str, str]:
        """Somebody as a role, as boto3 takes it."""
        given = self.client(who, "sts").assume_role(
            RoleArn=arns.role_arn(self.account, role), RoleSessionName=who, **more
        )["Credentials"]
        return {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }

    def grant(self, to: str, resource: Mapping[str, Any], *permissions: str) -> None:
        """Let somebody do something with a resource."""
        self.client("admin", "lakeformation").grant_permissions(
            Principal={"DataLakePrincipalIdentifier": to},
            Resource=resource,
            Permissions=list(permissions),
        )

    def _document(self, name: str, *statements: Mapping[str, Any]) -> str:
        path = self.stack.directory / name
        path.write_text(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
        return str(path)


GROUP_OF = {unit: unit for unit in UNITS}
"""Everybody else asks in `tools`."""


def values(found: Mapping[str, Any]) -> list[list[str | None]]:
    """The rows of an answer of GetQueryResults; NULL is None."""
    return [[one.get("VarCharValue") for one in row["Data"]] for row in found["ResultSet"]["Rows"]]


@contextmanager
def running_athena() -> Iterator[AthenaLake]:
    """The stack, with everybody and everything in it."""
    with running_stack(PROGRAM) as stack:
        lake = AthenaLake(stack=stack)
        lake.keys["admin"] = _profile(stack, "lake-admin")
        _data(lake)
        _workgroups(lake)
        _people(lake)
        _grants(lake)
        yield lake


def _profile(stack: RunningStack, name: str) -> Mapping[str, str]:
    profiles = configparser.RawConfigParser()
    profiles.read(stack.home / "aws")
    return dict(profiles[name])


def _data(lake: AthenaLake) -> None:
    lake.client("admin", "lakeformation").register_resource(
        ResourceArn="arn:aws:s3:::lake", UseServiceLinkedRole=True
    )
    glue, s3 = lake.client("admin", "glue"), lake.stack.s3("service")
    for database in ("ads", "payroll"):
        glue.create_database(
            DatabaseInput={"Name": database, "LocationUri": f"s3://lake/{database}"}
        )
    events = pa.Table.from_pylist([dict(row) for row in ROWS], _SCHEMA)
    many = pa.table({"n": pa.array(range(5_000), pa.int64())})
    # Bytes that cannot be compressed.
    large = pa.table({"noise": pa.array([os.urandom(2**16) for _ in range(250)], pa.binary())})
    salaries = pa.table({"who": ["ana"], "salary": [1]})
    for database, name, rows, columns in (
        ("ads", "events", events, COLUMNS),
        ("ads", "many", many, {"n": "bigint"}),
        ("ads", "large", large, {"noise": "binary"}),
        ("payroll", "salaries", salaries, {"who": "string", "salary": "bigint"}),
    ):
        body = io.BytesIO()
        pq.write_table(rows, body)
        s3.put_object(Bucket="lake", Key=f"{database}/{name}/1.parquet", Body=body.getvalue())
        glue.create_table(DatabaseName=database, TableInput=_table(database, name, columns))


def _table(database: str, name: str, columns: Mapping[str, str]) -> dict[str, Any]:
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"classification": "parquet"},
        "StorageDescriptor": {
            "Location": f"s3://lake/{database}/{name}",
            "Columns": [{"Name": column, "Type": kind} for column, kind in columns.items()],
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde."
                "ParquetHiveSerDe"
            },
        },
    }


def _workgroups(lake: AthenaLake) -> None:
    athena = lake.client("admin")
    for name in (*UNITS, "tools"):
        athena.create_work_group(
            Name=name,
            Configuration={
                "ResultConfiguration": {"OutputLocation": f"s3://lake-results/{name}/"},
                "EnforceWorkGroupConfiguration": name in UNITS,
            },
            Tags=[{"Key": "cost-center", "Value": name}],
        )


def _people(lake: AthenaLake) -> None:
    unit = business_unit_role(
        region=REGION, account=lake.account, workgroup="tools", output="s3://lake-results/tools/"
    )
    lake.user("wanda", *unit["Statement"], *METADATA)
    files = {
        "Effect": "Allow",
        "Action": [action for one in unit["Statement"] if one["Sid"] == "Output"
                   for action in one["Action"]],
        "Resource": "arn:aws:s3:::lake/shop/*",
    }  # fmt: skip
    lake.user("mia", *unit["Statement"], *METADATA, files)
    for name in UNITS:
        user = f"user-of-{name}"
        lake.user(user, {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"})
        lake.unit(name, user)


def _grants(lake: AthenaLake) -> None:
    shown = {
        "TableWithColumns": {
            "DatabaseName": "ads",
            "Name": "events",
            "ColumnWildcard": {"ExcludedColumnNames": ["ip_address"]},
        }
    }
    ads = {"Database": {"Name": "ads"}}
    for to in (
        arns.user_arn(lake.account, "wanda"),
        *(arns.role_arn(lake.account, unit) for unit in UNITS),
    ):
        lake.grant(to, shown, "SELECT")
        for table in ("many", "large"):
            lake.grant(to, {"Table": {"DatabaseName": "ads", "Name": table}}, "SELECT")
        lake.grant(to, ads, "DESCRIBE", "CREATE_TABLE")
    mia = arns.user_arn(lake.account, "mia")
    lake.client("admin", "glue").create_database(
        DatabaseInput={"Name": "shop", "LocationUri": "s3://lake/shop"}
    )
    lake.grant(mia, {"Database": {"Name": "shop"}}, "DESCRIBE", "CREATE_TABLE")
    lake.grant(
        mia, {"DataLocation": {"ResourceArn": "arn:aws:s3:::lake/shop"}}, "DATA_LOCATION_ACCESS"
    )


_SCHEMA = pa.schema(
    {
        "id": pa.int64(),
        "name": pa.string(),
        "price": pa.decimal128(12, 2),
        "seen": pa.timestamp("us"),
        "day": pa.date32(),
        "score": pa.float64(),
        "tags": pa.list_(pa.string()),
        "attrs": pa.map_(pa.string(), pa.int64()),
        "spot": pa.struct({"x": pa.int64(), "label": pa.string()}),
        "raw": pa.binary(),
        "ip_address": pa.string(),
    }
)
