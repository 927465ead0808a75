"""What an Iceberg table's metadata becomes by updates; no store is asked."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.table.metadata import TableMetadata, TableMetadataV1, TableMetadataV2
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER

from lakeveil.adapters.iceberg_documents import schema_of, spec_of
from lakeveil.adapters.iceberg_evolution import evolved
from lakeveil.errors import UsageError

FILE = "s3://lake/visits/metadata/00000-x.metadata.json"
PLAIN = st.sampled_from(
    ["boolean", "int", "long", "float", "double", "date", "string", "decimal(9, 2)", "binary"]
)
TYPES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda found: ("struct", found)),
        inner.map(lambda found: ("list", [found])),
        st.tuples(PLAIN, inner).map(lambda found: ("map", list(found))),
    ),
    max_leaves=6,
)


def field(number: int, kind: Any, **more: Any) -> dict[str, Any]:
    """A field that is called after its number."""
    return {"id": number, "name": f"c{number}", "type": kind, "required": False, **more}


def metadata(*fields: dict[str, Any]) -> TableMetadata:
    """A table of these columns, in which nothing was written yet."""
    schema = schema_of({"fields": fields})
    return TableMetadataV2.model_validate(
        {
            "location": "s3://lake/visits",
            "table-uuid": uuid.uuid4(),
            "schemas": [schema],
            "current-schema-id": 0,
            "last-column-id": schema.highest_field_id,
            "partition-specs": [PartitionSpec()],
            "default-spec-id": 0,
            "last-partition-id": 999,
            "sort-orders": [UNSORTED_SORT_ORDER],
            "default-sort-order-id": 0,
        }
    )


def to_schema(*fields: dict[str, Any]) -> list[dict[str, Any]]:
    """The updates that give a table these columns."""
    return [
        {"action": "add-schema", "schema": {"fields": fields}},
        {"action": "set-current-schema", "schema-id": -1},
    ]


def refused(base: TableMetadata, *fields: dict[str, Any]) -> str:
    """What is said of columns that a table cannot get."""
    with pytest.raises(UsageError) as error:
        evolved(base, to_schema(*fields), metadata_location=FILE)
    assert error.value.fix
    return f"{error.value.what}: {error.value.why}"


def numbered(kind: Any, numbers: Any) -> Any:
    """A drawn type as a document, its fields numbered."""
    if isinstance(kind, str):
        return kind
    outer, inner = kind
    parts = [(next(numbers), numbered(one, numbers)) for one in inner]
    if outer == "struct":
        return {"type": "struct", "fields": [field(number, one) for number, one in parts]}
    if outer == "list":
        ((number, one),) = parts
        return {"type": "list", "element-id": number, "element": one, "element-required": False}
    (key_id, key), (value_id, value) = parts
    ids = {"key-id": key_id, "value-id": value_id, "value-required": True}
    return {"type": "map", "key": key, "value": value, **ids}


@given(st.lists(TYPES, min_size=1, max_size=4))
def test_every_type_is_read_as_it_was_written(kinds: list[Any]) -> None:
    numbers = iter(range(7, 1000, 3))
    fields = [field(next(numbers), numbered(kind, numbers)) for kind in kinds]

    schema = schema_of({"fields": fields})

    said = schema.model_dump(mode="json", exclude_none=True)["fields"]
    assert said == fields
    # Nor does a change that keeps every field change anything.
    same = evolved(metadata(*fields), to_schema(*fields), metadata_location=FILE)
    assert [one.schema_id for one in same.schemas] == [0]


@pytest.mark.parametrize(
    ("before", "after", "fits"),
    [
        ("int", "long", True),
        ("float", "double", True),
        ("decimal(9, 2)", "decimal(12, 2)", True),
        ("decimal(9, 2)", "decimal(12, 3)", False),
        ("decimal(9, 2)", "decimal(8, 2)", False),
        ("long", "int", False),
        ("double", "float", False),
        ("string", "binary", False),
        ("binary", "string", False),
        ("int", "string", False),
        ("date", "timestamp", False),
    ],
)
def test_types_only_widen(before: str, after: str, *, fits: bool) -> None:
    base = metadata(field(1, before))
    if fits:
        changed = evolved(base, to_schema(field(1, after)), metadata_location=FILE)
        assert str(changed.schema().find_type(1)) == after
    else:
        assert "cannot become" in refused(base, field(1, after))


def test_elements_and_keys_keep_their_numbers() -> None:
    def of_list(number: int) -> dict[str, Any]:
        return {"type": "list", "element-id": number, "element": "int", "element-required": False}

    def of_map(number: int, key: str) -> dict[str, Any]:
        ids = {"key-id": 5, "value-id": number, "value-required": False}
        return {"type": "map", "key": key, "value": "int", **ids}

    base = metadata(field(1, of_list(2)), field(3, of_map(6, "int")))

    assert "cannot become" in refused(base, field(1, of_list(9)), field(3, of_map(6, "int")))
    assert "cannot become" in refused(base, field(1, of_list(2)), field(3, of_map(9, "int")))
    assert "cannot become" in refused(base, field(1, of_list(2)), field(3, of_map(6, "long")))


def test_nothing_leaves_a_struct_or_joins_one() -> None:
    person = {"type": "struct", "fields": [field(2, "string"), field(3, "string")]}
    left = {"type": "struct", "fields": [field(3, "string")]}
    base = metadata(field(1, person), field(4, left | {"fields": [field(5, "int")]}))

    assert "cannot move" in refused(base, field(1, left), field(2, "string"))
    assert "cannot move" in refused(base, field(4, left))
    joined = {"type": "struct", "fields": [*person["fields"], field(5, "int")]}
    assert "cannot move" in refused(base, field(1, joined))


def test_a_number_is_never_used_again() -> None:
    base = metadata(field(1, "int"), field(2, "string"))
    dropped = evolved(base, to_schema(field(1, "int")), metadata_location=FILE)

    assert dropped.last_column_id == 2
    for name in ("c2", "other"):
        again = field(2, "string", name=name)
        assert "does not come back" in refused(dropped, field(1, "int"), again)
    assert (
        evolved(
            dropped,
            to_schema(field(1, "int"), field(3, "string", name="c2")),
            metadata_location=FILE,
        )
        .schema()
        .find_field("c2")
        .field_id
        == 3
    )
    # Not by going back to the schema that had it, either.
    with pytest.raises(UsageError, match="cannot have the id 2"):
        evolved(
            dropped,
            [{"action": "set-current-schema", "schema-id": 0}],
            metadata_location=FILE,
        )


def test_what_needs_no_rows_may_be_required() -> None:
    base = metadata(field(1, "int"))
    new = field(2, "int", required=True)

    after = evolved(base, to_schema(field(1, "int", required=True), new), metadata_location=FILE)

    assert [one.required for one in after.schema().fields] == [True, True]


def test_a_table_of_another_version_is_left_to_its_writer() -> None:
    schema = schema_of({"fields": [field(1, "int")]})
    old = TableMetadataV1.model_validate(
        {
            "location": "s3://lake/visits",
            "last-column-id": 1,
            "schema": schema.model_dump(),
            "partition-spec": [],
        }
    )

    with pytest.raises(UsageError, match="of version 1 cannot be changed here"):
        evolved(old, to_schema(field(1, "long")), metadata_location=FILE)


def test_a_partition_field_without_a_number_follows_those_with_one() -> None:
    schema = schema_of({"fields": [field(1, "int"), field(2, "date")]})
    listed = [
        {"source-id": 1, "transform": "identity", "name": "c1"},
        {"source-id": 2, "transform": "day", "name": "d", "field-id": 1000},
    ]

    spec = spec_of({"fields": listed}, schema, number=0)

    assert [one.field_id for one in spec.fields] == [1001, 1000]
