"""Iceberg tables that boto3 alone defines and changes, read back with PyIceberg."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.types import DoubleType, LongType, StringType

from lakeveil.adapters.iceberg import SqlIcebergCatalog
from lakeveil.core.access.grants import OnColumns, TableName
from lakeveil.core.audit import AuditOutcome
from lakeveil.ports.lake import Assignment, Place
from tests.doors.glue.asking import ON_ADS, names, on_table, publish, register
from tests.doors.glue.conftest import ENGINE, Client
from tests.doors.lakeformation.asking import refusal
from tests.flows.lakes import ADMIN, ANA, BOB, HOME, OWNER, P, World
from tests.stack_fixture import Weed

VISITS = {"DatabaseName": "ads", "Name": "visits"}
NAME = TableName(HOME, "ads", "visits")

PERSON: dict[str, Any] = {
    "type": "struct",
    "fields": [
        {"id": 11, "name": "email", "required": False, "type": "string", "doc": "of the visitor"},
        {"id": 12, "name": "born", "required": False, "type": "date"},
    ],
}
PAGES: dict[str, Any] = {
    "type": "list",
    "element-id": 21,
    "element-required": True,
    "element": {
        "type": "map",
        "key-id": 22,
        "key": "string",
        "value-id": 23,
        "value": "decimal(9, 2)",
        "value-required": False,
    },
}


def field(number: int, name: str, kind: Any, **more: Any) -> dict[str, Any]:
    """An `IcebergStructField`."""
    return {"Id": number, "Name": name, "Type": kind, "Required": False, **more}


FIELDS = [
    field(5, "id", "long", Required=True, Doc="the visit"),
    field(7, "person", PERSON),
    field(9, "pages", PAGES),
    field(30, "at", "timestamptz"),
    field(31, "score", "float"),
]
SCHEMA: dict[str, Any] = {
    "SchemaId": 3,
    "Type": "struct",
    "IdentifierFieldIds": [5],
    "Fields": FIELDS,
}
SPEC: dict[str, Any] = {
    "SpecId": 2,
    "Fields": [
        {"SourceId": 30, "Transform": "day", "Name": "at_day", "FieldId": 1004},
        {"SourceId": 5, "Transform": "bucket[16]", "Name": "id_bucket"},
    ],
}
ORDER: dict[str, Any] = {
    "OrderId": 4,
    "Fields": [
        {"SourceId": 5, "Transform": "identity", "Direction": "desc", "NullOrder": "nulls-last"}
    ],
}
ROWS = pa.table(
    {
        "id": pa.array([1, 2], pa.int64()),
        "score": pa.array([0.5, 1.5], pa.float32()),
    },
    schema=pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("score", pa.float32())]),
)


@pytest.fixture
def location(lake: World, weed: Weed) -> str:
    """Where Dave may keep the table."""
    bucket = weed.new_bucket("lake")
    register(lake, f"s3://{bucket}")
    return f"s3://{bucket}/visits"


def create(glue: Any, location: str, **more: Any) -> None:
    """Define the table, without a word of it in a TableInput."""
    given = {"Location": location, "Schema": SCHEMA, **more}
    made = {"MetadataOperation": "CREATE", "Version": "2", "CreateIcebergTableInput": given}
    glue.create_table(**VISITS, OpenTableFormatInput={"IcebergInput": made})


def update(glue: Any, *updates: dict[str, Any], **more: Any) -> None:
    """Send updates; the model wants a Schema and a Location in each."""
    whole = [{"Schema": {"Fields": []}, "Location": "", **one} for one in updates]
    given = {"UpdateIcebergInput": {"UpdateIcebergTableInput": {"Updates": whole}}}
    glue.update_table(**VISITS, UpdateOpenTableFormatInput=given, **more)


def told(call: Callable[..., object], *given: Any, **more: Any) -> tuple[str, str]:
    """The code and message of a refused call."""
    return refusal(partial(call, *given), **more)[:2]


def with_fields(*fields: dict[str, Any]) -> dict[str, Any]:
    """The state in which the table has these fields."""
    return {"Schema": {**SCHEMA, "Fields": list(fields)}}


def opened(iceberg: SqlIcebergCatalog) -> Any:
    """The table as PyIceberg's own catalog has it."""
    return iceberg.sql_catalog(HOME).load_table(("ads", "visits"))


@pytest.fixture
def table(lake: World, location: str, client: Client) -> str:
    """Dave's table; all but `person` is open to Ana. Its location."""
    create(client(OWNER), location)
    publish(lake)
    with lake.desk.lake.changing() as change:
        place = Place(HOME, "ads", "visits", "person")
        change.assign(Assignment(place=place, key="class", value="private"))
    return location


def test_a_table_has_exactly_the_schema_that_was_given(
    location: str, client: Client, iceberg: SqlIcebergCatalog
) -> None:
    create(
        client(OWNER),
        location,
        PartitionSpec=SPEC,
        WriteOrder=ORDER,
        Properties={"write.parquet.compression-codec": "zstd", "format-version": "2"},
    )

    made = opened(iceberg)
    schema = made.schema()
    assert (schema.schema_id, schema.identifier_field_ids) == (3, [5])
    assert [(one.field_id, one.name, one.required) for one in schema.fields] == [
        (5, "id", True),
        (7, "person", False),
        (9, "pages", False),
        (30, "at", False),
        (31, "score", False),
    ]
    assert schema.find_field(5).doc == "the visit"
    assert schema.find_field(11).doc == "of the visitor"
    assert json.loads(schema.find_type(7).model_dump_json(exclude_none=True)) == PERSON
    assert json.loads(schema.find_type(9).model_dump_json()) == PAGES
    assert made.spec().spec_id == 2
    assert [
        (one.field_id, one.source_id, str(one.transform), one.name) for one in made.spec().fields
    ] == [(1004, 30, "day", "at_day"), (1005, 5, "bucket[16]", "id_bucket")]
    assert json.loads(made.sort_order().model_dump_json()) == {
        "order-id": 4,
        "fields": [
            {
                "source-id": 5,
                "transform": "identity",
                "direction": "desc",
                "null-order": "nulls-last",
            }
        ],
    }
    assert made.properties == {"write.parquet.compression-codec": "zstd"}
    assert made.metadata.format_version == 2
    assert made.metadata.last_column_id == 31
    assert made.metadata.last_partition_id == 1005


def test_the_catalog_shows_the_columns_of_the_schema(location: str, client: Client) -> None:
    glue = client(OWNER)
    made = {
        "MetadataOperation": "CREATE",
        "CreateIcebergTableInput": {"Location": f"{location}/", "Schema": SCHEMA},
    }

    glue.create_table(
        DatabaseName="ads",
        TableInput={"Name": "Visits", "Description": "Told.", "Parameters": {"kept": "yes"}},
        OpenTableFormatInput={"IcebergInput": made},
    )

    shown = glue.get_table(**VISITS)["Table"]
    assert shown["Description"] == "Told."
    assert shown["Parameters"]["kept"] == "yes"
    assert shown["Parameters"]["table_type"] == "ICEBERG"
    assert shown["StorageDescriptor"]["Location"] == location
    assert [(one["Name"], one["Type"]) for one in shown["StorageDescriptor"]["Columns"]] == [
        ("id", "bigint"),
        ("person", "struct<email:string,born:date>"),
        ("pages", "array<map<string,decimal(9,2)>>"),
        ("at", "timestamp"),
        ("score", "float"),
    ]
    assert shown["StorageDescriptor"]["Columns"][1]["Parameters"]["iceberg.field.id"] == "7"


def schema_of(*fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A part of a `CreateIcebergTableInput`."""
    return {"Schema": {"Fields": list(fields), **more}}


def spec_of(**more: Any) -> dict[str, Any]:
    """Another part: one partition field."""
    one = {"SourceId": 30, "Transform": "day", "Name": "at_day", **more}
    return {"PartitionSpec": {"Fields": [one]}}


def order_of(**more: Any) -> dict[str, Any]:
    """Another part: one sort field."""
    return {"WriteOrder": {"OrderId": 1, "Fields": [{**ORDER["Fields"][0], **more}]}}


UNMADE: list[tuple[dict[str, Any], str]] = [
    (schema_of(), "the schema has no field"),
    (schema_of(field(1, "a", "int"), field(1, "b", "int")), "two fields of the id 1"),
    (schema_of(field(1, "a", "int"), field(2, "a", "int")), "multiple fields for name a"),
    (schema_of(field(1, "a", "int"), field(2, "A", "int")), "there are two columns `a`"),
    (schema_of(field(0, "a", "int")), "the id of field `a` is none"),
    (schema_of(field(7, "p", PERSON), field(11, "q", "int")), "two fields of the id 11"),
    (schema_of(field(1, "a", "interval")), "no schema of an Iceberg table"),
    (schema_of(field(1, "a", "timestamp_ns")), "only supported in 3"),
    (schema_of(field(1, "a", {"type": "list", "element": "int"})), "no member `element-id`"),
    (schema_of(field(1, "a", {**PAGES, "comment": "x"})), "has a member `comment`"),
    (schema_of(field(1, "a", {**PAGES, "element-required": "no"})), "neither true nor false"),
    (schema_of(field(1, "a", {"type": "tuple"})), "is none of Iceberg's"),
    (schema_of(field(1, "a", 7)), "is none of Iceberg's"),
    (schema_of(field(1, "a", {"type": "struct", "fields": "x"})), "has no list of fields"),
    (schema_of(field(1, "a", {"type": "struct", "fields": [1]})), "is no object"),
    (schema_of(field(1, "a", {"type": "struct", "fields": [{}]})), "has no name"),
    (schema_of(field(1, "a", "int", InitialDefault=0)), "default values need version 3"),
    (schema_of(field(1, "a", "int", WriteDefault="")), "default values need version 3"),
    (schema_of(field(1, "a", "int"), IdentifierFieldIds=[1]), "not a required field"),
    (schema_of(field(1, "a", "int"), IdentifierFieldIds=[9]), "no schema of an Iceberg table"),
    (spec_of(SourceId=99), "cannot be partitioned like that"),
    (spec_of(SourceId=7, Transform="identity"), "cannot be partitioned like that"),
    (spec_of(SourceId=23, Transform="identity"), "cannot be partitioned like that"),
    (spec_of(SourceId=31, Transform="day"), "cannot be partitioned like that"),
    (spec_of(Transform="week"), "`week` is no transform"),
    (spec_of(SourceId=5, Transform="bucket[0]"), "`bucket[0]` is no transform"),
    (spec_of(Name="score"), "a name that exists in schema"),
    (spec_of(FieldId=999), "cannot have the id 999"),
    (
        {"PartitionSpec": {"Fields": SPEC["Fields"][:1] * 2}},
        "two partition fields have one name",
    ),
    (order_of(SourceId=99), "cannot be sorted like that"),
    (order_of(SourceId=9), "cannot be sorted like that"),
    (order_of(Transform="identity()"), "is no transform"),
    ({"WriteOrder": {**ORDER, "OrderId": 0}}, "cannot have the id 0"),
    ({"Properties": {"s3.endpoint": "http://evil"}}, "`s3.endpoint` is not accepted"),
    ({"Properties": {"format-version": "3"}}, "`format-version` is not accepted"),
    ({"Properties": {"uuid": "x"}}, "`uuid` is not accepted"),
    ({"Location": ""}, "has a location"),
    ({"Location": "file:///etc"}, "is invalid"),
]


def test_what_is_no_iceberg_table_is_refused_with_a_reason(location: str, client: Client) -> None:
    glue = client(OWNER)

    for given, said in UNMADE:
        answered = told(create, glue, location, **given)

        assert answered[0] == "InvalidInputException", said
        assert said in answered[1]
        assert "\n" not in answered[1]
        assert "pydantic" not in answered[1]
    assert told(glue.get_table, **VISITS)[0] == "EntityNotFoundException"


@pytest.mark.parametrize("version", ["1", "3"])
def test_a_schema_of_its_own_makes_tables_of_version_2_alone(
    location: str, client: Client, version: str
) -> None:
    given = {"Location": location, "Schema": SCHEMA}
    made = {"MetadataOperation": "CREATE", "Version": version, "CreateIcebergTableInput": given}

    assert told(
        client(OWNER).create_table, **VISITS, OpenTableFormatInput={"IcebergInput": made}
    ) == (
        "InvalidInputException",
        "IcebergInput has the MetadataOperation CREATE, and the Version 2.",
    )


def test_nothing_is_said_twice(location: str, client: Client) -> None:
    glue = client(OWNER)
    given = {"Location": location, "Schema": SCHEMA}
    made = {"IcebergInput": {"MetadataOperation": "CREATE", "CreateIcebergTableInput": given}}

    for twice in (
        {"StorageDescriptor": {"Columns": [{"Name": "x"}]}},
        {"PartitionKeys": [{"Name": "x"}]},
    ):
        said = told(
            glue.create_table,
            DatabaseName="ads",
            TableInput={"Name": "visits", **twice},
            OpenTableFormatInput=made,
        )
        assert said[0] == "InvalidInputException"
        assert "cannot stand beside CreateIcebergTableInput" in said[1]
    nameless = told(glue.create_table, DatabaseName="ads", OpenTableFormatInput=made)
    assert nameless[0] == "InvalidInputException"
    assert "Give Name." in nameless[1]


def test_it_takes_what_creating_a_table_takes(lake: World, location: str, client: Client) -> None:
    assert told(create, client(BOB), location)[0] == "EntityNotFoundException"
    lake.grant(ADMIN, BOB.arn, ON_ADS, P.CREATE_TABLE)
    assert told(create, client(BOB), location)[0] == "AccessDeniedException"
    create(client(OWNER), location)
    assert told(create, client(OWNER), location)[0] == "AlreadyExistsException"


def test_a_struct_is_hidden_with_every_field_in_it(lake: World, table: str, client: Client) -> None:
    del table
    glue = client(ANA)

    assert lake.sees(ANA, NAME) == ["id", "pages", "at", "score"]
    assert names(glue.get_table(**VISITS)["Table"]) == ["id", "pages", "at", "score"]
    for answer in (
        glue.get_table(**VISITS),
        glue.get_tables(DatabaseName="ads"),
        glue.get_table_versions(DatabaseName="ads", TableName="visits"),
        glue.search_tables(SearchText="email"),
        glue.search_tables(SearchText="visits"),
    ):
        said = json.dumps(answer, default=str)
        for word in ("person", "email", "born", "visitor"):
            assert word not in said


def test_an_engine_is_told_that_a_struct_is_not_authorised(
    lake: World, table: str, client: Client
) -> None:
    del table
    lake.grant(
        ADMIN,
        ENGINE.arn,
        OnColumns(HOME, "ads", "visits", frozenset({"person"}), excluding=True),
        P.SELECT,
    )

    found = client(ENGINE).get_unfiltered_table_metadata(
        CatalogId=HOME, **VISITS, SupportedPermissionTypes=["COLUMN_PERMISSION"]
    )

    assert found["AuthorizedColumns"] == ["id", "pages", "at", "score"]
    assert "struct<email:string,born:date>" in json.dumps(found["Table"], default=str)


def test_a_tag_on_a_struct_holds_for_a_field_that_is_added_to_it(
    lake: World, table: str, client: Client, iceberg: SqlIcebergCatalog
) -> None:
    del table
    wider = copy.deepcopy(PERSON)
    phone = {"id": 40, "name": "phone", "required": False, "type": "string"}
    wider["fields"].append(phone)

    update(client(OWNER), with_fields(FIELDS[0], field(7, "person", wider), *FIELDS[2:]))

    assert opened(iceberg).schema().find_field("person.phone").field_id == 40
    assert lake.sees(ANA, NAME) == ["id", "pages", "at", "score"]
    assert "phone" not in json.dumps(client(ANA).get_table(**VISITS), default=str)


def test_a_table_is_brought_to_another_state(
    lake: World, table: str, client: Client, iceberg: SqlIcebergCatalog
) -> None:
    opened(iceberg).append(ROWS)
    glue, before = client(OWNER), opened(iceberg)
    version = glue.get_table(**VISITS)["Table"]["VersionId"]
    fields = [
        FIELDS[0],
        field(7, "visitor", PERSON),
        *FIELDS[2:4],
        field(31, "score", "double"),
        field(40, "note", "string"),
    ]

    update(
        glue,
        {
            **with_fields(*fields),
            "Location": table,
            "PartitionSpec": {
                "Fields": [{"SourceId": 40, "Transform": "truncate[3]", "Name": "start"}]
            },
            "SortOrder": ORDER,
            "Properties": {"write.parquet.compression-codec": "zstd"},
        },
        VersionId=version,
    )

    after = opened(iceberg)
    assert [(one.field_id, one.name) for one in after.schema().fields] == [
        (5, "id"),
        (7, "visitor"),
        (9, "pages"),
        (30, "at"),
        (31, "score"),
        (40, "note"),
    ]
    assert after.schema().find_type(31) == DoubleType()
    assert after.schema().find_type(40) == StringType()
    assert after.metadata.last_column_id == 40
    assert [one.schema_id for one in after.metadata.schemas] == [3, 4]
    assert [(one.source_id, str(one.transform)) for one in after.spec().fields] == [
        (40, "truncate[3]")
    ]
    assert [one.source_id for one in after.sort_order().fields] == [5]
    assert after.properties["write.parquet.compression-codec"] == "zstd"
    assert after.metadata.table_uuid == before.metadata.table_uuid
    assert after.metadata.metadata_log[-1].metadata_file == before.metadata_location
    assert after.scan().to_arrow().column("score").to_pylist() == [0.5, 1.5]
    # What was tagged goes along with the new name; what is new has the tags that it inherits.
    assert lake.sees(ANA, NAME) == ["id", "pages", "at", "score", "note"]
    assert names(client(ANA).get_table(**VISITS)["Table"]) == lake.sees(ANA, NAME)
    shown = glue.get_table(**VISITS)["Table"]
    assert names(shown) == ["id", "visitor", "pages", "at", "score", "note"]
    assert shown["Parameters"]["previous_metadata_location"] == before.metadata_location
    assert int(shown["VersionId"]) == int(version) + 1


def test_each_action_does_what_it_says(
    table: str, client: Client, iceberg: SqlIcebergCatalog
) -> None:
    wider = {**SCHEMA, "SchemaId": 8, "Fields": [*FIELDS, field(50, "more", "int")]}
    own = {"Schema": wider, "Location": table}

    update(
        client(OWNER),
        {"Action": "add-schema", **own},
        {"Action": "set-current-schema", **own},
        {"Action": "add-spec", "PartitionSpec": {**SPEC, "SpecId": 6}, **own},
        {"Action": "set-default-spec", "PartitionSpec": {"SpecId": 6, "Fields": []}, **own},
        {"Action": "add-sort-order", "SortOrder": ORDER, **own},
        {"Action": "set-default-sort-order", "SortOrder": {"OrderId": 4, "Fields": []}, **own},
        {"Action": "set-properties", "Properties": {"a": "1", "b": "2"}, **own},
        {"Action": "remove-properties", "Properties": {"a": "", "absent": ""}, **own},
        {"Action": "set-location", **own},
    )

    made = opened(iceberg)
    assert (made.schema().schema_id, made.schema().find_type("more").__class__.__name__) == (
        8,
        "IntegerType",
    )
    assert (made.spec().spec_id, made.sort_order().order_id) == (6, 4)
    assert made.properties == {"b": "2"}


def test_a_partition_field_keeps_its_number(table: str, client: Client) -> None:
    glue = client(OWNER)
    update(glue, {"PartitionSpec": SPEC})

    for number in (1002, 1005, 1009):
        said = told(
            update, glue, {"PartitionSpec": {"Fields": [{**SPEC["Fields"][0], "FieldId": number}]}}
        )
        assert f"cannot have the id {number}" in said[1]
    said = told(
        update,
        glue,
        {"PartitionSpec": {"Fields": [{**SPEC["Fields"][0], "SourceId": 5, "FieldId": 1001}]}},
    )
    assert said[0] == "InvalidInputException"
    del table


def test_going_back_to_an_earlier_spec_and_order_gives_no_new_ones(
    table: str, client: Client, iceberg: SqlIcebergCatalog
) -> None:
    glue = client(OWNER)
    day = {"PartitionSpec": {"Fields": SPEC["Fields"][:1]}, "SortOrder": ORDER}
    none = {"PartitionSpec": {"Fields": []}, "SortOrder": {"OrderId": 0, "Fields": []}}

    for state in (day, none, day):
        update(glue, state)

    made = opened(iceberg)
    assert [one.name for one in made.spec().fields] == ["at_day"]
    assert len(made.metadata.partition_specs) == 2
    assert len(made.metadata.sort_orders) == 2
    assert {one.field_id for spec in made.metadata.partition_specs for one in spec.fields} == {1004}
    del table


UNCHANGED: list[tuple[dict[str, Any], str]] = [
    ({}, "changes nothing"),
    (with_fields(FIELDS[0], *FIELDS[2:], field(8, "x", "string")), "cannot have the id 8"),
    (with_fields(*FIELDS, field(11, "email", "string")), "two fields of the id 11"),
    (
        with_fields(FIELDS[0], *FIELDS[2:], field(11, "email", "string")),
        "cannot move to another place",
    ),
    (with_fields(*FIELDS[:4], field(31, "score", "int")), "cannot become int"),
    (with_fields(*FIELDS[:4], field(31, "score", PERSON)), "two fields of the id 11"),
    (with_fields(*FIELDS[:1], field(7, "person", "string")), "cannot become string"),
    (with_fields(field(5, "id", "long"), *FIELDS[1:]), "not a required field"),
    (with_fields(*FIELDS[:4], {**FIELDS[4], "Required": True}), "cannot become required"),
    (with_fields(*FIELDS, field(41, "new", "int", Required=True)), "cannot be required"),
    (with_fields(*FIELDS, field(41, "new", "int", InitialDefault=1)), "need version 3"),
    ({"Location": "s3://elsewhere/visits"}, "location cannot be changed"),
    ({"Properties": {"s3.endpoint": "http://evil"}}, "`s3.endpoint` is not accepted"),
    ({"Properties": {"format-version": "3"}}, "`format-version` is not accepted"),
    ({"Properties": {"write.metadata.previous-versions-max": "x"}}, "do not fit together"),
    ({"PartitionSpec": {"Fields": [{**SPEC["Fields"][0], "SourceId": 99}]}}, "partitioned"),
    (
        {"SortOrder": {"OrderId": 1, "Fields": [{**ORDER["Fields"][0], "SourceId": 9}]}},
        "sorted",
    ),
    ({"EncryptionKey": {"KeyId": "k", "EncryptedKeyMetadata": "eA=="}}, "EncryptionKey is not"),
    ({"KeyId": "k"}, "KeyId is not supported"),
    ({"Action": "remove-encryption-key", "KeyId": "k"}, "belong to version 3"),
    ({"Action": "add-spec"}, "has no PartitionSpec"),
    ({"Action": "set-location"}, "has no Location"),
    ({"Action": "set-location", "Location": "s3://x/y"}, "location cannot be changed"),
    ({"Action": "add-schema", "PartitionSpec": SPEC, **with_fields(*FIELDS)}, "stand beside"),
    (
        {"Action": "set-properties", "Properties": {"a": "1"}, **with_fields(*FIELDS[:2])},
        "the schema is none of the table's",
    ),
    (
        {"Action": "add-schema", **with_fields(*FIELDS, field(41, "new", "int"))},
        "there is another schema of the id 3",
    ),
    (
        {"Action": "set-current-schema", "Schema": {"SchemaId": 9, "Fields": FIELDS}},
        "none of the table's",
    ),
    (
        {"Action": "set-default-spec", "PartitionSpec": {"SpecId": 9, "Fields": []}},
        "no such partition spec",
    ),
    (
        {"Action": "set-default-spec", "PartitionSpec": {"Fields": SPEC["Fields"]}},
        "no such partition spec",
    ),
    (
        {"Action": "set-default-sort-order", "SortOrder": {"OrderId": 9, "Fields": []}},
        "no such sort order",
    ),
]


def test_a_change_that_would_make_another_table_is_refused(
    table: str, client: Client, iceberg: SqlIcebergCatalog
) -> None:
    opened(iceberg).append(ROWS)
    glue, before = client(OWNER), opened(iceberg).metadata_location
    version = glue.get_table(**VISITS)["Table"]["VersionId"]

    for given, said in UNCHANGED:
        answered = told(update, glue, given)

        assert answered[0] == "InvalidInputException", said
        assert said in answered[1]
    assert opened(iceberg).metadata_location == before
    assert glue.get_table(**VISITS)["Table"]["VersionId"] == version
    del table


def test_a_column_that_was_dropped_does_not_come_back_by_its_number(
    lake: World, table: str, client: Client
) -> None:
    glue = client(OWNER)
    update(glue, with_fields(FIELDS[0], *FIELDS[2:]))

    for back in ("person", "innocent"):
        said = told(update, glue, with_fields(FIELDS[0], *FIELDS[2:], field(7, back, PERSON)))
        assert "one that was dropped does not come back" in said[1]
    earlier = {"Action": "set-current-schema", "Schema": {"SchemaId": 3, "Fields": []}}
    assert told(update, glue, earlier)[0] == "InvalidInputException"
    again = copy.deepcopy(PERSON)
    for number, inner in enumerate(again["fields"], start=61):
        inner["id"] = number
    update(glue, with_fields(FIELDS[0], *FIELDS[2:], field(60, "person", again)))
    # Its name's tags have waited.
    assert lake.sees(ANA, NAME) == ["id", "pages", "at", "score"]
    del table


def test_a_column_that_the_table_is_partitioned_by_is_not_dropped(
    location: str, client: Client, iceberg: SqlIcebergCatalog
) -> None:
    glue = client(OWNER)
    create(glue, location, PartitionSpec=SPEC)
    without = with_fields(*FIELDS[:3], FIELDS[4])

    assert told(update, glue, without)[0] == "InvalidInputException"
    update(glue, {**without, "PartitionSpec": {"Fields": []}})

    assert [one.name for one in opened(iceberg).schema().fields][3] == "score"


def test_it_takes_alter_and_sight_of_every_column(lake: World, table: str, client: Client) -> None:
    change = with_fields(*FIELDS, field(41, "new", "int"))
    unknown = told(client(BOB).get_table, **VISITS)
    assert unknown[0] == "EntityNotFoundException"
    assert told(update, client(BOB), change) == unknown
    assert told(update, client(BOB), change, VersionId="99") == unknown

    lake.grant(ADMIN, ANA.arn, on_table(), P.ALTER)
    for asked in (change, with_fields(*FIELDS[:1]), {"Location": "s3://elsewhere/x"}):
        said = told(update, client(ANA), asked, VersionId="99")
        assert said[0] == "AccessDeniedException"
        for word in ("person", "email", "s3://"):
            assert word not in said[1]
    lake.grant(ADMIN, BOB.arn, on_table(), P.ALTER)
    lake.grant(ADMIN, BOB.arn, on_table(), P.SELECT)
    update(client(BOB), change)
    assert names(client(BOB).get_table(**VISITS)["Table"])[-1] == "new"
    said_of = [e.record.event for e in lake.trail.entries(action="glue:UpdateTable") if e.record]
    outcomes = [(one.principal, one.outcome) for one in said_of]
    assert outcomes.count((ANA.arn, AuditOutcome.REFUSED)) == 3
    assert (BOB.arn, AuditOutcome.DONE) in outcomes
    del table


def test_a_change_from_an_earlier_version_is_refused(
    table: str, client: Client, iceberg: SqlIcebergCatalog
) -> None:
    glue = client(OWNER)
    version = glue.get_table(**VISITS)["Table"]["VersionId"]
    opened(iceberg).append(ROWS)

    said = told(update, glue, {"Properties": {"a": "1"}}, VersionId=version)[0]

    assert said == "ConcurrentModificationException"
    current = glue.get_table(**VISITS)["Table"]["VersionId"]
    update(glue, {"Properties": {"a": "1"}}, VersionId=current, SkipArchive=True)
    kept = glue.get_table_versions(DatabaseName="ads", TableName="visits")["TableVersions"]
    assert current not in [one["VersionId"] for one in kept]
    assert opened(iceberg).schema().find_type(5) == LongType()
    del table


def test_only_an_iceberg_table_is_changed_like_one(lake: World, client: Client) -> None:
    del lake
    glue = client(OWNER)
    given = {
        "UpdateIcebergInput": {
            "UpdateIcebergTableInput": {
                "Updates": [{"Schema": {"Fields": []}, "Location": "", "Properties": {"a": "1"}}]
            }
        }
    }

    at = {"DatabaseName": "ads", "UpdateOpenTableFormatInput": given}
    assert told(glue.update_table, **at, Name="events")[0] == "InvalidInputException"
    assert "Give Name." in told(glue.update_table, **at)[1]
    both = told(glue.update_table, **at, Name="events", TableInput={"Name": "events"})
    assert "cannot stand beside UpdateOpenTableFormatInput" in both[1]
    empty = told(glue.update_table, **{**at, "UpdateOpenTableFormatInput": {}}, Name="events")
    assert "changes nothing" in empty[1]
