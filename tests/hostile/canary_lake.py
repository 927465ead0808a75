"""One lake in which whatever `mallory` may not see says so.

Hidden values hold CANARY, hidden numbers are of seven digits from 777 on and of six from 88 on, and
hidden names begin with `zz_`. What `mallory` may see holds none of these.
"""

from __future__ import annotations

import base64
import re
from datetime import date
from typing import Any

import pyarrow as pa

from lakeveil.core.access.grants import (
    DataCellsFilter,
    Grant,
    OnFilter,
    OnTable,
    TableName,
)
from lakeveil.core.access.lake import Column, Policy, Table
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.permissions import Permission
from lakeveil.core.identity.principal import Principal
from tests.hostile.decided import HOME, KEY, DecidedLake, Stored, principal

MALLORY, OWNER = principal("mallory"), principal("owner")
PREFIX = "zz-store"
"""Of the objects' keys: a path that must not show."""
EU = "region = 'EU' AND note <> 'CANARY_POLICY'"
_SELECT = frozenset({Permission.SELECT})
_ORDERS = TableName(HOME, "lake", "orders")
_TYPES = {
    "id": "bigint",
    "region": "string",
    "amount": "int",
    "note": "string",
    "digits": "string",
    "vip": "boolean",
    "born": "date",
    "tags": "array<string>",
    "device": "struct<os:string,v:int>",
    "card": "string",
    "email": "string",
    "phone": "string",
    "zz_secret": "string",
    "zz_pay": "int",
}
_VIEWS = {
    "eu_totals": (
        "region total",
        "SELECT region, sum(amount) AS total FROM orders GROUP BY region",
    ),
    "leaky": ("id zz_secret", "SELECT id, zz_secret FROM orders"),
    "over_vault": ("code", "SELECT code FROM zz_vault"),
    "files": ("x", "SELECT * FROM read_parquet('x') AS t(x)"),
    "starred": ("amount", "SELECT * EXCLUDE (id) FROM orders"),
    "asks_engine": ("x", "SELECT current_setting('allowed_paths') AS x"),
    "loop_a": ("id", "SELECT id FROM loop_b"),
    "loop_b": ("id", "SELECT id FROM loop_a"),
}


def _order(n: int) -> dict[str, Any]:
    eu = n % 3 != 0
    vip = n % 2 == 0
    return {
        "id": n if eu else 7_770_000 + n,
        "region": "EU" if eu else ("US" if n % 2 else None),
        "amount": n * 3 if eu else 880_000 + n,
        "note": f"n{n}" if eu else f"CANARY_ROW_{n}",
        "digits": str(n) if eu else "CANARY_TEXT",
        "vip": vip,
        "born": date(1990, 1, n) if eu else date(1888, 8, 8),
        "tags": [f"t{n}", "all"] if eu else ["CANARY_TAG"],
        "device": {"os": "ios", "v": n} if eu else {"os": "CANARY_OS", "v": 7_770_000 + n},
        "card": f"CANARY_CARD_{n % 7}",
        "email": f"CANARY_EMAIL_{n}",
        "phone": f"+49 {n}" if eu and vip else f"CANARY_PHONE_{n}",
        "zz_secret": f"CANARY_SECRET_{n}",
        "zz_pay": 7_771_000 + n,
    }


def _table(database: str, name: str, types: dict[str, str]) -> Table:
    return Table(
        name=TableName(HOME, database, name),
        columns=tuple(Column(column, kind) for column, kind in types.items()),
    )


def _stored() -> list[Stored]:
    tables = [
        Stored(
            table=_table("lake", "orders", _TYPES),
            rows=[_order(n) for n in range(1, 25)],
            iceberg=True,
        ),
        Stored(
            table=_table("lake", "cities", {"region": "string", "city": "string"}),
            rows=[{"region": r, "city": c} for r, c in (("EU", "Oslo"), ("EU", "Rome"))],
        ),
        Stored(
            table=_table("lake", "zz_vault", {"code": "string"}),
            rows=[{"code": "CANARY_TABLE"}],
        ),
        Stored(table=_table("lake", "zz_out", {"x": "string"}), rows=[{"x": "CANARY_OUTPUT"}]),
        Stored(table=_table("zz_hr", "people", {"name": "string"}), rows=[{"name": "CANARY_DB"}]),
    ]
    views = [
        Stored(table=_table("lake", name, dict.fromkeys(columns.split(), "string")), view=text)
        for name, (columns, text) in _VIEWS.items()
    ]
    return [*tables, *views]


def _grants() -> tuple[tuple[DataCellsFilter, Mask | None], ...]:
    def cells(name: str, columns: frozenset[str], rows: str, *, excluding: bool = False) -> Any:
        return DataCellsFilter(
            table=_ORDERS, name=name, named=columns, excluding=excluding, rows=rows
        )

    special = frozenset({"card", "email", "phone", "zz_secret", "zz_pay"})
    return (
        (cells("plain", special, EU, excluding=True), None),
        (cells("card", frozenset({"card"}), EU), Mask(MaskKind.HASH)),
        (cells("email", frozenset({"email"}), EU), Mask(MaskKind.FIXED, "***")),
        (cells("phone", frozenset({"phone"}), f"{EU} AND vip = TRUE"), None),
    )


def canary_lake(who: Principal = MALLORY) -> DecidedLake:
    """The lake as `mallory` meets it, or as its owner does, who sees all of it."""
    filters = _grants()
    on_cells = [
        Grant(
            id=f"g-{one.name}",
            account=HOME,
            principal=MALLORY.arn,
            resource=OnFilter(HOME, "lake", "orders", one.name),
            permissions=_SELECT,
            mask=mask,
        )
        for one, mask in filters
    ]
    whole = [
        Grant(
            id=f"g-{name}",
            account=HOME,
            principal=MALLORY.arn,
            resource=OnTable(HOME, "lake", name),
            permissions=_SELECT,
        )
        for name in ("cities", *_VIEWS)
    ]
    owned = [
        Grant(
            id=f"g-owner-{one.table.name}",
            account=HOME,
            principal=OWNER.arn,
            resource=OnTable(HOME, one.table.name.database, one.table.name.table),
            permissions=_SELECT,
        )
        for one in _stored()
    ]
    policy = Policy(
        grants=(*on_cells, *whole, *owned),
        filters={(one.table, one.name): one for one, _ in filters},
    )
    return DecidedLake(stored=_stored(), policy=policy, who=who)


def arrow(one: Stored) -> pa.Table:
    """All rows of a table, as its file has them."""
    kinds = {
        "bigint": pa.int64(),
        "int": pa.int32(),
        "string": pa.string(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "array<string>": pa.list_(pa.string()),
        "struct<os:string,v:int>": pa.struct([("os", pa.string()), ("v", pa.int32())]),
    }
    schema = pa.schema([(c.name, kinds[c.type]) for c in one.table.columns])
    return pa.Table.from_pylist([dict(row) for row in one.rows], schema=schema)


_KINDS = {
    "a hidden column": r"CANARY_SECRET|\b7771\d{3}\b",
    "a masked value": r"CANARY_CARD|CANARY_EMAIL|CANARY_PHONE",
    "a hidden row": r"CANARY_ROW|CANARY_TEXT|CANARY_TAG|CANARY_OS|\b7770\d{3}\b|\b880\d{3}\b|1888",
    "a hidden table": r"CANARY_TABLE|CANARY_DB|CANARY_OUTPUT",
    "the policy": rf"CANARY_POLICY|CANARY_SALT|{KEY}",
    "a path or URL": rf"{PREFIX}|X-Amz-|AWSAccessKeyId",
    "a hidden name": r"zz_[a-z]+",
}
_ENCODED = {
    b"CANARY".hex(),
    b"CANARY".hex().upper(),
    *(base64.b64encode(pad + b"CANARY")[4:10].decode() for pad in (b"xxx",)),
    "YRANAC",
}


def leaks(said: str, *, asked: str) -> frozenset[str]:
    """What of the forbidden a text holds that its reader did not write there."""
    found = {
        kind
        for kind, pattern in _KINDS.items()
        if any(hit not in asked for hit in re.findall(pattern, said))
    }
    if any(form in said and form not in asked for form in _ENCODED):
        found.add("an encoded value")
    return frozenset(found)
