"""What becomes of an Iceberg table's metadata by updates, and whether it is the same table still.

Updates are those of Iceberg's REST catalog. Rows that were written before are read by the numbers
of fields, and what is granted and tagged follows them. So beyond each update being possible, what
comes of all of them is held against what was there (specification, "Schema Evolution"): a number is
never used again, not even for the column that had it, as the tags that it had are known no more;
nothing moves into or out of a struct, out from under the struct's tags; types only widen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.sorting import SortOrder
from pyiceberg.table.update import (
    AddPartitionSpecUpdate,
    AddSchemaUpdate,
    AddSortOrderUpdate,
    RemovePropertiesUpdate,
    SetCurrentSchemaUpdate,
    SetDefaultSortOrderUpdate,
    SetDefaultSpecUpdate,
    SetPropertiesUpdate,
    TableUpdate,
    update_table_metadata,
)
from pyiceberg.types import (
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StructType,
)

from lakeveil.adapters.iceberg_documents import (
    FIRST_PARTITION_FIELD,
    VERSION,
    bad,
    order_of,
    schema_of,
    spec_of,
    understood,
)
from lakeveil.core.access.locations import normalised
from lakeveil.errors import UsageError
from lakeveil.ports.iceberg import IcebergDocument

T = TypeVar("T")

_LAST_ADDED = -1
_MOST = 2**31 - 1


def evolved(
    base: TableMetadata, updates: Sequence[IcebergDocument], *, metadata_location: str
) -> TableMetadata:
    """The metadata after updates; `metadata_location` is the file that `base` was read from.

    Raises:
        UsageError: as `IcebergCatalog.evolve`.
    """
    if base.format_version != VERSION:
        raise UsageError(
            f"a table of version {base.format_version} cannot be changed here",
            why=f"only tables of version {VERSION} can",
            fix="let its writer commit the change",
            code="unserved_version",
        )
    under_way = _UnderWay(base)
    for update in updates:
        under_way.apply(update)
    with understood("the changes do not fit together"):
        after = update_table_metadata(
            base,
            tuple(under_way.made),
            enforce_validation=True,
            metadata_location=metadata_location,
        )
    _check_same_fields(base, after.schema())
    return after


class _UnderWay:
    """What the table has so far, by number, and which number was given last."""

    def __init__(self, base: TableMetadata) -> None:
        self.made: list[TableUpdate] = []
        self._base = base
        self._schemas = {one.schema_id: one for one in base.schemas}
        self._specs = {one.spec_id: one for one in base.partition_specs}
        self._orders = {one.order_id: one for one in base.sort_orders}
        self._current = base.current_schema_id
        self._properties = set(base.properties)
        self._added: dict[str, int] = {}
        self._apply: Mapping[str, Callable[[IcebergDocument], None]] = {
            "add-schema": self._add_schema,
            "keep-schema": self._keep_schema,
            "set-current-schema": self._set_schema,
            "add-spec": self._add_spec,
            "set-default-spec": self._set_spec,
            "add-sort-order": self._add_order,
            "set-default-sort-order": self._set_order,
            "set-location": self._set_location,
            "set-properties": self._set_properties,
            "remove-properties": self._remove_properties,
        }

    def apply(self, update: IcebergDocument) -> None:
        """Make one update."""
        self._apply[update["action"]](update)

    def _add_schema(self, update: IcebergDocument) -> None:
        schema = schema_of(update["schema"])
        given = update["schema"].get("schema-id")
        number = self._numbered("schema", given, self._schemas, lambda one: one == schema)
        if number not in self._schemas:
            schema = schema.model_copy(update={"schema_id": number})
            self._schemas[number] = schema
            self.made.append(AddSchemaUpdate(schema=schema))

    def _keep_schema(self, update: IcebergDocument) -> None:
        schema = schema_of(update["schema"])
        if schema not in self._schemas.values():
            raise bad("the schema is none of the table's", "the change is not about the schema")

    def _set_schema(self, update: IcebergDocument) -> None:
        self._current = self._found("schema", update["schema-id"], self._schemas)
        self.made.append(SetCurrentSchemaUpdate.model_validate({"schema-id": self._current}))

    def _add_spec(self, update: IcebergDocument) -> None:
        fields = [field for one in self._specs.values() for field in one.fields]
        last = max(
            FIRST_PARTITION_FIELD - 1,
            self._base.last_partition_id or 0,
            *(field.field_id for field in fields),
        )
        spec = spec_of(
            update["spec"],
            self._schemas[self._current],
            number=0,
            known={(field.source_id, str(field.transform)): field.field_id for field in fields},
            last=last,
        )
        given = update["spec"].get("spec-id")
        number = self._numbered(
            "partition spec", given, self._specs, lambda one: one.fields == spec.fields
        )
        if number not in self._specs:
            self._specs[number] = PartitionSpec(*spec.fields, spec_id=number)
            self.made.append(AddPartitionSpecUpdate(spec=self._specs[number]))

    def _set_spec(self, update: IcebergDocument) -> None:
        number = self._found("partition spec", update["spec-id"], self._specs)
        self.made.append(SetDefaultSpecUpdate.model_validate({"spec-id": number}))

    def _add_order(self, update: IcebergDocument) -> None:
        given = update["sort-order"].get("order-id")
        order = order_of(
            update["sort-order"], self._schemas[self._current], number=1 if given is None else given
        )
        number = self._numbered(
            "sort order",
            given if order.fields else 0,
            self._orders,
            lambda one: one.fields == order.fields,
        )
        if number not in self._orders:
            self._orders[number] = SortOrder(*order.fields, order_id=number)
            self.made.append(
                AddSortOrderUpdate.model_validate({"sort-order": self._orders[number]})
            )

    def _set_order(self, update: IcebergDocument) -> None:
        number = self._found("sort order", update["sort-order-id"], self._orders)
        self.made.append(SetDefaultSortOrderUpdate.model_validate({"sort-order-id": number}))

    def _set_location(self, update: IcebergDocument) -> None:
        given = str(update["location"])
        if normalised(given) != normalised(self._base.location):
            raise UsageError(
                "the table's location cannot be changed",
                why="what was written stays where it is, and grants govern one location",
                fix="create a table at the other location, and write the rows there",
                code="table_moves",
            )

    def _set_properties(self, update: IcebergDocument) -> None:
        self._properties |= update["updates"].keys()
        self.made.append(SetPropertiesUpdate(updates=dict(update["updates"])))

    def _remove_properties(self, update: IcebergDocument) -> None:
        # One that is not there is removed already.
        gone = sorted(self._properties & set(update["removals"]))
        self._properties -= set(gone)
        self.made.append(RemovePropertiesUpdate(removals=gone))

    def _numbered(
        self, kind: str, given: int | None, kept: Mapping[int, T], is_same: Callable[[T], bool]
    ) -> int:
        """The number of what is added; of what the table has already, the one that it has."""
        same = next((number for number, one in kept.items() if is_same(one)), None)
        number = max(kept, default=-1) + 1 if given is None else given
        if same is None and number in kept:
            raise bad(f"there is another {kind} of the id {number}", "ids are given once")
        if not 0 <= number <= _MOST:
            raise bad(f"a {kind} cannot have the id {number}", f"ids go from 0 to {_MOST}")
        self._added[kind] = number if same is None else same
        return self._added[kind]

    def _found(self, kind: str, given: int, kept: Mapping[int, T]) -> int:
        number = self._added.get(kind, _LAST_ADDED) if given == _LAST_ADDED else given
        if number not in kept:
            raise bad(f"the table has no such {kind}", "it is added before it is made current")
        return number


def _check_same_fields(base: TableMetadata, after: Schema) -> None:
    before = base.schema()
    there, parents = before._lazy_id_to_field, before._lazy_id_to_parent  # noqa: SLF001
    now, parents_now = after._lazy_id_to_field, after._lazy_id_to_parent  # noqa: SLF001
    for number, field in now.items():
        was, parent = there.get(number), parents_now.get(number)
        if was is None:
            _check_new(base, number, field, nested=parent is not None and parent not in there)
            continue
        if parents.get(number) != parent:
            raise bad(
                f"field `{field.name}` cannot move to another place",
                "it stays in the struct, list or map that it is in",
            )
        if not _may_become(was.field_type, field.field_type):
            raise bad(
                f"field `{field.name}` cannot become {field.field_type}",
                f"it is {was.field_type}, and rows have been written as that",
            )
        if field.required and not was.required and base.snapshots:
            raise bad(f"field `{field.name}` cannot become required", "rows may be without it")


def _check_new(base: TableMetadata, number: int, field: NestedField, *, nested: bool) -> None:
    if number <= base.last_column_id:
        raise bad(
            f"field `{field.name}` cannot have the id {number}",
            f"a new field has an id above {base.last_column_id}; one that was dropped does not "
            "come back",
        )
    # Inside of what is new itself, no row is without it.
    if field.required and not nested and base.snapshots:
        raise bad(f"new field `{field.name}` cannot be required", "rows are without it")


def _may_become(before: IcebergType, after: IcebergType) -> bool:
    match before, after:
        case (StructType(), StructType()):
            return True
        case (ListType(), ListType()):
            return before.element_id == after.element_id
        case (MapType(), MapType()):
            keys = (before.key_id, before.value_id) == (after.key_id, after.value_id)
            return keys and before.key_type == after.key_type
        case (IntegerType(), LongType()) | (FloatType(), DoubleType()):
            return True
        case (DecimalType(), DecimalType()):
            return before.scale == after.scale and before.precision <= after.precision
        case _:
            return before == after
