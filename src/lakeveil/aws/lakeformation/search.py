"""Searching databases and tables by their tags."""

from __future__ import annotations

from lakeveil.aws.lakeformation.shapes import Shape, account_of, expression, table_shape, tags_shape
from lakeveil.aws.lakeformation.tags import layers_shape
from lakeveil.aws.paging import page
from lakeveil.flows.change_access import AccessDesk, Call, looking
from lakeveil.flows.look_at_tags import search_databases, search_tables

PAGE = 100


def search_databases_by_lf_tags(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """SearchDatabasesByLFTags."""
    account = account_of(params, call.who.account)
    wanted = expression(params["Expression"])
    found, token = page(
        search_databases(desk.lake, looking(call.who, desk), account, wanted),
        lambda entry: (entry[0].name,),
        params,
        asker=f"SearchDatabasesByLFTags {call.who.caller_arn}",
        size=PAGE,
    )
    databases = [
        {
            "Database": {"CatalogId": account, "Name": database.name},
            "LFTags": tags_shape(shown.database, account),
        }
        for database, shown in found
    ]
    return {"DatabaseList": databases, **token}


def search_tables_by_lf_tags(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """SearchTablesByLFTags."""
    account = account_of(params, call.who.account)
    wanted = expression(params["Expression"])
    found, token = page(
        search_tables(desk.lake, looking(call.who, desk), account, wanted),
        lambda entry: (entry[0].name.database, entry[0].name.table),
        params,
        asker=f"SearchTablesByLFTags {call.who.caller_arn}",
        size=PAGE,
    )
    tables = [
        {"Table": table_shape(table.name), **layers_shape(shown, account)} for table, shown in found
    ]
    return {"TableList": tables, **token}
