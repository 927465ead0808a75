"""The whole of it, as `lakeveil serve` composes it: real keys, rights, directory and catalog."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from lakeveil.adapters.credentials import ensure_credentials
from lakeveil.adapters.database import open_database
from lakeveil.aws.sts import key_lookup
from lakeveil.cli.doors import lake_services
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.lake import Column, Database, Table
from lakeveil.core.identity.directory import IssuedKey
from lakeveil.ports.lake import DatabaseRecord, Location, TableRecord
from lakeveil.settings import Settings
from lakeveil.wiring.founding import found_account
from lakeveil.wiring.lake import lake_over
from tests.doors.lakeformation.asking import code
from tests.doors.running import Door, doors, serving
from tests.identity_parts import allow, policy

TABLE = {"DatabaseName": "ads", "TableName": "events"}
READS = allow("lakeformation:GetDataAccess")
ASKS = allow(["lakeveil:ExplainAccess", "lakeveil:SearchData", "lakeveil:RequestAccess"])
UNIT = (
    READS,
    allow("athena:*", "arn:aws:athena:*:*:workgroup/bu-a"),
    allow("s3:PutObject", "arn:aws:s3:::out/bu-a/*"),
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Door, dict[str, IssuedKey]]]:
    """A fresh installation's door; keys of its administrator, of an analyst and a business unit."""
    home = tmp_path_factory.mktemp("composed") / "home"
    ensure_credentials(home)
    settings = Settings(home=str(home))
    engine = open_database(settings.database_url)
    first = found_account(engine, settings)
    parts = lake_over(engine, settings, writer="web")
    assert first.key is not None
    made = {"admin": first.key}
    for name, rights in (("ana", (READS, ASKS)), ("bu-a", UNIT)):
        parts.identity.directory.create_user(first.account, name, policy=policy(*rights))
        made[name] = parts.identity.keys.create(first.account, name)
    with parts.lake.changing() as change:
        change.put_location(Location(account=first.account, location="s3://lake"))
        change.put_database(DatabaseRecord(database=Database(account=first.account, name="ads")))
        change.put_table(
            TableRecord(
                table=Table(
                    name=TableName(first.account, "ads", "events"), columns=(Column("email"),)
                ),
                location="s3://lake/ads/events",
            )
        )
    services = lake_services(parts, settings)
    with serving(doors(services=services, secret_of=key_lookup(parts.identity.callers))) as running:
        yield running, made
    engine.dispose()


def test_who_may_not_see_it_finds_it_asks_and_is_let_in(
    keys: tuple[Door, dict[str, IssuedKey]], models: Path
) -> None:
    door, made = keys
    ana, admin = (_client(door, models, made[name]) for name in ("ana", "admin"))

    assert [one["Access"] for one in ana.search_data(Text="events")["Listings"]] == ["NO_ACCESS"]
    asked = ana.request_access(**TABLE, Reason="churn model")["Request"]
    seen = admin.describe_access_request(RequestId=asked["RequestId"])
    assert [cell["ColumnName"] for cell in seen["Exposes"]] == ["email"]
    admin.approve_access_request(RequestId=asked["RequestId"], Cells=seen["Cells"])

    assert [one["Access"] for one in ana.search_data(Text="events")["Listings"]] == ["READABLE"]
    assert ana.explain_access(**TABLE)["Columns"][0]["Outcome"] == "VISIBLE"
    assert code(ana.break_glass, **TABLE, Reason="now") == "AccessDeniedException"


def test_a_business_units_role_learns_nothing_here(
    keys: tuple[Door, dict[str, IssuedKey]], models: Path
) -> None:
    door, made = keys
    unit = _client(door, models, made["bu-a"])
    for call, asked in (
        (unit.list_discoverable, {}),
        (unit.search_data, {"Text": "events"}),
        (unit.explain_access, TABLE),
        (unit.request_access, {**TABLE, "Reason": "please"}),
    ):
        assert code(call, **asked) == "AccessDeniedException"


def _client(door: Door, models: Path, key: IssuedKey) -> Any:
    session = botocore.session.Session()
    session.set_config_variable("data_path", str(models))
    return session.create_client(
        "lakeveil",
        endpoint_url=door.url,
        region_name="eu-central-1",
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret_access_key,
    )
