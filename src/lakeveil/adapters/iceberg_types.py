"""Types of columns: as Hive and Glue spell them, and as Iceberg has them.

The mapping is the one of Iceberg's own Glue and Hive catalogs; what Hive has no word for (`uuid`,
`time`) is a string there, and is not read back from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FixedType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
)

_FROM_HIVE: dict[str, IcebergType] = {
    "boolean": BooleanType(),
    "tinyint": IntegerType(),
    "smallint": IntegerType(),
    "int": IntegerType(),
    "integer": IntegerType(),
    "bigint": LongType(),
    "long": LongType(),
    "float": FloatType(),
    "double": DoubleType(),
    "date": DateType(),
    "timestamp": TimestampType(),
    "timestamptz": TimestamptzType(),
    "timestamp with local time zone": TimestamptzType(),
    "string": StringType(),
    "binary": BinaryType(),
}
_TO_HIVE: dict[type, str] = {
    BooleanType: "boolean",
    IntegerType: "int",
    LongType: "bigint",
    FloatType: "float",
    DoubleType: "double",
    DateType: "date",
    TimestampType: "timestamp",
    TimestamptzType: "timestamp",
    StringType: "string",
    BinaryType: "binary",
    FixedType: "binary",
}
_SIZED = re.compile(r"(decimal|char|varchar)\((\d+)(?:,(\d+))?\)")
_DEPTH = 15


def to_iceberg(hive: str, next_id: Callable[[], int]) -> IcebergType:
    """The Iceberg type of a Hive one; `next_id` numbers the fields inside it.

    Raises:
        ValueError: it is no type that Iceberg has.
    """
    return _parsed("".join(hive.lower().split()) if "<" in hive else hive.lower(), next_id, 0)


def to_hive(kind: IcebergType) -> str:
    """An Iceberg type as Hive spells it."""
    if isinstance(kind, DecimalType):
        return f"decimal({kind.precision},{kind.scale})"
    if isinstance(kind, ListType):
        return f"array<{to_hive(kind.element_type)}>"
    if isinstance(kind, MapType):
        return f"map<{to_hive(kind.key_type)},{to_hive(kind.value_type)}>"
    if isinstance(kind, StructType):
        return f"struct<{','.join(f'{f.name}:{to_hive(f.field_type)}' for f in kind.fields)}>"
    return _TO_HIVE.get(type(kind), "string")


def _parsed(text: str, next_id: Callable[[], int], depth: int) -> IcebergType:
    text = text.strip()
    if depth > _DEPTH:
        raise ValueError("the type is nested too deeply")
    if found := _FROM_HIVE.get(text):
        return found
    if sized := _SIZED.fullmatch(text.replace(" ", "")):
        name, size, scale = sized.groups()
        return DecimalType(int(size), int(scale or 0)) if name == "decimal" else StringType()
    if text == "decimal":
        return DecimalType(10, 0)
    outer, _, rest = text.partition("<")
    found = _nested(outer, list(_split(rest[:-1])), next_id, depth) if rest.endswith(">") else None
    if found is None:
        raise ValueError(f"`{text[:60]}` is no type that Iceberg has")
    return found


def _nested(
    outer: str, parts: list[str], next_id: Callable[[], int], depth: int
) -> IcebergType | None:
    # Identifiers first, as Iceberg numbers a level before what is inside it.
    ids = [next_id() for _ in parts]
    if outer == "struct":
        members = zip(parts, ids, strict=True)
        return StructType(*(_member(part, number, next_id, depth) for part, number in members))
    kinds = [_parsed(part, next_id, depth + 1) for part in parts]
    if outer == "array" and len(kinds) == 1:
        return ListType(ids[0], kinds[0], element_required=False)
    if outer == "map" and len(kinds) == 2:  # noqa: PLR2004 - a key and a value
        return MapType(ids[0], kinds[0], ids[1], kinds[1], value_required=False)
    return None


def _member(text: str, number: int, next_id: Callable[[], int], depth: int) -> NestedField:
    name, colon, kind = text.partition(":")
    if not colon or not name.strip():
        raise ValueError(f"`{text[:60]}` is no member of a struct; write name:type")
    return NestedField(number, name.strip(), _parsed(kind, next_id, depth + 1), required=False)


def _split(text: str) -> Iterator[str]:
    """At the commas that are inside no bracket."""
    depth, start = 0, 0
    for place, sign in enumerate(text):
        depth += {"<": 1, "(": 1, ">": -1, ")": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]
