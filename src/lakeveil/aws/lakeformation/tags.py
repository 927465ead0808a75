"""LF-Tags: the ontology, and what carries which tag."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lakeveil.aws.lakeformation.shapes import (
    Shape,
    account_of,
    aws_error,
    resource_of,
    tag_shape,
    tags_shape,
)
from lakeveil.aws.paging import page
from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.grants import (
    OnCatalog,
    OnColumns,
    OnDatabase,
    OnTable,
    Resource,
    TableName,
)
from lakeveil.core.access.tags import fold
from lakeveil.errors import NotFound, UsageError
from lakeveil.flows.assign_tags import Failure, Taggable, add_tags, remove_tags
from lakeveil.flows.change_access import AccessDesk, Call, looking
from lakeveil.flows.change_tags import create_tag, delete_tag, update_tag
from lakeveil.flows.known_resources import check_columns, known_database, known_table, known_tag
from lakeveil.flows.look_at_tags import (
    TagsShown,
    tags_of_database,
    tags_of_table,
    visible_tag,
    visible_tags,
)
from lakeveil.ports.lake import LakeReader

PAGE = 50


def create_lf_tag(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """CreateLFTag."""
    account = account_of(params, call.who.account)
    create_tag(account, params["TagKey"], params["TagValues"], call=call, desk=desk)
    return {}


def get_lf_tag(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """GetLFTag: with the values that the caller may know of."""
    authority = looking(call.who, desk)
    account = account_of(params, call.who.account)
    tag = visible_tag(authority, known_tag(authority, account, fold(params["TagKey"])))
    return tag_shape(tag) if tag else {}


def update_lf_tag(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """UpdateLFTag."""
    update_tag(
        account_of(params, call.who.account),
        params["TagKey"],
        add=params.get("TagValuesToAdd", ()),
        delete=params.get("TagValuesToDelete", ()),
        call=call,
        desk=desk,
    )
    return {}


def delete_lf_tag(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """DeleteLFTag: succeeds also where the tag is assigned to something."""
    account = account_of(params, call.who.account)
    delete_tag(account, params["TagKey"], call=call, desk=desk)
    return {}


def list_lf_tags(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """ListLFTags: of one catalog, or of those that share with the caller's."""
    kind = params.get("ResourceShareType")
    tags = visible_tags(
        looking(call.who, desk),
        account=account_of(params, call.who.account),
        own=kind != "FOREIGN",
        foreign=kind is not None,
    )
    found, token = page(
        tags,
        lambda tag: (tag.account, tag.key),
        params,
        asker=f"ListLFTags {call.who.caller_arn}",
        size=PAGE,
    )
    return {"LFTags": [tag_shape(tag) for tag in found], **token}


def add_lf_tags_to_resource(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """AddLFTagsToResource."""
    return _assign(add_tags, call, params, desk)


def remove_lf_tags_from_resource(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """RemoveLFTagsFromResource."""
    return _assign(remove_tags, call, params, desk)


def get_resource_lf_tags(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """GetResourceLFTags: all layers down to what is named; a layer without tags is left out."""
    resource = resource_of(params["Resource"], account_of(params, call.who.account))
    assigned = bool(params.get("ShowAssignedLFTags", False))
    with desk.lake.looking() as lake:
        authority = Authority(who=call.who, policy=lake.policy(), now=desk.clock.now())
        return _layers(lake, authority, resource, assigned=assigned)


def _layers(
    lake: LakeReader, authority: Authority, resource: Resource, *, assigned: bool
) -> dict[str, Any]:
    match resource:
        case OnDatabase(account=account, database=name):
            database = known_database(lake, authority, account, name)
            return layers_shape(tags_of_database(authority, database, assigned=assigned), account)
        case OnTable(table=str(name)):
            table = known_table(
                lake, authority, TableName(resource.account, resource.database, name)
            )
            shown = tags_of_table(authority, table, assigned=assigned)
            return layers_shape(shown, resource.account)
        case OnColumns(table=name, named=named, excluding=False):
            table = known_table(
                lake, authority, TableName(resource.account, resource.database, name)
            )
            check_columns(authority, table, named)
            shown = tags_of_table(authority, table, assigned=assigned, columns=named)
            return layers_shape(shown, resource.account)
        case _:
            raise UsageError("Tags are shown of a database, a table, or named columns.")


def layers_shape(shown: TagsShown, account: str) -> dict[str, Any]:
    """The layers of an answer, without those that carry nothing."""
    layers: dict[str, Any] = {
        "LFTagOnDatabase": tags_shape(shown.database, account),
        "LFTagsOnTable": tags_shape(shown.table, account),
        "LFTagsOnColumns": [
            {"Name": name, "LFTags": tags_shape(tags, account)}
            for name, tags in shown.columns.items()
        ],
    }
    return {name: layer for name, layer in layers.items() if layer}


def _assign(
    change: Callable[..., Sequence[Failure]], call: Call, params: Shape, desk: AccessDesk
) -> Shape:
    account = account_of(params, call.who.account)
    resource = _taggable(resource_of(params["Resource"], account))
    pairs = list(_pairs(params["LFTags"], resource.account))
    failures = change(resource, pairs, call=call, desk=desk)
    return {"Failures": [_failure(failure, resource.account) for failure in failures]}


def _taggable(resource: Resource) -> Taggable:
    if isinstance(resource, OnCatalog | OnDatabase | OnTable | OnColumns):
        return resource
    raise UsageError("Tags are assigned to a catalog, database, table, or named columns.")


def _pairs(tags: Sequence[Shape], account: str) -> Iterator[tuple[str, str]]:
    for tag in tags:
        if account_of(tag, account) != account:
            # Tags stay within the account whose resource carries them.
            raise NotFound("Tag or tag value does not exist.")
        if len(tag["TagValues"]) != 1:
            raise UsageError("A resource carries one value of a tag key.")
        yield tag["TagKey"], tag["TagValues"][0]


def _failure(failure: Failure, account: str) -> dict[str, Any]:
    error = aws_error(failure.error, ())
    if error is None:
        raise failure.error
    return {
        "LFTag": {
            "CatalogId": account,
            "TagKey": failure.key,
            "TagValues": [failure.value],
        },
        "Error": {"ErrorCode": error.code, "ErrorMessage": error.message},
    }
