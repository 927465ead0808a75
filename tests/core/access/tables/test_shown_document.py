"""What of a table's document is shown: a hidden column is named nowhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lakeveil.core.access.tables.shown_document import View, shown_document, shown_partition
from lakeveil.core.access.tables.table_document import columns_in, location_in, tidied
from lakeveil.errors import UsageError

SECRET = "ip_address"
PATH = "s3://lake/ads/acme/events"
DOCUMENT: dict[str, Any] = {
    "Description": f"Events, without {SECRET}.",
    "Owner": "ads",
    "Retention": 3,
    "TableType": "EXTERNAL_TABLE",
    "ViewOriginalText": f"select {SECRET} from x",
    "ViewExpandedText": f"select {SECRET} from x",
    "Parameters": {
        "classification": "parquet",
        "skip.header.line.count": "1",
        "spark.sql.sources.schema.part.0": json.dumps({"fields": [{"name": SECRET}]}),
        "avro.schema.literal": json.dumps({"fields": [{"name": SECRET}]}),
        f"projection.{SECRET}.type": "enum",
        "spark.sql.statistics.colStats.id.max": "9999",
        "compressionType": f"none of {SECRET}",
        "metadata_location": f"{PATH}/metadata/1.json",
        "made.by": "arn:aws:iam::1:user/acme",
        "department": "marketing",
    },
    "PartitionKeys": [{"Name": "region", "Type": "string"}, {"Name": "partner", "Type": "string"}],
    "StorageDescriptor": {
        "Columns": [
            {"Name": "id", "Type": "bigint", "Comment": "key", "Parameters": {"x": SECRET}},
            {"Name": "score", "Type": "int", "Comment": f"made of {SECRET}"},
            {"Name": SECRET, "Type": "string"},
        ],
        "Location": PATH,
        "AdditionalLocations": [f"{PATH}/more"],
        "InputFormat": "org.apache.Parquet",
        "BucketColumns": ["id", SECRET],
        "NumberOfBuckets": 8,
        "SortColumns": [{"Column": SECRET, "SortOrder": 1}, {"Column": "id", "SortOrder": 1}],
        "SkewedInfo": {"SkewedColumnNames": [SECRET], "SkewedColumnValues": ["10.0.0.1"]},
        "SerdeInfo": {
            "Name": f"for {SECRET}",
            "SerializationLibrary": "org.openx.JsonSerDe",
            "Parameters": {"paths": f"id,{SECRET}", "serialization.format": "1"},
        },
        "SchemaReference": {"SchemaVersionId": SECRET},
    },
}
ALL = frozenset({"id", "score", SECRET, "region", "partner"})
SOME = View(
    known={"id", "score", "region"},
    hidden={SECRET, "partner"},
    entire=False,
    paths=False,
    values=False,
)


def test_hidden_columns_paths_and_values_are_named_nowhere() -> None:
    said = json.dumps(shown_document(DOCUMENT, SOME)).lower()

    for word in (SECRET, "partner", "acme", "s3:", "10.0.0.1", "9999", "marketing"):
        assert word not in said


def test_what_is_left_is_still_a_table() -> None:
    shown = shown_document(DOCUMENT, SOME)

    assert shown == {
        "Owner": "ads",
        "Retention": 3,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"classification": "parquet", "skip.header.line.count": "1"},
        "PartitionKeys": [{"Name": "region", "Type": "string"}],
        "StorageDescriptor": {
            "Columns": [
                {"Name": "id", "Type": "bigint", "Comment": "key"},
                {"Name": "score", "Type": "int"},
            ],
            "InputFormat": "org.apache.Parquet",
            "BucketColumns": ["id"],
            "SortColumns": [{"Column": "id", "SortOrder": 1}],
            "SerdeInfo": {
                "SerializationLibrary": "org.openx.JsonSerDe",
                "Parameters": {"serialization.format": "1"},
            },
        },
    }


def test_who_reads_every_cell_sees_it_as_it_was_written() -> None:
    whole = View(known=ALL, hidden=(), entire=True, paths=True, values=True)

    assert shown_document(DOCUMENT, whole) == DOCUMENT


def test_an_administrator_sees_no_values() -> None:
    administrator = View(known=ALL, hidden=(), entire=True, paths=True, values=False)

    shown = shown_document(DOCUMENT, administrator)

    assert shown["StorageDescriptor"]["SkewedInfo"] == {"SkewedColumnNames": [SECRET]}
    assert "spark.sql.statistics.colStats.id.max" not in shown["Parameters"]
    assert shown["ViewOriginalText"] == DOCUMENT["ViewOriginalText"]


def test_who_writes_there_sees_paths() -> None:
    writer = View(known=SOME.known, hidden=SOME.hidden, entire=False, paths=True, values=False)

    shown = shown_document(DOCUMENT, writer)

    assert shown["StorageDescriptor"]["Location"] == PATH
    assert shown["Parameters"]["metadata_location"] == f"{PATH}/metadata/1.json"
    assert "made.by" not in shown["Parameters"]
    assert SECRET not in json.dumps(shown)


def test_a_partition_is_shown_by_the_same_rules() -> None:
    partition = {"CreationTime": 1.0, "Values": [], **{k: DOCUMENT[k] for k in _PARTS}}

    shown = shown_partition(partition, SOME)

    assert set(shown) == {"CreationTime", *_PARTS}
    assert shown["StorageDescriptor"] == shown_document(DOCUMENT, SOME)["StorageDescriptor"]


_PARTS = ("StorageDescriptor", "Parameters")


def test_names_of_columns_are_lower_case_everywhere_and_unique() -> None:
    shouted = {
        "PartitionKeys": [{"Name": "Day"}],
        "StorageDescriptor": {
            "Columns": [{"Name": "ID"}],
            "BucketColumns": ["ID"],
            "SortColumns": [{"Column": "ID", "SortOrder": 0}],
            "SkewedInfo": {"SkewedColumnNames": ["ID"]},
        },
    }

    tidy = tidied(shouted)

    assert "ID" not in json.dumps(tidy)
    assert [(c.name, c.partition) for c in columns_in(tidy)] == [("id", False), ("day", True)]
    twice = {**shouted, "PartitionKeys": [{"Name": "Id"}]}
    with pytest.raises(UsageError, match="`id` is there twice"):
        tidied(twice)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"StorageDescriptor": {"Location": "s3://lake/a/../b"}}, "is invalid"),
        ({"StorageDescriptor": {"Location": "/etc/passwd"}}, "is invalid"),
        ({"StorageDescriptor": {"Location": "https://lake/a"}}, "is invalid"),
        (
            {"StorageDescriptor": {"Location": PATH, "AdditionalLocations": ["s3://lake/other"]}},
            "does not lie under",
        ),
        (
            {
                "StorageDescriptor": {"Location": PATH},
                "Parameters": {"storage.location.template": "s3://lake/other/${day}"},
            },
            "does not lie under",
        ),
    ],
)
def test_data_elsewhere_than_at_the_location_is_refused(document: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        location_in(document)


def test_a_location_has_one_spelling() -> None:
    template = {"storage.location.template": f"{PATH}/day=${{day}}/"}
    for spelled in (PATH, f"{PATH}/", PATH.replace("s3:", "s3a:")):
        document = {"StorageDescriptor": {"Location": spelled}, "Parameters": template}
        assert location_in(document) == PATH
    assert location_in({}) == ""
