"""What a caller may not know of answers exactly as if it did not exist."""

from __future__ import annotations

from typing import Any

from tests.doors.glue.asking import ON_ADS, table_input
from tests.doors.glue.conftest import Client
from tests.doors.lakeformation.asking import code, refusal
from tests.flows.lakes import ADMIN, ANA, BOB, CARL, HOME, P, World, on_table

PARTITION = {"Values": ["x"]}
ON_TABLE: list[tuple[str, dict[str, Any]]] = [
    ("get_table", {"Name": "T"}),
    ("delete_table", {"Name": "T"}),
    ("update_table", {"TableInput": table_input("T")}),
    ("get_table_version", {"TableName": "T"}),
    ("get_table_versions", {"TableName": "T"}),
    ("delete_table_version", {"TableName": "T", "VersionId": "0"}),
    ("batch_delete_table_version", {"TableName": "T", "VersionIds": ["0"]}),
    ("get_partition", {"TableName": "T", "PartitionValues": ["x"]}),
    ("get_partitions", {"TableName": "T"}),
    ("batch_get_partition", {"TableName": "T", "PartitionsToGet": [PARTITION]}),
    ("create_partition", {"TableName": "T", "PartitionInput": PARTITION}),
    ("batch_create_partition", {"TableName": "T", "PartitionInputList": [PARTITION]}),
    (
        "update_partition",
        {"TableName": "T", "PartitionValueList": ["x"], "PartitionInput": PARTITION},
    ),
    (
        "batch_update_partition",
        {
            "TableName": "T",
            "Entries": [{"PartitionValueList": ["x"], "PartitionInput": PARTITION}],
        },
    ),
    ("delete_partition", {"TableName": "T", "PartitionValues": ["x"]}),
    ("batch_delete_partition", {"TableName": "T", "PartitionsToDelete": [PARTITION]}),
    ("get_partition_indexes", {"TableName": "T"}),
]
ON_DATABASE: list[tuple[str, dict[str, Any]]] = [
    ("get_database", {"Name": "D"}),
    ("update_database", {"Name": "D", "DatabaseInput": {"Name": "D"}}),
    ("delete_database", {"Name": "D"}),
    ("get_tables", {"DatabaseName": "D"}),
    ("create_table", {"DatabaseName": "D", "TableInput": table_input()}),
    ("get_user_defined_functions", {"DatabaseName": "D", "Pattern": "*"}),
]


def filled(value: Any, **names: str) -> Any:
    """A request with its placeholders filled in."""
    if isinstance(value, dict):
        return {key: filled(item, **names) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, **names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def test_a_hidden_table_is_no_table(lake: World, client: Client) -> None:
    lake.grant(ADMIN, BOB.arn, ON_ADS, P.DESCRIBE)
    glue = client(BOB)

    for operation, request in ON_TABLE:
        for name in ("events", "nowhere"):
            asked = {"DatabaseName": "ads", **filled(request, T=name)}
            said = refusal(getattr(glue, operation), **asked)
            expected = ("EntityNotFoundException", f"Table {name} not found.", 400)
            assert (operation, said) == (operation, expected)


def test_in_a_hidden_database_there_are_no_tables(client: Client) -> None:
    glue = client(BOB)

    for operation, request in ON_TABLE:
        for database, table in (("ads", "events"), ("ads", "nowhere"), ("none", "events")):
            asked = {"DatabaseName": database, **filled(request, T=table)}
            said = refusal(getattr(glue, operation), **asked)
            expected = ("EntityNotFoundException", f"Database {database} not found.", 400)
            assert (operation, said) == (operation, expected)


def test_a_hidden_database_is_no_database(client: Client) -> None:
    glue = client(BOB)

    for operation, request in ON_DATABASE:
        for name in ("ads", "none"):
            said = refusal(getattr(glue, operation), **filled(request, D=name))
            expected = ("EntityNotFoundException", f"Database {name} not found.", 400)
            assert (operation, said) == (operation, expected)


def test_a_table_is_found_without_its_database(lake: World, client: Client) -> None:
    lake.grant(ADMIN, CARL.arn, on_table(), P.SELECT)
    glue = client(CARL)

    assert glue.get_table(CatalogId=HOME, DatabaseName="ads", Name="events")["Table"]
    assert code(glue.get_database, CatalogId=HOME, Name="ads") == "EntityNotFoundException"
    found = glue.get_tables(CatalogId=HOME, DatabaseName="ads")["TableList"]
    assert [table["Name"] for table in found] == ["events"]
    said = refusal(glue.get_table, CatalogId=HOME, DatabaseName="ads", Name="clicks")
    assert said[1] == "Database ads not found."


def test_a_table_outside_every_registered_location_is_there_for_nobody_else(
    lake: World, client: Client
) -> None:
    lake.grant(ADMIN, ANA.arn, on_table(), P.ALL)
    assert client(ANA).get_table(DatabaseName="ads", Name="events")
    with lake.desk.lake.changing() as change:
        change.remove_location(HOME, "s3://lake/ads")

    assert code(client(ANA).get_table, DatabaseName="ads", Name="events") == (
        "EntityNotFoundException"
    )
    shown = client(ADMIN).get_table(DatabaseName="ads", Name="events")["Table"]
    assert shown["IsRegisteredWithLakeFormation"] is False
