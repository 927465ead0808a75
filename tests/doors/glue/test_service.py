"""The gate before the catalog, faults of ours, and the AWS CLI."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lakeveil.adapters.iceberg import SqlIcebergCatalog
from lakeveil.aws.glue.service import CHANGES, READS, WHOLE, glue
from lakeveil.core.identity.principal import Principal
from lakeveil.core.identity.rights import Effect, Rights, Statement
from tests.doors.glue.asking import register
from tests.doors.glue.conftest import REGION, Client, secret
from tests.doors.lakeformation.asking import code, refusal
from tests.doors.lakeformation.conftest import key_of
from tests.doors.running import SECRET, Door, doors, serving
from tests.doors.test_clients import aws
from tests.flows.lakes import ADMIN, HOME, OWNER, World

ARN = f"arn:aws:glue:{REGION}:{HOME}"


def limited(*resources: str, actions: tuple[str, ...] = ("glue:*",)) -> Principal:
    """Dave, with rights on these resources only."""
    allow = Statement(effect=Effect.ALLOW, actions=actions, resources=resources)
    return replace(OWNER, rights=Rights(statements=(allow,)))


@pytest.fixture
def asked_as(lake: World, iceberg: SqlIcebergCatalog) -> Any:
    """Serves the catalog to one principal, and calls something."""

    def ask(who: Principal, operation: str, **params: Any) -> str:
        service = glue(
            lake=lake.desk.lake,
            iceberg=iceberg,
            who=lambda _caller: who,
            audit=lake.desk.audit,
            clock=lake.clock,
            region=REGION,
        )
        with serving(doors(secrets={key_of(OWNER): SECRET}, services=(service,))) as door:
            client = door.boto3(key_of(OWNER), SECRET, service="glue")
            try:
                getattr(client, operation)(**params)
            except client.exceptions.ClientError as error:
                return str(error.response["Error"]["Message"])
        return ""

    return ask


@pytest.mark.parametrize(
    ("resources", "operation", "params", "missing"),
    [
        ((f"{ARN}:*",), "get_table", {"DatabaseName": "ads", "Name": "events"}, ""),
        (
            (f"{ARN}:catalog", f"{ARN}:database/ads", f"{ARN}:table/ads/e*"),
            "get_table",
            {"DatabaseName": "ADS", "Name": "EVENTS"},
            "",
        ),
        (
            (f"{ARN}:catalog", f"{ARN}:database/ads", f"{ARN}:table/ads/e*"),
            "get_table",
            {"DatabaseName": "ads", "Name": "clicks"},
            f"{ARN}:table/ads/clicks",
        ),
        (
            (f"{ARN}:catalog", f"{ARN}:database/ads", f"{ARN}:table/ads/e*"),
            "batch_delete_table",
            {"DatabaseName": "ads", "TablesToDelete": ["events", "clicks"]},
            f"{ARN}:table/ads/clicks",
        ),
        ((f"{ARN}:catalog",), "get_database", {"Name": "ads"}, f"{ARN}:database/ads"),
        ((f"{ARN}:catalog",), "get_databases", {}, ""),
        ((f"{ARN}:database/*",), "get_databases", {}, f"{ARN}:catalog"),
        (
            (f"{ARN}:catalog",),
            "create_database",
            {"DatabaseInput": {"Name": "New"}},
            f"{ARN}:database/new",
        ),
        (
            (f"{ARN}:catalog", f"{ARN}:database/x"),
            "get_tags",
            {"ResourceArn": "arn:aws:glue:elsewhere:" + f"{HOME}:database/ADS"},
            f"{ARN}:database/ads",
        ),
    ],
)
def test_a_callers_own_rights_come_first(
    asked_as: Any, resources: Any, operation: str, params: dict[str, Any], missing: str
) -> None:
    said = asked_as(limited(*resources), operation, **params)

    assert said.endswith(f"resource: {missing}") if missing else said == ""


def test_an_action_that_is_not_allowed_is_named(asked_as: Any) -> None:
    who = limited("*", actions=("glue:Get*",))

    said = asked_as(who, "delete_table", DatabaseName="ads", Name="events")

    assert said.startswith(f"User: {OWNER.arn} is not authorized to perform: glue:DeleteTable")


def test_a_key_that_is_no_longer_good_is_refused(served: Door) -> None:
    client = served.boto3("LVTESTSTRANGER", SECRET, service="glue")

    assert refusal(client.get_databases)[:2] == ("AccessDeniedException", "The key is not good.")


def test_every_operation_is_in_one_place() -> None:
    assert not CHANGES.keys() & READS.keys()
    assert not WHOLE.keys() & (CHANGES.keys() | READS.keys())
    assert all(name.startswith(("Get", "Search", "BatchGet")) for name in READS)
    assert not any(name.startswith(("Get", "Search", "BatchGet")) for name in CHANGES)


def test_what_is_not_served_is_named(client: Client) -> None:
    said = refusal(client(OWNER).list_crawlers)

    assert said[0] == "UnknownOperationException"


def test_a_store_that_is_away_is_our_fault(client: Client, lake: World) -> None:
    register(lake, "s3://lake/ads")
    table = {
        "Name": "t",
        "StorageDescriptor": {
            "Location": "s3://lake/ads/t",
            "Columns": [{"Name": "id", "Type": "bigint"}],
        },
    }
    create = {"IcebergInput": {"MetadataOperation": "CREATE"}}

    said = code(
        client(OWNER).create_table,
        DatabaseName="ads",
        TableInput=table,
        OpenTableFormatInput=create,
    )
    assert said == "InternalServiceException"
    assert code(client(OWNER).get_table, DatabaseName="ads", Name="t") == "EntityNotFoundException"


def test_the_aws_cli_reads_the_catalog(served: Door, tmp_path: Path) -> None:
    where = ("--endpoint-url", served.url)
    key = {"AWS_ACCESS_KEY_ID": key_of(ADMIN), "AWS_SECRET_ACCESS_KEY": secret(ADMIN)}

    listed = aws(tmp_path, "glue", "get-tables", "--database-name", "ads", *where, **key)
    refused = aws(
        tmp_path, "glue", "get-table", "--database-name", "x", "--name", "y", *where, **key
    )

    assert listed.returncode == 0, listed.stderr
    assert [t["Name"] for t in json.loads(listed.stdout)["TableList"]] == ["clicks", "events"]
    assert "(EntityNotFoundException)" in refused.stderr
    assert "Database x not found." in refused.stderr


def test_a_change_that_the_callers_rights_refuse_is_on_record_and_a_look_is_not(
    asked_as: Any, lake: World
) -> None:
    nobody = limited(f"{ARN}:*", actions=("s3:*",))

    assert "not authorized to perform: glue:DeleteTable" in asked_as(
        nobody, "delete_table", DatabaseName="ads", Name="events"
    )
    assert "not authorized" in asked_as(nobody, "get_table", DatabaseName="ads", Name="events")

    found = [entry.record.event for entry in lake.trail.entries() if entry.record]
    [event] = [one for one in found if one.action.startswith("glue:")]
    assert (event.action, event.error_code) == ("glue:DeleteTable", "no_right_to_call")
    assert event.source_ip == "127.0.0.1"
