"""A table's document: what Glue's `TableInput` carries, and what is read from it.

Names of columns are lower case, as Glue stores them for Hive's sake, and unique across columns and
partition keys: of two columns with one name nobody could say which of them a grant is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lakeveil.core.access.lake import Column
from lakeveil.core.access.locations import is_under, normalised
from lakeveil.errors import UsageError

Document = Mapping[str, Any]

METADATA_LOCATION = "metadata_location"
PREVIOUS_METADATA_LOCATION = "previous_metadata_location"
TABLE_TYPE = "table_type"
ICEBERG = "ICEBERG"
_TEMPLATE = "storage.location.template"
"""Where a table with projected partitions says that its files are."""


def tidied(document: Document) -> dict[str, Any]:
    """The document with its columns' names in lower case, wherever they stand.

    Raises:
        UsageError: two columns have one name.
    """
    tidy = dict(document)
    keys = _columns(tidy.get("PartitionKeys", ()))
    if keys:
        tidy["PartitionKeys"] = keys
    descriptor = tidied_descriptor(tidy.get("StorageDescriptor"))
    if descriptor is not None:
        tidy["StorageDescriptor"] = descriptor
    seen: set[str] = set()
    for column in columns_in(tidy):
        if column.name in seen:
            raise UsageError(f"Column `{column.name}` is there twice.")
        seen.add(column.name)
    return tidy


def tidied_descriptor(descriptor: Document | None) -> dict[str, Any] | None:
    """A storage descriptor with its columns' names in lower case."""
    if descriptor is None:
        return None
    tidy = dict(descriptor)
    if "Columns" in tidy:
        tidy["Columns"] = _columns(tidy["Columns"])
    if "BucketColumns" in tidy:
        tidy["BucketColumns"] = [name.lower() for name in tidy["BucketColumns"]]
    if "SortColumns" in tidy:
        tidy["SortColumns"] = [
            {**one, "Column": one["Column"].lower()} for one in tidy["SortColumns"]
        ]
    if "SkewedColumnNames" in tidy.get("SkewedInfo", {}):
        names = [name.lower() for name in tidy["SkewedInfo"]["SkewedColumnNames"]]
        tidy["SkewedInfo"] = {**tidy["SkewedInfo"], "SkewedColumnNames": names}
    return tidy


def columns_in(document: Document) -> tuple[Column, ...]:
    """The columns, partition keys last, as Hive and Athena put them."""
    plain = document.get("StorageDescriptor", {}).get("Columns", ())
    return (
        *(Column(one["Name"], one.get("Type", "string")) for one in plain),
        *(
            Column(one["Name"], one.get("Type", "string"), partition=True)
            for one in document.get("PartitionKeys", ())
        ),
    )


def completed(document: Document, columns: Iterable[Column], location: str) -> Document:
    """A document with columns and location, where it was written by somebody who left them out."""
    if "StorageDescriptor" in document:
        return document
    shapes = [(one.partition, {"Name": one.name, "Type": one.type}) for one in columns]
    return {
        **document,
        "StorageDescriptor": {
            "Columns": [shape for key, shape in shapes if not key],
            **({"Location": location} if location else {}),
        },
        "PartitionKeys": [shape for key, shape in shapes if key],
    }


def location_in(document: Document) -> str:
    """Where the data is, normalised; empty where the document does not say.

    Raises:
        UsageError: it is no location, or data is said to be outside of it, too.
    """
    descriptor = document.get("StorageDescriptor", {})
    location = checked_location(descriptor.get("Location", ""))
    template = document.get("Parameters", {}).get(_TEMPLATE, "")
    others = [*descriptor.get("AdditionalLocations", ()), *([template] if template else [])]
    for other in others:
        if not is_under(other.partition("${")[0], location):
            raise UsageError(f"`{other[:255]}` does not lie under the table's location.")
    return location


def checked_location(given: str) -> str:
    """A location, normalised; empty stays empty.

    Raises:
        UsageError: it is no location.
    """
    location = normalised(given) if given else ""
    if given and not location:
        raise UsageError(f"Location `{given[:255]}` is invalid: write it as s3://bucket/prefix.")
    return location


def is_iceberg(document: Document) -> bool:
    """Whether its writer calls it an Iceberg table."""
    return str(parameter(document, TABLE_TYPE)).upper() == ICEBERG


def parameter(document: Document, name: str) -> str:
    """One of its parameters, or an empty text."""
    return str(document.get("Parameters", {}).get(name, ""))


def texts_in(columns: Iterable[Document]) -> Iterator[str]:
    """The names and comments of columns."""
    for column in columns:
        yield column["Name"]
        yield column.get("Comment", "")


def _columns(columns: Iterable[Document]) -> list[dict[str, Any]]:
    return [{**one, "Name": one["Name"].lower()} for one in columns]
