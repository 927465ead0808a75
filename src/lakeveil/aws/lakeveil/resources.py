"""What a call is about, as policies name it.

| operations | resource |
|---|---|
| about a table or its columns | `arn:aws:lakeveil::ACCOUNT:table/DATABASE/TABLE` |
| about a database | `arn:aws:lakeveil::ACCOUNT:database/DATABASE` |
| about a request | `arn:aws:lakeveil::ACCOUNT:request/ID`, with the caller's account |
| about a whole catalog: lists, guards, masks by tags | `arn:aws:lakeveil::ACCOUNT:catalog` |

There is no region in them: a lake is one, whichever region its clients say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_REQUESTS = frozenset(
    {
        "DescribeAccessRequest",
        "ApproveAccessRequest",
        "DenyAccessRequest",
        "WithdrawAccessRequest",
    }
)


def arn_of(operation: str, params: Mapping[str, Any], account: str) -> str:
    """The ARN of what a call is about; `account` is the caller's."""
    if operation in _REQUESTS:
        return f"arn:aws:lakeveil::{account}:request/{params['RequestId']}"
    if operation == "GrantMasked":
        return _of_resource(params["Resource"], account)
    return _of_names(
        params.get("CatalogId", account), params.get("DatabaseName"), params.get("TableName")
    )


def _of_resource(resource: Mapping[str, Any], account: str) -> str:
    [(kind, value)] = resource.items()
    of_filter = kind == "DataCellsFilter"
    return _of_names(
        value.get("TableCatalogId" if of_filter else "CatalogId", account),
        value.get("DatabaseName"),
        value.get("TableName" if of_filter else "Name"),
    )


def _of_names(account: str, database: str | None, table: str | None) -> str:
    place = f"arn:aws:lakeveil::{account}"
    if database is None:
        return f"{place}:catalog"
    if table is None:
        return f"{place}:database/{database.lower()}"
    return f"{place}:table/{database.lower()}/{table.lower()}"
