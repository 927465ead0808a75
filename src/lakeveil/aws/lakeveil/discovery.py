"""Finding data, and letting it be found: ListDiscoverable, SearchData, SetDiscoverable."""

from __future__ import annotations

from collections.abc import Iterator

from lakeveil.aws.lakeveil.shapes import PAGE, Desks, Shape, catalog_of, without_empty
from lakeveil.aws.paging import page
from lakeveil.flows import change_discovery
from lakeveil.flows.change_access import Call
from lakeveil.flows.discover import Listing, discover


def list_discoverable(call: Call, params: Shape, desks: Desks) -> Shape:
    """ListDiscoverable: all that there is for the caller."""
    found = discover(
        call.who,
        lake=desks.requests.lake,
        clock=desks.requests.clock,
        account=params.get("CatalogId", ""),
    )
    return _page(found, call, params)


def search_data(call: Call, params: Shape, desks: Desks) -> Shape:
    """SearchData: that of it which has all words of a text."""
    found = discover(
        call.who,
        params["Text"],
        lake=desks.requests.lake,
        clock=desks.requests.clock,
        account=params.get("CatalogId", ""),
    )
    return _page(found, call, params)


def set_discoverable(call: Call, params: Shape, desks: Desks) -> Shape:
    """SetDiscoverable: of a database, or of a table."""
    change_discovery.set_discoverable(
        catalog_of(params, call.who.account),
        params["DatabaseName"].lower(),
        params.get("TableName", "").lower(),
        on=params["Discoverable"],
        call=call,
        desk=desks.access,
    )
    return {}


def _page(found: Iterator[Listing], call: Call, params: Shape) -> Shape:
    listings, token = page(
        found,
        lambda listing: listing.key,
        params,
        asker=f"{call.action} {call.who.caller_arn}",
        size=PAGE,
    )
    return {"Listings": [_listing_shape(one) for one in listings], **token}


def _listing_shape(one: Listing) -> Shape:
    shape = {
        "CatalogId": one.account,
        "DatabaseName": one.database,
        "TableName": one.table,
        "Description": one.description,
        "Owner": one.owner,
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(one.tags.items())],
        "Access": one.access.name if one.access else None,
    }
    return without_empty(shape, "TableName", "Description", "Owner")
