"""How Hive's tables are stored: the classes that stand for each format, and their parameters.

The names are those of Hive and of the serdes that Athena knows (user guide, "SerDe reference").
What is not read here is not made either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.statements import CreateTable

_IO = "org.apache.hadoop.hive.ql.io"
_TEXT_IN = "org.apache.hadoop.mapred.TextInputFormat"
_TEXT_OUT = f"{_IO}.HiveIgnoreKeyTextOutputFormat"
_LAZY = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
_JSON = "org.openx.data.jsonserde.JsonSerDe"
_PARQUET = f"{_IO}.parquet.serde.ParquetHiveSerDe"

READABLE = {
    "parquethiveserde": _PARQUET,
    "lazysimpleserde": _LAZY,
    "opencsvserde": "org.apache.hadoop.hive.serde2.OpenCSVSerde",
    "jsonserde": _JSON,
    "openxjsonserde": _JSON,
}
"""Serdes by the last part of their names, in lower case."""

_DELIMITED = {
    "fields": "field.delim",
    "escaped": "escape.delim",
    "items": "collection.delim",
    "keys": "mapkey.delim",
    "lines": "line.delim",
    "null": "serialization.null.format",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format's classes, and what Glue calls it in `classification`."""

    serde: str
    input: str
    output: str
    classification: str
    parameters: Mapping[str, str] = field(default_factory=dict)


PARQUET = Format(
    serde=_PARQUET,
    input=f"{_IO}.parquet.MapredParquetInputFormat",
    output=f"{_IO}.parquet.MapredParquetOutputFormat",
    classification="parquet",
    parameters={"serialization.format": "1"},
)
JSON = Format(
    serde=_JSON, input=_TEXT_IN, output=_TEXT_OUT, classification="json",
    parameters={"serialization.format": "1"},
)  # fmt: skip
TEXT = Format(serde=_LAZY, input=_TEXT_IN, output=_TEXT_OUT, classification="csv")


def descriptor(
    form: Format, columns: list[dict[str, str]], location: str, **parameters: str
) -> dict[str, Any]:
    """A storage descriptor; `parameters` are the serde's beyond the format's own."""
    return {
        "Columns": columns,
        "Location": location,
        "InputFormat": form.input,
        "OutputFormat": form.output,
        "SerdeInfo": {
            "SerializationLibrary": form.serde,
            "Parameters": {**form.parameters, **parameters},
        },
    }


def format_of(statement: CreateTable) -> tuple[Format, dict[str, str]]:
    """The format of a table as it is declared, and its serde's parameters.

    Raises:
        QueryError: NOT_SUPPORTED, it is one that is not read here.
    """
    stored = statement.stored_as.upper()
    if statement.serde:
        found = _of_serde(statement.serde)
    elif stored in {"", "TEXTFILE"} and not statement.input_format:
        found = TEXT
    elif stored in {"PARQUET", "JSON", "JSONFILE"}:
        found = PARQUET if stored == "PARQUET" else JSON
    else:
        raise _not_read(stored or "INPUTFORMAT")
    if statement.serde and stored == "PARQUET" and found.classification != "parquet":
        raise _not_read("this SERDE with STORED AS PARQUET")
    given = {_DELIMITED[name]: value for name, value in statement.delimited.items()}
    if "field.delim" in given:
        given["serialization.format"] = given["field.delim"]
    return found, {**given, **statement.serde_properties}


def _of_serde(serde: str) -> Format:
    short = serde.rpartition(".")[2].lower()
    if short not in READABLE:
        raise _not_read("this SERDE")
    if short == "parquethiveserde":
        return PARQUET
    if short in {"jsonserde", "openxjsonserde"}:
        return Format(serde=serde, input=_TEXT_IN, output=_TEXT_OUT, classification="json")
    return Format(serde=READABLE[short], input=_TEXT_IN, output=_TEXT_OUT, classification="csv")


def _not_read(what: str) -> QueryError:
    return QueryError(
        ErrorName.NOT_SUPPORTED,
        f"Tables of {what[:64]} are not supported. Parquet, delimited text, CSV and JSON are.",
    )
