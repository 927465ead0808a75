"""Iceberg tables: made here or by PyIceberg's own Glue catalog, on a real object store."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError
from pyiceberg.types import StringType

from lakeveil.adapters.iceberg import SqlIcebergCatalog
from lakeveil.core.access.grants import OnColumns, OnLocation, TableName
from lakeveil.core.identity.principal import Principal
from lakeveil.ports.lake import Assignment, Place
from tests.doors.glue.asking import ON_ADS, names, on_table, publish, register
from tests.doors.glue.conftest import Client
from tests.doors.lakeformation.asking import code, refusal
from tests.flows.lakes import ADMIN, ANA, BOB, HOME, OWNER, P, World
from tests.stack_fixture import Weed

VISITS = {"DatabaseName": "ads", "Name": "visits"}
NAME = TableName(HOME, "ads", "visits")
SCHEMA = pa.schema([("id", pa.int64()), ("ip_address", pa.string()), ("page", pa.string())])
ROWS = pa.table({"id": [1, 2], "ip_address": ["10.0.0.1", "10.0.0.2"], "page": ["a", "b"]})
CREATE = {"IcebergInput": {"MetadataOperation": "CREATE", "Version": "2"}}

Catalog = Callable[[Principal], GlueCatalog]


@pytest.fixture
def bucket(lake: World, weed: Weed) -> str:
    """A registered bucket where Dave may keep data."""
    name = weed.new_bucket("lake")
    register(lake, f"s3://{name}")
    return name


@pytest.fixture
def catalog(client: Client, weed: Weed) -> Catalog:
    """PyIceberg as somebody, with a key of the store that is nobody's in particular."""
    key = weed.credentials.s3["admin"]
    settings = {
        "s3.endpoint": weed.endpoint,
        "s3.region": "us-east-1",
        "s3.access-key-id": key.access_key_id,
        "s3.secret-access-key": key.secret_access_key,
        "glue.skip-archive": "false",
    }
    return lambda who: GlueCatalog("lake", client=client(who), **settings)


@pytest.fixture
def table(lake: World, bucket: str, catalog: Catalog) -> Any:
    """Dave's table, with two rows; all but `ip_address` is open to Ana."""
    made = catalog(OWNER).create_table("ads.visits", SCHEMA, location=f"s3://{bucket}/visits")
    made.append(ROWS)
    publish(lake)
    return made


def hive(name: str, location: str) -> dict[str, Any]:
    columns = [{"Name": "ID", "Type": "bigint"}, {"Name": "day", "Type": "date"}]
    return {"Name": name, "StorageDescriptor": {"Columns": columns, "Location": location}}


def test_pyiceberg_creates_appends_and_reads(table: Any, catalog: Catalog, client: Client) -> None:
    found = catalog(OWNER).load_table("ads.visits")

    assert found.scan().to_arrow().num_rows == 2
    assert found.metadata_location == table.metadata_location
    assert catalog(OWNER).list_tables("ads") == [("ads", "visits")]
    shown = client(OWNER).get_table(**VISITS)["Table"]
    assert names(shown) == ["id", "ip_address", "page"]
    assert shown["Parameters"]["metadata_location"] == table.metadata_location
    assert shown["StorageDescriptor"]["Columns"][1]["Parameters"]["iceberg.field.id"] == "2"


def test_a_hidden_column_and_its_files_are_nowhere(table: Any, client: Client) -> None:
    del table
    said = json.dumps(client(ANA).get_table(**VISITS), default=str)

    assert '"page"' in said
    for word in ("ip_address", "s3://", "metadata_location", "lake-"):
        assert word not in said


def test_a_table_is_made_of_the_columns_that_a_client_gives(
    bucket: str, client: Client, catalog: Catalog
) -> None:
    glue = client(OWNER)
    location = f"s3://{bucket}/made"
    given = {**hive("Made", location), "PartitionKeys": [{"Name": "region", "Type": "string"}]}

    glue.create_table(DatabaseName="ads", TableInput=given, OpenTableFormatInput=CREATE)

    table = catalog(OWNER).load_table("ads.made")
    assert [field.name for field in table.schema().fields] == ["id", "day", "region"]
    assert [field.name for field in table.spec().fields] == ["region"]
    table.append(pa.table({"id": [7], "region": ["eu"]}))
    assert table.scan().to_arrow().column("id").to_pylist() == [7]
    shown = glue.get_table(DatabaseName="ads", Name="made")["Table"]
    assert names(shown) == ["id", "day", "region"]
    assert shown["Parameters"]["table_type"] == "ICEBERG"


@pytest.mark.parametrize(
    ("given", "format_"),
    [
        ({"StorageDescriptor": {"Columns": [{"Name": "x", "Type": "int"}]}}, CREATE),
        ({"StorageDescriptor": {"Columns": []}}, CREATE),
        ({"StorageDescriptor": {"Columns": [{"Name": "x", "Type": "interval"}]}}, CREATE),
        ({}, {"IcebergInput": {"MetadataOperation": "CREATE", "Version": "3"}}),
        ({}, {}),
    ],
)
def test_what_iceberg_cannot_have_is_refused(
    bucket: str, client: Client, given: dict[str, Any], format_: dict[str, Any]
) -> None:
    whole = {**hive("made", f"s3://{bucket}/made"), **given}
    if "interval" in str(given):
        whole["StorageDescriptor"]["Location"] = f"s3://{bucket}/made"

    assert code(
        client(OWNER).create_table,
        DatabaseName="ads",
        TableInput=whole,
        OpenTableFormatInput=format_,
    ) == ("InvalidInputException")


def test_a_renamed_column_does_not_lose_its_tag(lake: World, table: Any, client: Client) -> None:
    with table.update_schema() as update:
        update.rename_column("ip_address", "address")
        update.add_column("more", StringType())

    assert lake.sees(ANA, NAME) == ["id", "page", "more"]
    assert names(client(ANA).get_table(**VISITS)["Table"]) == ["id", "page", "more"]
    assert names(client(OWNER).get_table(**VISITS)["Table"])[:2] == ["id", "address"]
    versions = client(ANA).get_table_versions(DatabaseName="ads", TableName="visits")[
        "TableVersions"
    ]
    assert all("address" not in json.dumps(v, default=str) for v in versions)


def test_a_column_that_takes_a_name_does_not_take_what_was_granted(lake: World, table: Any) -> None:
    only = OnColumns(HOME, "ads", "visits", frozenset({"id"}))
    but = OnColumns(HOME, "ads", "visits", frozenset({"ip_address", "id"}), excluding=True)
    lake.grant(ADMIN, BOB.arn, only, P.SELECT)
    lake.grant(ADMIN, OWNER.arn, but, P.SELECT)

    with table.update_schema() as update:
        update.rename_column("id", "key")
    with table.update_schema() as update:
        update.rename_column("ip_address", "id")

    assert lake.sees(BOB, NAME) == ["key"]
    kept = [g.resource for g in lake.grants_to(OWNER.arn) if isinstance(g.resource, OnColumns)]
    assert [on.named for on in kept] == [{"ip_address", "id", "key"}]


def commit(glue: Any, file: str, **more: Any) -> None:
    """What a client sends that wrote a metadata file itself."""
    shown = glue.get_table(**VISITS)["Table"]
    parameters = {**shown["Parameters"], "metadata_location": file}
    del parameters["previous_metadata_location"]
    parameters |= more.pop("parameters", {})
    given = {"Name": "visits", "TableType": "EXTERNAL_TABLE", "Parameters": parameters}
    glue.update_table(DatabaseName="ads", TableInput=given, **more)


def staged(weed: Weed, base: str, name: str, **change: Any) -> str:
    """A metadata file that says something else than its base, under another name."""
    bucket, _, key = base.removeprefix("s3://").partition("/")
    store = weed.s3()
    said = json.loads(store.get_object(Bucket=bucket, Key=key)["Body"].read())
    said |= change
    said["properties"]["writer"] = name
    new = f"{key.rpartition('/')[0]}/{name}.metadata.json"
    store.put_object(Bucket=bucket, Key=new, Body=json.dumps(said).encode())
    return f"s3://{bucket}/{new}"


def refused(call: Callable[[], None], client: Any) -> str:
    """The code of what must fail."""
    with pytest.raises(client.exceptions.ClientError) as error:
        call()
    return str(error.value.response["Error"]["Code"])


def test_of_writers_from_the_same_base_one_commits(
    lake: World, weed: Weed, table: Any, client: Client
) -> None:
    version = client(OWNER).get_table(**VISITS)["Table"]["VersionId"]
    files = [staged(weed, table.metadata_location, f"w{number}") for number in range(4)]
    glues = [client(OWNER) for _ in files]
    barrier = threading.Barrier(len(files))
    done: list[str] = []

    def write(number: int) -> None:
        barrier.wait()
        # Half of them say it by the version, half by the file that they replace.
        by_file = {"previous_metadata_location": table.metadata_location}
        how: dict[str, Any] = {"parameters": by_file} if number % 2 else {"VersionId": version}
        try:
            commit(glues[number], files[number], **how)
            done.append(files[number])
        except glues[number].exceptions.ConcurrentModificationException:
            pass

    threads = [threading.Thread(target=write, args=(number,)) for number in range(len(files))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (winner,) = done
    record = lake.desk.lake.table(NAME)
    assert record is not None
    assert record.metadata_location == lake.desk.lake.iceberg_entry(NAME) == winner
    assert record.version == int(version) + 1


def test_pyicebergs_writers_do_not_lose_rows(table: Any, catalog: Catalog) -> None:
    copies = [catalog(OWNER).load_table("ads.visits") for _ in range(3)]
    barrier = threading.Barrier(len(copies))
    lost: list[int] = []

    def append(number: int) -> None:
        barrier.wait()
        try:
            copies[number].append(ROWS)
        except CommitFailedException:
            lost.append(number)

    threads = [threading.Thread(target=append, args=(number,)) for number in range(len(copies))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    rows = catalog(OWNER).load_table("ads.visits").scan().to_arrow().num_rows
    assert rows == 2 + 2 * (len(copies) - len(lost))
    del table


def test_who_writes_through_pyiceberg_alone_is_followed(
    lake: World, table: Any, iceberg: SqlIcebergCatalog, client: Client
) -> None:
    del table
    inside = iceberg.sql_catalog(HOME).load_table(("ads", "visits"))
    with inside.update_schema() as update:
        update.rename_column("ip_address", "address")
    stale = lake.desk.lake.table(NAME)
    assert stale is not None
    assert stale.metadata_location != inside.metadata_location

    listed = client(ANA).get_tables(DatabaseName="ads", Expression="visits")["TableList"]

    assert [names(one) for one in listed] == [["id", "page"]]
    assert names(client(OWNER).get_table(**VISITS)["Table"]) == ["id", "address", "page"]
    followed = lake.desk.lake.table(NAME)
    assert followed is not None
    assert followed.metadata_location == inside.metadata_location
    assert followed.version == stale.version + 1
    said = [e.record for e in lake.trail.entries(principal="lakeveil", action="glue:UpdateTable")]
    assert [record.event.after for record in said if record] == [
        {"metadata_location": inside.metadata_location}
    ]


def test_a_commit_from_before_somebody_elses_is_refused(
    weed: Weed, table: Any, iceberg: SqlIcebergCatalog, client: Client
) -> None:
    file = staged(weed, table.metadata_location, "late")
    glue = client(OWNER)
    version = glue.get_table(**VISITS)["Table"]["VersionId"]
    iceberg.sql_catalog(HOME).load_table(("ads", "visits")).append(ROWS)

    for how in ({"VersionId": version}, {"parameters": {"previous_metadata_location": "s3://x"}}):
        said = refused(lambda how=how: commit(glue, file, **how), glue)  # type: ignore[misc]
        assert said == "ConcurrentModificationException"


@pytest.mark.parametrize("entry", ["s3://nowhere/visits/metadata/1.metadata.json", "", None])
def test_a_table_whose_metadata_cannot_be_read_is_hidden_and_can_be_dropped(
    lake: World, table: Any, client: Client, entry: str | None
) -> None:
    with lake.desk.lake.changing() as change:
        if entry is None:
            change.remove_iceberg_entry(NAME)
        else:
            change.set_iceberg_entry(NAME, expected=table.metadata_location, new=entry)
    glue = client(OWNER)

    for who in (OWNER, ADMIN, ANA):
        said = refusal(client(who).get_table, **VISITS)
        assert said[:2] == ("EntityNotFoundException", "Table visits not found.")
    listed = [one["Name"] for one in glue.get_tables(DatabaseName="ads")["TableList"]]
    assert listed == ["clicks", "events"]
    glue.delete_table(**VISITS)
    assert lake.desk.lake.table(NAME) is None
    assert lake.desk.lake.iceberg_entry(NAME) is None


def test_metadata_of_another_table_or_place_is_refused(
    weed: Weed, bucket: str, table: Any, client: Client, catalog: Catalog
) -> None:
    glue, base = client(OWNER), table.metadata_location
    other = catalog(OWNER).create_table("ads.other", SCHEMA, location=f"s3://{bucket}/other")
    inside = f"s3://{bucket}/visits/metadata"
    files = [
        other.metadata_location,
        staged(weed, base, "elsewhere", location=f"s3://{bucket}/other"),
        staged(weed, base, "twin", **{"table-uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1"}),
        f"{inside}/nowhere.metadata.json",
        f"{inside}/../../other/x.json",
        "file:///etc/passwd",
        "",
    ]

    for file in files:
        said = refused(
            lambda file=file: commit(glue, file, VersionId="1"),  # type: ignore[misc]
            glue,
        )
        assert said == "InvalidInputException"
    assert glue.get_table(**VISITS)["Table"]["VersionId"] == "1"


def test_a_change_says_what_it_replaces(weed: Weed, table: Any, client: Client) -> None:
    file = staged(weed, table.metadata_location, "blind")
    glue = client(OWNER)

    assert refused(lambda: commit(glue, file), glue) == "InvalidInputException"


def test_an_iceberg_table_stays_one(table: Any, client: Client) -> None:
    glue = client(OWNER)
    plain = {"Name": "visits", "StorageDescriptor": {"Columns": [{"Name": "x", "Type": "int"}]}}
    iceberg_now = {"Name": "events", "Parameters": {"table_type": "ICEBERG"}}

    for given in (plain, iceberg_now):
        said = code(glue.update_table, DatabaseName="ads", TableInput=given)
        assert said == "InvalidInputException"
    del table


def test_what_a_client_says_of_the_columns_counts_for_nothing(table: Any, client: Client) -> None:
    glue = client(OWNER)
    shown = glue.get_table(**VISITS)["Table"]
    given = {
        "Name": "visits",
        "Description": "Told.",
        "Parameters": shown["Parameters"],
        "StorageDescriptor": {"Columns": [{"Name": "page", "Type": "string"}]},
    }

    glue.update_table(DatabaseName="ads", TableInput=given, VersionId=shown["VersionId"])

    after = glue.get_table(**VISITS)["Table"]
    assert (names(after), after["Description"]) == (["id", "ip_address", "page"], "Told.")
    assert after["Parameters"]["metadata_location"] == table.metadata_location


def test_nobody_registers_files_that_they_may_not_keep_data_at(
    lake: World, bucket: str, table: Any, client: Client
) -> None:
    lake.grant(ADMIN, BOB.arn, ON_ADS, P.CREATE_TABLE)
    parameters = {"table_type": "ICEBERG", "metadata_location": table.metadata_location}
    given = {"Name": "mine", "Parameters": parameters}
    glue = client(BOB)

    def create(location: str) -> str:
        storage = {"Columns": [], "Location": location}
        return code(
            glue.create_table,
            DatabaseName="ads",
            TableInput={**given, "StorageDescriptor": storage},
        )

    assert create(f"s3://{bucket}/visits") == "AccessDeniedException"
    # Nor can anybody find out which files there are.
    assert create(f"s3://{bucket}/nowhere") == "InvalidInputException"
    lake.grant(ADMIN, BOB.arn, OnLocation(HOME, f"s3://{bucket}"), P.DATA_LOCATION_ACCESS)
    # His own it would be, and show what Dave's hides from him.
    assert create(f"s3://{bucket}/visits") == "AccessDeniedException"
    lake.grant(ADMIN, BOB.arn, on_table(), P.SELECT)
    assert glue.get_table(**VISITS)


def test_a_dropped_table_comes_back_closed(
    lake: World, bucket: str, table: Any, catalog: Catalog
) -> None:
    lake.grant(ADMIN, BOB.arn, on_table(), P.SELECT)
    del table
    catalog(OWNER).drop_table("ads.visits")
    with pytest.raises(NoSuchTableError):
        catalog(OWNER).load_table("ads.visits")

    catalog(OWNER).create_table("ads.visits", SCHEMA, location=f"s3://{bucket}/visits")

    with pytest.raises(NoSuchTableError):
        catalog(BOB).load_table("ads.visits")
    # Its database's tags hold for it again, its own are gone: tag before granting.
    assert lake.sees(ANA, NAME) == ["id", "ip_address", "page"]


def test_a_column_that_comes_back_is_as_closed_as_it_was(
    lake: World, table: Any, client: Client
) -> None:
    with table.update_schema() as update:
        update.delete_column("ip_address")
    assert names(client(ANA).get_table(**VISITS)["Table"]) == ["id", "page"]
    with table.update_schema() as update:
        update.add_column("ip_address", StringType())

    assert lake.sees(ANA, NAME) == ["id", "page"]


def test_tags_that_a_rename_leaves_behind_do_not_open(lake: World, table: Any) -> None:
    with lake.desk.lake.changing() as change:
        for place, value in (
            (Place(HOME, "ads"), "private"),
            (Place(HOME, "ads", "visits", "gone"), "non-private"),
        ):
            change.assign(Assignment(place=place, key="class", value=value))

    with table.update_schema() as update:
        update.rename_column("page", "gone")

    assert lake.sees(ANA, NAME) == []


def bring_back(glue: Any, weed: Weed, table: Any, name: str) -> None:
    """Commit a schema with one more field, of the number that `ip_address` had at first."""
    base = table.metadata_location
    bucket, _, key = base.removeprefix("s3://").partition("/")
    said = json.loads(weed.s3().get_object(Bucket=bucket, Key=key)["Body"].read())
    current = next(s for s in said["schemas"] if s["schema-id"] == said["current-schema-id"])
    field = {"id": 2, "name": name, "type": "string", "required": False}
    more = {**current, "schema-id": 90, "fields": [*current["fields"], field]}
    change = {"schemas": [*said["schemas"], more], "current-schema-id": 90}
    file = staged(weed, base, "back", **change)
    commit(glue, file, parameters={"previous_metadata_location": base})


@pytest.mark.parametrize("name", ["address", "ip_address"])
def test_a_dropped_column_that_comes_back_by_its_number_is_as_closed_as_it_was(
    lake: World, table: Any, weed: Weed, client: Client, name: str
) -> None:
    but = OnColumns(HOME, "ads", "visits", frozenset({"ip_address"}), excluding=True)
    lake.grant(ADMIN, BOB.arn, but, P.SELECT)
    with table.update_schema() as update:
        update.delete_column("ip_address")

    bring_back(client(OWNER), weed, table, name)

    assert names(client(OWNER).get_table(**VISITS)["Table"]) == ["id", "page", name]
    assert lake.sees(ANA, NAME) == ["id", "page"]
    assert lake.sees(BOB, NAME) == ["id", "page"]


def test_a_column_that_comes_back_unknown_is_closed_until_somebody_tags_it(
    lake: World, table: Any, weed: Weed, client: Client
) -> None:
    """Its name became another column's, and lost its tag, so nobody knows what it carried."""
    with table.update_schema() as update:
        update.delete_column("ip_address")
    with table.update_schema() as update:
        update.add_column("ip_address", StringType())
    with lake.desk.lake.changing() as change:
        change.unassign(Place(HOME, "ads", "visits", "ip_address"), "class")
    assert lake.sees(ANA, NAME) == ["id", "page", "ip_address"]

    bring_back(client(OWNER), weed, table, "address")

    assert lake.sees(ANA, NAME) == ["id", "page", "ip_address"]
    with lake.desk.lake.changing() as change:
        place = Place(HOME, "ads", "visits", "address")
        change.assign(Assignment(place=place, key="class", value="non-private"))
    assert lake.sees(ANA, NAME) == ["id", "page", "ip_address", "address"]
