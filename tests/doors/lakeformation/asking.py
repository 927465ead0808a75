"""Requests that several tests make, and what became of those that are refused."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.flows.lakes import HOME

TABLE = {"Table": {"DatabaseName": "ads", "Name": "events"}}
DATABASE = {"Database": {"Name": "ads"}}


def named(identifier: str) -> dict[str, str]:
    """A `DataLakePrincipal`."""
    return {"DataLakePrincipalIdentifier": identifier}


def columns(*names: str) -> dict[str, Any]:
    """Columns of `ads.events`."""
    return {
        "TableWithColumns": {
            "DatabaseName": "ads",
            "Name": "events",
            "ColumnNames": list(names),
        }
    }


def pair(key: str, value: str) -> dict[str, Any]:
    """An `LFTagPair`."""
    return {"TagKey": key, "TagValues": [value]}


def shown(key: str, value: str) -> dict[str, Any]:
    """An `LFTagPair` as it is answered."""
    return {"CatalogId": HOME, **pair(key, value)}


def policy(kind: str, **terms: str) -> dict[str, Any]:
    """An `LFTagPolicy` resource."""
    return {
        "LFTagPolicy": {
            "ResourceType": kind,
            "Expression": [{"TagKey": k, "TagValues": [v]} for k, v in terms.items()],
        }
    }


def refusal(operation: Any, /, **params: Any) -> tuple[str, str, int]:
    """Code, message and HTTP status of a call that must fail."""
    with pytest.raises(ClientError) as refused:
        operation(**params)
    said = refused.value.response
    return (
        said["Error"]["Code"],
        said["Error"]["Message"],
        said["ResponseMetadata"]["HTTPStatusCode"],
    )


def code(operation: Any, /, **params: Any) -> str:
    """The error code alone."""
    return refusal(operation, **params)[0]
