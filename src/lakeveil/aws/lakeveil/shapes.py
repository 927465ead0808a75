"""Our own API's shapes and our values: names, tables, cells, masks, errors.

Names of databases, tables and columns are lower case, as Glue stores them. Words that the model
lists are the names of our enumerations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lakeveil.aws.protocol import AwsError
from lakeveil.core.access.changing.exposure import Gain
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.errors import Conflict, LakeveilError, NotFound, Refused, Unavailable, UsageError
from lakeveil.flows.change_access import AccessDesk
from lakeveil.flows.request_desk import RequestDesk

Shape = Mapping[str, Any]

MANY = 100
"""Cells and columns that an answer names of what may be very many; it says how many there are."""
PAGE = 100

_CODES: Mapping[type[LakeveilError], str] = {
    UsageError: "InvalidInputException",
    NotFound: "EntityNotFoundException",
    Refused: "AccessDeniedException",
    Conflict: "ConflictException",
    Unavailable: "ServiceUnavailableException",
}
_LIMITS = frozenset({"too_many_requests", "limit_exceeded"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Desks:
    """What one call works with."""

    requests: RequestDesk
    access: AccessDesk


def catalog_of(params: Shape, default: str) -> str:
    """The account that is meant; `default` where none is named."""
    return str(params.get("CatalogId", default))


def table_of(params: Shape, default: str) -> TableName:
    """The table that is named; its account is `default` where none is."""
    return TableName(
        catalog_of(params, default), params["DatabaseName"].lower(), params["TableName"].lower()
    )


def columns_of(params: Shape) -> list[str]:
    """The columns that are named."""
    return [name.lower() for name in params.get("ColumnNames", ())]


def table_shape(name: TableName) -> dict[str, str]:
    """The members that name a table."""
    return {
        "CatalogId": name.account,
        "DatabaseName": name.database,
        "TableName": name.table,
    }


def mask_of(shape: Shape) -> Mask:
    """A mask.

    Raises:
        UsageError: a fixed mask without a text, or another one with it.
    """
    kind, text = MaskKind[shape["Kind"]], shape.get("Text", "")
    if (kind is MaskKind.FIXED) != bool(text):
        raise UsageError("A FIXED mask has a Text, and no other mask has", code="bad_mask")
    return Mask(kind, text)


def mask_shape(mask: Mask) -> dict[str, str | None]:
    """A mask as the API shows it."""
    return {"Kind": mask.kind.name, "Text": mask.value or None}


def cells_shape(cells: Iterable[Gain]) -> list[dict[str, str]]:
    """Cells that change."""
    return [
        {
            "Principal": cell.principal,
            **table_shape(cell.table),
            "ColumnName": cell.column,
            "Before": cell.before.name,
            "After": cell.after.name,
        }
        for cell in cells
    ]


def without_empty(shape: Shape, *members: str) -> dict[str, Any]:
    """A shape without those of these members that say nothing."""
    return {name: value for name, value in shape.items() if value or name not in members}


def first(entries: Sequence[Any]) -> Sequence[Any]:
    """As many as an answer names of what may be very many."""
    return entries[:MANY]


def aws_error(error: LakeveilError) -> AwsError | None:
    """What the API answers for one of our errors; None where we are at fault ourselves."""
    found = [code for kind, code in _CODES.items() if isinstance(error, kind)]
    if not found:
        return None
    code = "ResourceNumberLimitExceededException" if error.code in _LIMITS else found[0]
    message = error.what if not error.why else f"{error.what}: {error.why}"
    return AwsError(
        code, f"{message.rstrip('.')}.", members={"Reason": error.code, "Fix": error.fix or None}
    )
