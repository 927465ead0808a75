"""Databases, the plain tags on them, and what some clients ask about a catalog before anything."""

from __future__ import annotations

from typing import Any

from lakeveil.aws.glue.shapes import (
    Shape,
    account_of,
    database_shape,
    document_of,
    refuse_unserved,
)
from lakeveil.aws.paging import page
from lakeveil.errors import UsageError
from lakeveil.flows.catalog_desk import CatalogDesk
from lakeveil.flows.change_access import Call
from lakeveil.flows.change_databases import (
    RESOURCE_TAGS,
    create_database,
    delete_database,
    tag_database,
    update_database,
)
from lakeveil.flows.read_catalog import check_database, read_database, read_databases

PAGE = 100
_ARN_PARTS = 6
_UNSERVED = ("TargetDatabase", "FederatedDatabase")


def create_a_database(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """CreateDatabase."""
    create_database(
        account_of(params, call.who.account),
        params["DatabaseInput"]["Name"],
        _document(params["DatabaseInput"]),
        tags=params.get("Tags"),
        call=call,
        desk=desk,
    )
    return {}


def get_database(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """GetDatabase."""
    account = account_of(params, call.who.account)
    record, path = read_database(account, params["Name"].lower(), who=call.who, desk=desk)
    return {"Database": database_shape(record, path=path)}


def get_databases(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """GetDatabases: of one catalog, or of those that share with the caller's, too."""
    account, kind = account_of(params, call.who.account), params.get("ResourceShareType")
    names_only = params.get("AttributesToGet") == ["NAME"]
    found, token = page(
        (
            (record, path)
            for record, path in read_databases(
                None if kind in {"ALL", "FOREIGN"} else [account], who=call.who, desk=desk
            )
            if kind != "FOREIGN" or record.database.account != call.who.account
        ),
        lambda entry: (entry[0].database.account, entry[0].database.name),
        params,
        asker=f"GetDatabases {call.who.caller_arn}",
        size=PAGE,
    )
    shapes = [database_shape(record, path=path) for record, path in found]
    if names_only:
        shapes = [{"Name": shape["Name"]} for shape in shapes]
    return {"DatabaseList": shapes, **token}


def update_a_database(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """UpdateDatabase."""
    name, given = params["Name"].lower(), params["DatabaseInput"]
    if given["Name"].lower() != name:
        raise UsageError("A database cannot be renamed.")
    account = account_of(params, call.who.account)
    update_database(account, name, _document(given), call=call, desk=desk)
    return {}


def delete_a_database(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """DeleteDatabase: with its tables."""
    account = account_of(params, call.who.account)
    delete_database(account, params["Name"].lower(), call=call, desk=desk)
    return {}


def tag_resource(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """TagResource: of a database. These tags decide nothing."""
    account, name = database_of_arn(params)
    tag_database(account, name, add=params["TagsToAdd"], call=call, desk=desk)
    return {}


def untag_resource(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """UntagResource: of a database."""
    account, name = database_of_arn(params)
    tag_database(account, name, remove=params["TagsToRemove"], call=call, desk=desk)
    return {}


def get_tags(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """GetTags: of a database."""
    account, name = database_of_arn(params)
    record, _ = read_database(account, name, who=call.who, desk=desk)
    return {"Tags": dict(record.document.get(RESOURCE_TAGS, {}))}


def get_catalog_import_status(call: Call, params: Shape, _desk: CatalogDesk) -> Shape:
    """GetCatalogImportStatus: there is nothing to import."""
    account_of(params, call.who.account)
    return {"ImportStatus": {"ImportCompleted": True}}


def get_user_defined_functions(call: Call, params: Shape, desk: CatalogDesk) -> Shape:
    """GetUserDefinedFunctions: there are none."""
    account = account_of(params, call.who.account)
    if "DatabaseName" in params:
        check_database(account, params["DatabaseName"].lower(), who=call.who, desk=desk)
    return {"UserDefinedFunctions": []}


def _document(given: Shape) -> dict[str, Any]:
    refuse_unserved(given, *_UNSERVED)
    if given.get("CreateTableDefaultPermissions"):
        raise UsageError(
            "CreateTableDefaultPermissions must be empty: what it grants would open every table "
            "that is created, and here what is new is closed until it is granted or tagged."
        )
    return document_of(given, "Name", "CreateTableDefaultPermissions")


def database_of_arn(params: Shape) -> tuple[str, str]:
    """The account and name of the database that is to be tagged.

    Raises:
        UsageError: the ARN is none, or of something else.
    """
    parts = params["ResourceArn"].split(":", _ARN_PARTS - 1)
    kind, _, name = parts[-1].partition("/")
    if len(parts) != _ARN_PARTS or kind != "database" or not name:
        raise UsageError("ResourceArn is invalid: only databases can be tagged.")
    return account_of({"CatalogId": parts[4]}, ""), name.lower()
