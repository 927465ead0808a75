"""Partitions: there for whoever sees all of their values."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any

from lakeveil.aws.glue.shapes import (
    Shape,
    error_detail,
    partition_of,
    partition_shape,
    refuse_unserved,
    table_name,
)
from lakeveil.aws.paging import page
from lakeveil.errors import UsageError
from lakeveil.flows.catalog_desk import CatalogDesk
from lakeveil.flows.change_access import Call
from lakeveil.flows.change_partitions import (
    Failure,
    create_partitions,
    delete_partitions,
    update_partitions,
)
from lakeveil.flows.read_catalog import (
    read_named_partitions,
    read_partition,
    read_partitions,
    read_table,
)

PAGE = 1000


def create_partition(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """CreatePartition."""
    name = table_name(params, call.who.account)
    new = partition_of(params["PartitionInput"])
    _only(create_partitions(name, [new], call=call, desk=desk))
    return {}


def batch_create_partition(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """BatchCreatePartition: what cannot be added is reported while the others are."""
    name = table_name(params, call.who.account)
    new = [partition_of(one) for one in params["PartitionInputList"]]
    return {"Errors": _errors(create_partitions(name, new, call=call, desk=desk))}


def get_partition(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """GetPartition."""
    name = table_name(params, call.who.account)
    found = read_partition(name, params["PartitionValues"], who=call.who, desk=desk)
    return {"Partition": partition_shape(found)}


def get_partitions(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """GetPartitions: with an expression over partition keys, or a segment of all."""
    refuse_unserved(params, "TransactionId", "QueryAsOfTime")
    name = table_name(params, call.who.account)
    found, token = page(
        (
            one
            for one in read_partitions(name, params.get("Expression", ""), who=call.who, desk=desk)
            if in_segment(one.values, params)
        ),
        lambda one: (sort_key(one.values),),
        params,
        asker=f"GetPartitions {call.who.caller_arn}",
        size=PAGE,
    )
    columns = not params.get("ExcludeColumnSchema", False)
    return {"Partitions": [partition_shape(one, columns=columns) for one in found], **token}


def batch_get_partition(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """BatchGetPartition: those that are not there are left out."""
    name = table_name(params, call.who.account)
    wanted = [one["Values"] for one in params["PartitionsToGet"]]
    found = read_named_partitions(name, wanted, who=call.who, desk=desk)
    return {"Partitions": [partition_shape(one) for one in found], "UnprocessedKeys": []}


def update_partition(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """UpdatePartition: its values cannot be changed."""
    name = table_name(params, call.who.account)
    entry = (params["PartitionValueList"], partition_of(params["PartitionInput"]))
    _only(update_partitions(name, [entry], call=call, desk=desk))
    return {}


def batch_update_partition(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """BatchUpdatePartition: what cannot be changed is reported while the others are."""
    name = table_name(params, call.who.account)
    entries = [
        (one["PartitionValueList"], partition_of(one["PartitionInput"]))
        for one in params["Entries"]
    ]
    failures = update_partitions(name, entries, call=call, desk=desk)
    return {"Errors": _errors(failures, "PartitionValueList")}


def delete_partition(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """DeletePartition: files stay."""
    name = table_name(params, call.who.account)
    _only(delete_partitions(name, [params["PartitionValues"]], call=call, desk=desk))
    return {}


def batch_delete_partition(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """BatchDeletePartition: what cannot be removed is reported while the others are."""
    name = table_name(params, call.who.account)
    every = [one["Values"] for one in params["PartitionsToDelete"]]
    return {"Errors": _errors(delete_partitions(name, every, call=call, desk=desk))}


def get_partition_indexes(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """GetPartitionIndexes: there are none."""
    read_table(table_name(params, call.who.account), who=call.who, desk=desk)
    return {"PartitionIndexDescriptorList": []}


def in_segment(values: Sequence[str], params: Shape) -> bool:
    """Whether a partition is in the segment that is asked for, out of all of equal size.

    Raises:
        UsageError: there is no segment of that number.
    """
    segment = params.get("Segment")
    if segment is None:
        return True
    number, total = segment["SegmentNumber"], segment["TotalSegments"]
    if number >= total:
        raise UsageError("SegmentNumber is not smaller than TotalSegments.")
    return bool(zlib.crc32(sort_key(values).encode()) % total == number)


def sort_key(values: Sequence[str]) -> str:
    """How partitions are ordered: by their values as canonical JSON, as the state keeps them."""
    return json.dumps(list(values), separators=(",", ":"), ensure_ascii=False)


def _only(failures: Sequence[Failure]) -> None:
    for failure in failures:
        raise failure.error


def _errors(failures: Sequence[Failure], member: str = "PartitionValues") -> list[dict[str, Any]]:
    return [
        {member: list(failure.values), "ErrorDetail": error_detail(failure.error)}
        for failure in failures
    ]
