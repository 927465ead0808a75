"""Versions of tables: each as its caller would see it today."""

from __future__ import annotations

from typing import Any

from lakeveil.aws.glue.shapes import Shape, error_detail, table_name, table_shape
from lakeveil.aws.paging import page
from lakeveil.errors import NotFound, UsageError
from lakeveil.flows.catalog_desk import CatalogDesk, SeenTable
from lakeveil.flows.change_access import Call
from lakeveil.flows.change_tables import delete_table_version
from lakeveil.flows.read_catalog import read_versions

PAGE = 100


def get_table_version(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """GetTableVersion: the current one where none is named."""
    name = table_name(params, call.who.account)
    versions = read_versions(name, who=call.who, desk=desk)
    wanted = params.get("VersionId")
    for found in versions:
        if wanted in {None, str(found.record.version)}:
            return {"TableVersion": _shape(found)}
    raise NotFound("Version not found.")


def get_table_versions(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """GetTableVersions: newest first."""
    found, token = page(
        read_versions(table_name(params, call.who.account), who=call.who, desk=desk),
        lambda one: (-one.record.version,),
        params,
        asker=f"GetTableVersions {call.who.caller_arn}",
        size=PAGE,
    )
    return {"TableVersions": [_shape(one) for one in found], **token}


def delete_a_table_version(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """DeleteTableVersion: any but the current one."""
    name = table_name(params, call.who.account)
    delete_table_version(name, params["VersionId"], call=call, desk=desk)
    return {}


def batch_delete_table_version(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """BatchDeleteTableVersion: versions that cannot be deleted are reported."""
    name = table_name(params, call.who.account)
    # Whether the table itself is there is an error of the whole call.
    read_versions(name, who=call.who, desk=desk)
    errors = []
    for version in params["VersionIds"]:
        try:
            delete_table_version(name, version, call=call, desk=desk)
        except (NotFound, UsageError) as error:
            errors.append(
                {
                    "TableName": params["TableName"],
                    "VersionId": version,
                    "ErrorDetail": error_detail(error),
                }
            )
    return {"Errors": errors}


def _shape(found: SeenTable) -> dict[str, Any]:
    return {"Table": table_shape(found), "VersionId": str(found.record.version)}
