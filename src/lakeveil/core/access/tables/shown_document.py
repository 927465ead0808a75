"""What of a table's document somebody is shown: a hidden column is named nowhere in it.

Three things are told apart, each by the decision:

- **entire**: administrators, the owner, and whoever reads every cell see the definition as it was
  written. Everybody else sees the columns that are not hidden from them, and of the rest only what
  cannot name a column: parameters on a list of harmless ones, and no statement of a view, as it
  names columns of other tables.
- **paths**: where files are. Names of partners stand in paths; they are for those who see the
  entire definition, and for those who write there (INSERT, DELETE or ALTER).
- **values**: samples and extremes of data in statistics are for those who read every cell, not for
  administrators either.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from lakeveil.core.access.tables.table_document import (
    METADATA_LOCATION,
    PREVIOUS_METADATA_LOCATION,
    Document,
)

HARMLESS = frozenset(
    {
        "classification",
        "compressiontype",
        "delimiter",
        "escapechar",
        "external",
        "field.delim",
        "has_encrypted_data",
        "line.delim",
        "parquet.compression",
        "projection.enabled",
        "quotechar",
        "separatorchar",
        "serialization.format",
        "skip.header.line.count",
        "table_type",
        "typeofdata",
    }
)
"""Parameters, in lower case, that never hold a schema, a path or data."""

_TIMES = ("CreationTime", "LastAccessTime", "LastAnalyzedTime")
_PLAIN = ("Owner", "LastAccessTime", "LastAnalyzedTime", "Retention", "TableType")
_WRITTEN = (*_PLAIN, "Description", "ViewOriginalText", "ViewExpandedText")
_FORMAT = ("InputFormat", "OutputFormat", "Compressed", "StoredAsSubDirectories")
_PATHS = ("Location", "AdditionalLocations")
_STATISTICS = ("spark.sql.statistics.", "colstats")
_POINTERS = (METADATA_LOCATION, PREVIOUS_METADATA_LOCATION)
_ADDRESS = re.compile(r"://|\barn:", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What somebody may see: `known` names of columns, those `hidden`, and the rest as above."""

    known: Collection[str]
    hidden: Collection[str]
    entire: bool
    paths: bool
    values: bool


def shown_document(document: Document, view: View) -> dict[str, Any]:
    """The members of a table's document, each as far as it may be seen."""
    shown = {key: document[key] for key in _PLAIN if key in document}
    if view.entire:
        shown = {key: document[key] for key in _WRITTEN if key in document}
    elif "Description" in document and not _names(document["Description"], view.hidden):
        shown["Description"] = document["Description"]
    if "StorageDescriptor" in document:
        shown["StorageDescriptor"] = shown_descriptor(document["StorageDescriptor"], view)
    if "PartitionKeys" in document:
        shown["PartitionKeys"] = _columns(document["PartitionKeys"], view)
    if "Parameters" in document:
        shown["Parameters"] = shown_parameters(document["Parameters"], view)
    return shown


def shown_partition(document: Document, view: View) -> dict[str, Any]:
    """The same of a partition's document."""
    shown = {key: document[key] for key in _TIMES if key in document}
    if "StorageDescriptor" in document:
        shown["StorageDescriptor"] = shown_descriptor(document["StorageDescriptor"], view)
    if "Parameters" in document:
        shown["Parameters"] = shown_parameters(document["Parameters"], view)
    return shown


def shown_parameters(parameters: Mapping[str, str], view: View) -> dict[str, str]:
    """Parameters of a table, of how it is stored, or of how it is read."""
    return {key: value for key, value in parameters.items() if _may_show(key, value, view)}


def shown_descriptor(descriptor: Document, view: View) -> dict[str, Any]:
    """A storage descriptor."""
    if view.entire:
        shown = dict(descriptor)
        if not view.values and "SkewedInfo" in shown:
            # The rest of it are values.
            names = shown["SkewedInfo"].get("SkewedColumnNames", [])
            shown["SkewedInfo"] = {"SkewedColumnNames": names}
    else:
        shown = {key: descriptor[key] for key in _FORMAT if key in descriptor}
        shown |= {key: descriptor[key] for key in _PATHS if key in descriptor and view.paths}
        shown |= _layout(descriptor, view)
    if "Columns" in descriptor:
        shown["Columns"] = _columns(descriptor["Columns"], view)
    if "Parameters" in descriptor:
        shown["Parameters"] = shown_parameters(descriptor["Parameters"], view)
    if "SerdeInfo" in descriptor:
        shown["SerdeInfo"] = _serde(descriptor["SerdeInfo"], view)
    return shown


def _layout(descriptor: Document, view: View) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if "BucketColumns" in descriptor:
        buckets = [name for name in descriptor["BucketColumns"] if name in view.known]
        shown["BucketColumns"] = buckets
        if "NumberOfBuckets" in descriptor and buckets == descriptor["BucketColumns"]:
            shown["NumberOfBuckets"] = descriptor["NumberOfBuckets"]
    if "SortColumns" in descriptor:
        shown["SortColumns"] = [
            one for one in descriptor["SortColumns"] if one["Column"] in view.known
        ]
    return shown


def _serde(serde: Document, view: View) -> dict[str, Any]:
    kept = ("Name", "SerializationLibrary") if view.entire else ("SerializationLibrary",)
    shown = {key: serde[key] for key in kept if key in serde}
    if "Parameters" in serde:
        shown["Parameters"] = shown_parameters(serde["Parameters"], view)
    return shown


def _columns(columns: Collection[Document], view: View) -> list[dict[str, Any]]:
    return [_column(one, view) for one in columns if one["Name"] in view.known]


def _column(column: Document, view: View) -> dict[str, Any]:
    if view.entire:
        return dict(column)
    shown = {key: column[key] for key in ("Name", "Type") if key in column}
    if "Comment" in column and not _names(column["Comment"], view.hidden):
        shown["Comment"] = column["Comment"]
    return shown


def _may_show(key: str, value: str, view: View) -> bool:
    name = key.lower()
    if name in _POINTERS or _ADDRESS.search(value):
        return view.entire or (view.paths and name in _POINTERS)
    if view.entire:
        return view.values or not any(word in name for word in _STATISTICS)
    return name in HARMLESS and not any(column in value.lower() for column in view.hidden)


def _names(text: str, columns: Collection[str]) -> bool:
    """Whether a text written for people names one of these columns."""
    words = text.lower()
    return any(
        column in words and re.search(rf"(?<!\w){re.escape(column)}(?!\w)", words)
        for column in columns
    )
