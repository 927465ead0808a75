"""Lake Formation's shapes and our values: resources, tags, permissions, errors.

Names of databases, tables and columns are lower case, as Glue stores them; keys and values of tags
are folded. What the API can say and Lakeveil does not know is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lakeveil.aws.protocol import AwsError
from lakeveil.core.access.grants import (
    OnCatalog,
    OnColumns,
    OnDatabase,
    OnExpression,
    OnFilter,
    OnLocation,
    OnTable,
    OnTag,
    PolicyKind,
    Resource,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.locations import normalised
from lakeveil.core.access.permissions import Permission, Permissions
from lakeveil.core.access.tags import Expression, LFTag, Tags, fold
from lakeveil.errors import Conflict, LakeveilError, NotFound, Refused, UsageError
from lakeveil.flows.change_tags import expression_of

Shape = Mapping[str, Any]

_ACCOUNT = re.compile(r"[0-9]{12}")


def account_of(params: Shape, default: str, member: str = "CatalogId") -> str:
    """The account that a catalog's id names.

    Raises:
        UsageError: it is not 12 digits: catalogs within an account are not known here.
    """
    given = str(params.get(member, default))
    if not _ACCOUNT.fullmatch(given):
        raise UsageError(f"{member} `{given[:255]}` is no account's: it must have 12 digits.")
    return given


def resource_of(shape: Shape, default: str) -> Resource:
    """A `Resource`, which names exactly one thing; its catalog is `default` where it says none.

    Raises:
        UsageError: it names none or several, or something that does not exist here.
    """
    if len(shape) != 1:
        raise UsageError("A resource names exactly one of the things that it may be.")
    [(kind, value)] = shape.items()
    if kind not in _READERS:
        raise UsageError(f"Resources of the kind {kind} are not supported by Lakeveil.")
    member = "Id" if kind == "Catalog" else "CatalogId"
    account = account_of(value, default, "TableCatalogId" if kind == _FILTER else member)
    return _READERS[kind](value, account)


def table_of(shape: Shape, default: str) -> OnTable:
    """A `TableResource`: a table by its name, or with the wildcard all of a database.

    Raises:
        UsageError: it has both or neither.
    """
    return _table(shape, account_of(shape, default))


def location_of(arn: str) -> str:
    """The location that an ARN of S3 names.

    Raises:
        UsageError: it is none.
    """
    location = normalised(arn) if arn.startswith("arn:") else ""
    if not location:
        raise UsageError(
            f"ResourceArn `{arn[:255]}` is invalid: write it as arn:aws:s3:::bucket/prefix."
        )
    return location


def location_arn(location: str) -> str:
    """A location as the API shows it."""
    return f"arn:aws:s3:::{location.removeprefix('s3://')}"


def resource_shape(resource: Resource) -> dict[str, Any]:
    """A resource as the API shows it."""
    match resource:
        case OnCatalog(account=account):
            return {"Catalog": {"Id": account}}
        case OnDatabase(account=account, database=database):
            return {"Database": {"CatalogId": account, "Name": database}}
        case OnTable():
            return {"Table": table_shape(resource)}
        case OnColumns():
            return {"TableWithColumns": _columns_shape(resource)}
        case OnFilter() | OnLocation():
            return _filter_or_location_shape(resource)
        case _:
            return _by_tags_shape(resource)


def table_shape(table: OnTable | TableName) -> dict[str, Any]:
    """A `TableResource`."""
    shape = {"CatalogId": table.account, "DatabaseName": table.database}
    return {**shape, "TableWildcard": {}} if table.table is None else {**shape, "Name": table.table}


def expression(shape: Iterable[Shape]) -> Expression:
    """An `Expression`, folded.

    Raises:
        UsageError: it is empty, or names a key twice.
    """
    return expression_of((term["TagKey"], term["TagValues"]) for term in shape)


def expression_shape(body: Expression) -> list[dict[str, Any]]:
    """An expression as the API shows it."""
    return [{"TagKey": key, "TagValues": values} for key, values in body.as_dict().items()]


def tag_shape(tag: LFTag) -> dict[str, Any]:
    """A tag of the ontology as an `LFTagPair`."""
    return {"CatalogId": tag.account, "TagKey": tag.key, "TagValues": sorted(tag.values)}


def tags_shape(tags: Tags, account: str) -> list[dict[str, Any]]:
    """What a resource carries, as `LFTagPair`s."""
    return [
        {"CatalogId": account, "TagKey": key, "TagValues": [value]} for key, value in tags.items()
    ]


def permissions_of(names: Iterable[str]) -> Permissions:
    """Permissions by their names.

    Raises:
        UsageError: one of them does not exist here.
    """
    try:
        return frozenset(Permission(name) for name in names)
    except ValueError as error:
        raise UsageError(f"The permission is not supported by Lakeveil: {error}.") from error


def principal_of(shape: Shape) -> str:
    """The identifier of a `DataLakePrincipal`.

    Raises:
        UsageError: it has none.
    """
    identifier = str(shape.get("DataLakePrincipalIdentifier", ""))
    if not identifier:
        raise UsageError("Invalid principal: it has no DataLakePrincipalIdentifier.")
    return identifier


def principal_shape(identifier: str) -> dict[str, str]:
    """A `DataLakePrincipal`."""
    return {"DataLakePrincipalIdentifier": identifier}


def refuse_unserved(params: Shape, *members: str) -> None:
    """Refuse what is asked for and not served, rather than leave it out in silence.

    Raises:
        UsageError: with the first of the members that is set and not false or empty.
    """
    for member in members:
        if params.get(member):
            raise UsageError(f"{member} is not supported by Lakeveil.")


def aws_error(error: LakeveilError, modelled: Iterable[str]) -> AwsError | None:
    """What the API answers for one of our errors; None where we are at fault ourselves.

    `modelled` are the errors that the operation has in the model.
    """
    message = error.what if not error.why else f"{error.what}: {error.why}."
    match error:
        case UsageError(code="limit_exceeded"):
            code = "ResourceNumberLimitExceededException"
        case UsageError():
            code = "InvalidInputException"
        case NotFound():
            code = "EntityNotFoundException"
        case Refused():
            code = "AccessDeniedException"
        case Conflict(code="already_exists"):
            exists = "AlreadyExistsException"
            code = exists if exists in modelled else "InvalidInputException"
        case Conflict():
            code = "ConcurrentModificationException"
        case _:
            return None
    return AwsError(code, message)


_FILTER = "DataCellsFilter"


def _table(shape: Shape, account: str) -> OnTable:
    wildcard, name = "TableWildcard" in shape, shape.get("Name")
    if wildcard == (name is not None):
        raise UsageError(
            f"Table name and table wildcard cannot both be {'present' if wildcard else 'empty'}."
        )
    return OnTable(account, shape["DatabaseName"].lower(), name.lower() if name else None)


def _columns(shape: Shape, account: str) -> Resource:
    named, wildcard = shape.get("ColumnNames"), shape.get("ColumnWildcard")
    if (not named) == (wildcard is None):
        raise UsageError("Give either ColumnNames, or ColumnWildcard.")
    database, table = shape["DatabaseName"].lower(), shape["Name"].lower()
    listed = named or (wildcard or {}).get("ExcludedColumnNames", [])
    columns = frozenset(name.lower() for name in listed)
    if not columns:
        # Every column, future ones too: that is the table.
        return OnTable(account, database, table)
    return OnColumns(account, database, table, columns, excluding=not named)


def _columns_shape(on: OnColumns) -> dict[str, Any]:
    names = sorted(on.named)
    wildcard: dict[str, Any] = {"ExcludedColumnNames": names} if names else {}
    columns = {"ColumnWildcard": wildcard} if on.excluding else {"ColumnNames": names}
    return {
        "CatalogId": on.account,
        "DatabaseName": on.database,
        "Name": on.table,
        **columns,
    }


def _filter_or_location_shape(on: OnFilter | OnLocation) -> dict[str, Any]:
    if isinstance(on, OnLocation):
        shape = {"CatalogId": on.account, "ResourceArn": location_arn(on.location)}
        return {"DataLocation": shape}
    return {
        _FILTER: {
            "TableCatalogId": on.account,
            "DatabaseName": on.database,
            "TableName": on.table,
            "Name": on.name,
        }
    }


def _by_tags_shape(on: OnTag | OnExpression | TagPolicy) -> dict[str, Any]:
    match on:
        case OnTag(account=account, key=key, values=values):
            return {"LFTag": {"CatalogId": account, "TagKey": key, "TagValues": sorted(values)}}
        case OnExpression(account=account, name=name):
            return {"LFTagExpression": {"CatalogId": account, "Name": name}}
        case TagPolicy(account=account, kind=kind, expression=body, name=saved):
            shape: dict[str, Any] = {"CatalogId": account, "ResourceType": kind.value}
            if saved is not None:
                return {"LFTagPolicy": {**shape, "ExpressionName": saved}}
            terms = expression_shape(body) if body else []
            return {"LFTagPolicy": {**shape, "Expression": terms}}


def _filter(shape: Shape, account: str) -> OnFilter:
    names = [str(shape.get(member, "")) for member in ("DatabaseName", "TableName", "Name")]
    if not all(names):
        raise UsageError("A data cells filter is named by its database, its table and its name.")
    return OnFilter(account, names[0].lower(), names[1].lower(), names[2])


def _policy(shape: Shape, account: str) -> TagPolicy:
    terms, saved = shape.get("Expression"), shape.get("ExpressionName")
    if (terms is None) == (saved is None):
        raise UsageError("Give either Expression, or ExpressionName.")
    return TagPolicy(
        account,
        PolicyKind(shape["ResourceType"]),
        expression=expression(terms) if terms is not None else None,
        name=saved,
    )


_READERS: Mapping[str, Callable[[Shape, str], Resource]] = {
    "Catalog": lambda _shape, account: OnCatalog(account),
    "Database": lambda shape, account: OnDatabase(account, shape["Name"].lower()),
    "Table": _table,
    "TableWithColumns": _columns,
    "DataLocation": lambda shape, account: OnLocation(account, location_of(shape["ResourceArn"])),
    _FILTER: _filter,
    "LFTag": lambda shape, account: OnTag(
        account, fold(shape["TagKey"]), frozenset(fold(value) for value in shape["TagValues"])
    ),
    "LFTagPolicy": _policy,
    "LFTagExpression": lambda shape, account: OnExpression(account, shape["Name"]),
}
