"""Iceberg tables: metadata files on the object store, entries of PyIceberg's SQL catalog.

The catalog lies in our own state database: one for each account, one namespace for each database.
PyIceberg's two tables are its own: it makes them, our migrations leave them alone. Our transactions
change entries together with our own rows (`adapters.lake`); here is what concerns files.

Files are read and written with the service's key, which never stands in a table's properties. A
table's properties come from whoever wrote it, and PyIceberg takes them for its own settings when it
opens a table: an endpoint there would be sent signed requests, a class there would be imported.
So such properties are refused on the way in.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from pyiceberg.catalog.sql import SqlCatalog, SqlCatalogBaseTable
from pyiceberg.io import load_file_io
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.serializers import ToOutputFile
from pyiceberg.table.metadata import (
    TableMetadata,
    TableMetadataUtil,
    TableMetadataV2,
    new_table_metadata,
)
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import NestedField

from lakeveil.adapters.iceberg_documents import (
    FIRST_PARTITION_FIELD,
    VERSION,
    order_of,
    schema_of,
    spec_of,
    understood,
)
from lakeveil.adapters.iceberg_evolution import evolved
from lakeveil.adapters.iceberg_types import to_hive, to_iceberg
from lakeveil.adapters.object_store import StoreKey
from lakeveil.core.access.lake import Column
from lakeveil.core.access.locations import is_under, normalised
from lakeveil.errors import Unavailable, UsageError
from lakeveil.ports.iceberg import (
    IcebergDefinition,
    IcebergDocument,
    IcebergField,
    IcebergMetadata,
)

MAX_METADATA_BYTES = 64 * 2**20
"""Of a metadata file, unpacked."""

_GZIP = 16 + zlib.MAX_WBITS
_SCHEMES = ("s3://", "s3a://", "s3n://")
_PACKED = (".gz.metadata.json", ".metadata.json.gz")
_LEADS_ELSEWHERE = (
    "adls.", "client.", "fs.", "gcs.", "hdfs.", "hf.", "oss.", "py-io-impl", "s3.",
    "write.object-storage.path", "write.folder-storage.path", "write.py-location-provider.",
)  # fmt: skip
_NUMBERED = re.compile(r"v?(\d{1,9})[-.]")
_RESERVED = frozenset(
    {
        "current-schema", "current-snapshot-id", "current-snapshot-summary",
        "current-snapshot-timestamp-ms", "default-partition-spec", "default-sort-order",
        "snapshot-count", "uuid",
    }
)  # fmt: skip
"""Names that Iceberg keeps for itself (`TableProperties.RESERVED_PROPERTIES` in its library)."""

_PATHS = ("write.data.path", "write.metadata.path")


class SqlIcebergCatalog:
    """`IcebergCatalog` over PyIceberg. Thread-safe."""

    def __init__(
        self, engine: sa.Engine, *, endpoint: str | None, key: StoreKey | None, region: str
    ) -> None:
        self._engine = engine
        self._io: dict[str, str] = {
            "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO",
            "s3.region": region,
            "s3.connect-timeout": "10",
            "s3.request-timeout": "20",
        }
        if endpoint:
            self._io["s3.endpoint"] = endpoint
        if key:
            self._io["s3.access-key-id"] = key.access_key_id
            self._io["s3.secret-access-key"] = key.secret_access_key
        self._catalogs: dict[str, SqlCatalog] = {}
        self._lock = threading.Lock()
        SqlCatalogBaseTable.metadata.create_all(engine)

    def create(
        self,
        columns: Sequence[Column],
        *,
        location: str,
        partition_by: Sequence[str] = (),
        properties: Mapping[str, str] | None = None,
        format_version: int = 2,
        comments: Mapping[str, str] | None = None,
    ) -> IcebergMetadata:
        """See `IcebergCatalog`."""
        schema = _schema(columns, comments or {})
        given = dict(properties or {})
        _check_properties(given, location)
        metadata = new_table_metadata(
            schema=schema,
            partition_spec=_spec(schema, partition_by),
            sort_order=UNSORTED_SORT_ORDER,
            location=location,
            properties={**given, "format-version": str(format_version)},
        )
        return self._written(metadata, number=0)

    def define(self, definition: IcebergDefinition) -> IcebergMetadata:
        """See `IcebergCatalog`."""
        schema = schema_of(definition.schema)
        spec = spec_of(
            definition.partition_spec,
            schema,
            number=(definition.partition_spec or {}).get("spec-id", 0),
        )
        order = order_of(
            definition.write_order,
            schema,
            number=(definition.write_order or {}).get("order-id", 1),
        )
        properties = _without_version(definition.properties)
        with understood("the table cannot be made like that"):
            # Not PyIceberg's function for new tables: it numbers everything anew.
            metadata = TableMetadataV2.model_validate(
                {
                    "location": definition.location,
                    "table-uuid": uuid.uuid4(),
                    "schemas": [schema],
                    "current-schema-id": schema.schema_id,
                    "last-column-id": schema.highest_field_id,
                    "partition-specs": [spec],
                    "default-spec-id": spec.spec_id,
                    "last-partition-id": spec.last_assigned_field_id,
                    "sort-orders": [order],
                    "default-sort-order-id": order.order_id,
                    "properties": properties,
                }
            )
        return self._written(metadata, number=0)

    def evolve(self, metadata_location: str, updates: Sequence[IcebergDocument]) -> IcebergMetadata:
        """See `IcebergCatalog`."""
        base = self._metadata(metadata_location)
        known = [
            {**one, "updates": _without_version(one["updates"])} if "updates" in one else one
            for one in updates
        ]
        after = evolved(base, known, metadata_location=metadata_location)
        return self._written(after, number=_number_of(metadata_location) + 1)

    def read(self, metadata_location: str) -> IcebergMetadata:
        """See `IcebergCatalog`."""
        return _described(self._metadata(metadata_location), metadata_location)

    def _written(self, metadata: TableMetadata, *, number: int) -> IcebergMetadata:
        """Write a new file, unless anybody who reads it would be refused or led elsewhere."""
        _check_properties(metadata.properties, metadata.location)
        location = metadata.location.rstrip("/")
        file = f"{location}/metadata/{number:05d}-{uuid.uuid4()}.metadata.json"
        found = _described(metadata, file)
        with _store_answers():
            ToOutputFile.table_metadata(metadata, load_file_io(self._io, file).new_output(file))
        return found

    def _metadata(self, metadata_location: str) -> TableMetadata:
        if not metadata_location.startswith(_SCHEMES) or not normalised(metadata_location):
            raise _no_metadata(metadata_location, "it is no object's address")
        try:
            with _store_answers():
                file = load_file_io(self._io, metadata_location).new_input(metadata_location)
                with file.open() as stream:
                    packed = stream.read(MAX_METADATA_BYTES + 1)
        except FileNotFoundError as error:
            raise _no_metadata(metadata_location, "there is no such file") from error
        try:
            metadata = TableMetadataUtil.parse_raw(_unpacked(metadata_location, packed).decode())
        except UsageError:
            raise
        except Exception as error:
            # PyIceberg raises its own and pydantic's errors for a damaged file, zlib another.
            raise _no_metadata(metadata_location, "it does not hold Iceberg metadata") from error
        _check_properties(metadata.properties, metadata.location)
        return metadata

    @property
    def io_settings(self) -> Mapping[str, str]:
        """PyIceberg's settings for the store, with the service's key."""
        return self._io

    def sql_catalog(self, account: str) -> SqlCatalog:
        """PyIceberg's own view of an account's entries, for whoever writes data into tables.

        Whoever commits through it changes the entry alone; our row follows when it is next read.
        """
        with self._lock:
            if account not in self._catalogs:
                catalog = SqlCatalog(
                    account, uri="sqlite://", init_catalog_tables="false", **self._io
                )
                # Ours knows how to share SQLite among processes.
                catalog.engine.dispose()
                catalog.engine = self._engine
                self._catalogs[account] = catalog
            return self._catalogs[account]


def _described(metadata: TableMetadata, metadata_location: str) -> IcebergMetadata:
    schema, spec = metadata.schema(), metadata.spec()
    keys = {field.source_id for field in spec.fields}
    # Iceberg keeps the case of a name, the catalog does not.
    names = [field.name.lower() for field in schema.fields]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"there are two columns `{name}`",
                why="names of columns are compared in lower case",
                fix="rename one of them",
                code="ambiguous_column",
            )
    return IcebergMetadata(
        metadata_location=metadata_location,
        location=metadata.location,
        table_uuid=str(metadata.table_uuid),
        fields=tuple(
            IcebergField(
                id=field.field_id,
                column=Column(name, to_hive(field.field_type)),
                doc=field.doc or "",
                required=field.required,
            )
            for name, field in zip(names, schema.fields, strict=True)
        ),
        last_column_id=metadata.last_column_id,
        schema=json.loads(schema.model_dump_json()),
        partitioned_by=tuple(f.name.lower() for f in schema.fields if f.field_id in keys),
        partition_fields=tuple(
            ((schema.find_column_name(one.source_id) or "").lower(), str(one.transform))
            for one in spec.fields
        ),
        properties=dict(metadata.properties),
    )


def _schema(columns: Sequence[Column], comments: Mapping[str, str]) -> Schema:
    # The columns take the first numbers, in order; what is inside them the ones after.
    inner = itertools.count(len(columns) + 1)
    fields = []
    for number, column in enumerate(columns, start=1):
        try:
            kind = to_iceberg(column.type, lambda: next(inner))
        except ValueError as error:
            raise UsageError(
                f"column `{column.name}` cannot be in an Iceberg table",
                why=str(error),
                fix="use one of the types of the Iceberg specification, as Hive spells them",
                code="bad_column_type",
            ) from error
        doc = comments.get(column.name)
        fields.append(NestedField(number, column.name, kind, required=False, doc=doc))
    return Schema(*fields)


def _spec(schema: Schema, partition_by: Sequence[str]) -> PartitionSpec:
    known = {field.name: field.field_id for field in schema.fields}
    for name in partition_by:
        if name not in known:
            raise UsageError(
                f"`{name}` is no column to partition by",
                why="the table has no column of that name",
                fix="name one of the table's columns",
                code="bad_partition",
            )
    return PartitionSpec(
        *(
            PartitionField(
                source_id=known[name],
                field_id=FIRST_PARTITION_FIELD + number,
                transform=IdentityTransform(),
                name=name,
            )
            for number, name in enumerate(partition_by)
        )
    )


def _check_properties(properties: Mapping[str, str], location: str) -> None:
    for name, value in properties.items():
        elsewhere = name.lower().startswith(_LEADS_ELSEWHERE)
        if elsewhere or (name in _PATHS and not is_under(str(value), location)):
            raise UsageError(
                f"the table property `{name[:128]}` is not accepted",
                why="whoever opens the table would be led elsewhere by it",
                fix="leave it out; clients have such settings of their own",
                code="unsafe_property",
            )


def _without_version(properties: Mapping[str, str]) -> dict[str, str]:
    """Properties without the ones that stand for something else of the metadata.

    Raises:
        UsageError: they would say something else than the metadata does.
    """
    kept = dict(properties)
    said = kept.pop("format-version", str(VERSION))
    reserved = sorted(kept.keys() & _RESERVED)
    if said != str(VERSION) or reserved:
        raise UsageError(
            f"the table property `{reserved[0] if reserved else 'format-version'}` is not accepted",
            why="it is reserved for what the metadata itself says",
            fix="leave it out",
            code="reserved_property",
        )
    return kept


def _number_of(metadata_location: str) -> int:
    found = _NUMBERED.match(metadata_location.rpartition("/")[2])
    return int(found[1]) if found else 0


def _unpacked(location: str, packed: bytes) -> bytes:
    found = packed
    if location.endswith(_PACKED):
        found = zlib.decompressobj(_GZIP).decompress(packed, MAX_METADATA_BYTES + 1)
    if len(packed) > MAX_METADATA_BYTES or len(found) > MAX_METADATA_BYTES:
        raise _no_metadata(location, f"it has more than {MAX_METADATA_BYTES} bytes")
    return found


def _no_metadata(location: str, why: str) -> UsageError:
    return UsageError(
        f"`{location}` is no metadata file of an Iceberg table",
        why=why,
        fix="name the metadata.json that the table's writer committed",
        code="bad_metadata",
    )


@contextmanager
def _store_answers() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unavailable(
            "the object store did not answer about a table's metadata",
            why="it is away, or refuses the service's key",
            fix="see `lakeveil doctor`",
        ) from error
