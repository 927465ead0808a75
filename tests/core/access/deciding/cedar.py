"""The same lake told to Cedar, a policy engine that shares no line with ours.

Each grant becomes policies whose conditions do the matching: entities carry only what is
explicitly assigned on each layer, and Cedar itself looks for the nearest. Two things Cedar cannot
say, having no quantifiers: that *all* columns match (a table carries, for each key, the set of its
columns' values), and that *some* column is shown (the caller asks for each column).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cedarpy import Decision, Entities, PolicySet, is_authorized_batch

from lakeveil.core.access.grants import (
    Grant,
    OnColumns,
    OnDatabase,
    OnFilter,
    OnTable,
    PolicyKind,
    Resource,
    TagPolicy,
)
from lakeveil.core.access.lake import Database, Table
from lakeveil.core.identity.principal import Principal
from tests.core.access.random_lakes import NOW, Lake

Uid = dict[str, str]
Answers = dict[tuple[str, str, str], bool]
"""(principal, action, resource) -> whether Cedar allows it."""

UNSET = "(unset)"
ON_TABLES = ("ALTER", "DELETE", "DROP", "INSERT", "DESCRIBE")
ON_DATABASES = ("ALTER", "CREATE_TABLE", "DROP", "DESCRIBE")
ON_COLUMNS = ("SEE", "SHOW", "KNOW")
"""Without a mask, with or without one, and any permission at all."""


def ask(lake: Lake) -> Answers:
    """Everything about everybody, in one batch."""
    questions = [
        (who.arn, action, kind, name)
        for who in lake.principals
        for kind, name, actions in _things(lake)
        for action in actions
    ]
    requests = [
        {
            "principal": {"type": "User", "id": who},
            "action": {"type": "Action", "id": action},
            "resource": {"type": kind, "id": name},
            "context": {"now": int(NOW)},
        }
        for who, action, kind, name in questions
    ]
    answers = is_authorized_batch(
        requests,
        PolicySet.from_str("\n".join(policies(lake))),
        Entities.from_json_str(json.dumps(list(_entities(lake)))),
    )
    for answer in answers:
        if answer.decision is Decision.NoDecision or answer.diagnostics.errors:
            raise AssertionError(answer.diagnostics.errors)
    return {
        (who, action, name): answer.decision is Decision.Allow
        for (who, action, _, name), answer in zip(questions, answers, strict=True)
    }


def _things(lake: Lake) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for database in lake.databases:
        yield "Database", database.name, ON_DATABASES
    for table in lake.tables:
        yield "Table", str(table.name), ON_TABLES
        for column in table.columns:
            yield "Column", f"{table.name}.{column.name}", ON_COLUMNS


def _entities(lake: Lake) -> Iterator[dict[str, Any]]:
    for who in lake.principals:
        yield _entity("User", who.arn, {}, [_uid("Identity", i) for i in _identities(who, lake)])
    for database in lake.databases:
        yield _entity("Database", database.name, _about_database(database), [])
    for table in lake.tables:
        layers = {
            "catalog": dict(table.tags.catalog),
            "database": dict(table.tags.database),
            "table": dict(table.tags.table),
        }
        common = {"governed": table.governed, **_owned(table.owner)}
        parents = [_uid("Database", table.name.database)]
        about = {**common, "layers": {**layers, "column": {}}, "every": _every(table)}
        yield _entity("Table", str(table.name), about, parents)
        for column in table.columns:
            own = dict(table.tags.columns.get(column.name, {}))
            about = {**common, "name": column.name, "layers": {**layers, "column": own}}
            inside = [_uid("Table", str(table.name)), *parents]
            yield _entity("Column", f"{table.name}.{column.name}", about, inside)


def _identities(who: Principal, lake: Lake) -> Iterator[str]:
    yield from who.identities
    settings = lake.policy.settings_of(who.account)
    if who.arn in settings.administrators | settings.read_only_administrators:
        yield "administrators"


def _about_database(database: Database) -> dict[str, Any]:
    layers = {"catalog": dict(database.catalog_tags), "database": dict(database.tags)}
    about = {"governed": True, "layers": {**layers, "table": {}, "column": {}}}
    return {**about, **_owned(database.owner)}


def _every(table: Table) -> dict[str, list[str]]:
    """For each key the values of all columns, `UNSET` for those that have none."""
    found: dict[str, set[str]] = {}
    for key in ("class", "owner", "team"):
        for column in table.columns:
            value = UNSET
            for layer in (table.tags.catalog, table.tags.database, table.tags.table):
                value = layer.get(key, value)
            own = table.tags.columns.get(column.name, {})
            found.setdefault(key, set()).add(own.get(key, value))
    return {key: sorted(values) for key, values in found.items()}


def _owned(owner: str) -> dict[str, Any]:
    return {"maker": {"__entity": _uid("Identity", owner)}} if owner else {}


def _entity(kind: str, name: str, attrs: dict[str, Any], parents: list[Uid]) -> dict[str, Any]:
    return {"uid": _uid(kind, name), "attrs": attrs, "parents": parents}


def _uid(kind: str, name: str) -> Uid:
    return {"type": kind, "id": name}


def policies(lake: Lake) -> Iterator[str]:
    """Every policy of a lake, as Cedar text."""
    makers = "resource has maker && principal in resource.maker"
    yield _permit("principal", ON_TABLES, "resource is Table", makers)
    yield _permit("principal", ON_COLUMNS, "resource is Column", makers)
    yield _permit("principal", ON_DATABASES, "resource is Database", makers)
    administrators = 'principal in Identity::"administrators"'
    yield _permit(administrators, ("DESCRIBE",), "resource is Table", "true")
    yield _permit(administrators, ("DESCRIBE",), "resource is Database", "true")
    for grant in lake.policy.grants:
        yield from _of_grant(grant, lake)


def _of_grant(grant: Grant, lake: Lake) -> Iterator[str]:
    who = f"principal in Identity::{json.dumps(grant.principal)}"
    live = "true" if grant.expires_at is None else f"context.now < {int(grant.expires_at)}"
    named = {str(permission) for permission in grant.permissions}
    for actions, scope, condition in _statements(grant, named, lake):
        if actions:
            yield _permit(who, actions, scope, f"{live} && resource.governed && {condition}")


def _statements(
    grant: Grant, named: set[str], lake: Lake
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Actions, the resource in the policy's head, and a condition."""
    where = grant.resource
    masked = grant.mask is not None
    selects = bool(named & {"ALL", "SELECT"})
    cells = ("SHOW", "KNOW") if masked else ("SEE", "SHOW", "KNOW")
    if isinstance(where, TagPolicy):
        yield from _tagged(where, named, lake, cells if selects else ("KNOW",), masked=masked)
    if not masked:
        yield from _beside_columns(where, named)
    if selects:
        for scope, condition in _named_columns(where, lake):
            yield cells, scope, condition


def _beside_columns(where: Resource, named: set[str]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """What a grant by name says of tables and databases."""
    if isinstance(where, OnDatabase):
        yield _spelled(named, ON_DATABASES), _is("Database", where.database), "true"
    if isinstance(where, OnTable):
        yield _on_tables(named), _inside(where), "resource is Table"
    if isinstance(where, OnTable | OnColumns | OnFilter) and _any(where, named):
        yield ("DESCRIBE",), _is("Database", where.database), "true"


def _named_columns(where: Resource, lake: Lake) -> Iterator[tuple[str, str]]:
    match where:
        case OnTable():
            yield _inside(where), "resource is Column"
        case OnColumns(_, database, table, columns, excluding):
            yield _columns(f"{database}.{table}", columns, excluding=excluding)
        case OnFilter(_, database, table, name):
            for (on, called), found in lake.policy.filters.items():
                if (on.database, on.table, called) == (database, table, name):
                    yield _columns(str(on), found.named, excluding=found.excluding)
        case _:
            pass


def _is(kind: str, name: str) -> str:
    return f"resource == {kind}::{json.dumps(name)}"


def _inside(where: OnTable) -> str:
    if where.table is None:
        return f"resource in Database::{json.dumps(where.database)}"
    return f"resource in Table::{json.dumps(f'{where.database}.{where.table}')}"


def _tagged(
    where: TagPolicy, named: set[str], lake: Lake, cells: tuple[str, ...], *, masked: bool
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    terms = _terms(where, lake)
    if terms is None:
        return
    one = " && ".join(_one_matches(key, values) for key, values in terms)
    if where.kind is PolicyKind.DATABASE:
        if not masked:
            yield _spelled(named, ON_DATABASES), "resource is Database", one
        return
    if masked and "SHOW" not in cells:
        return
    if not _on_tables(named):
        return
    yield cells, "resource is Column", one
    if not masked:
        every = " && ".join(_all_match(key, values) for key, values in terms)
        yield _on_tables(named), "resource is Table", every
        yield ("DESCRIBE",), "resource is Table", one


def _terms(where: TagPolicy, lake: Lake) -> list[tuple[str, list[str]]] | None:
    """Key -> values of a policy's expression, None where it can match nothing."""
    expression = where.expression
    if where.name is not None:
        saved = [e for e in lake.policy.expressions.values() if e.name == where.name]
        expression = saved[0].body if saved else None
    if expression is None:
        return None
    defined = {tag.key for tag in lake.policy.tags.values()}
    terms = list(expression.as_dict().items())
    return terms if all(key in defined for key, _ in terms) else None


def _one_matches(key: str, values: list[str]) -> str:
    value = json.dumps(UNSET)
    for layer in ("catalog", "database", "table", "column"):
        at = f"resource.layers.{layer}"
        value = f'(if {at} has "{key}" then {at}["{key}"] else {value})'
    if "*" in values:
        return f"{value} != {json.dumps(UNSET)}"
    return f"{_set(values)}.contains({value})"


def _all_match(key: str, values: list[str]) -> str:
    if "*" in values:
        return f'!resource.every["{key}"].contains({json.dumps(UNSET)})'
    return f'{_set(values)}.containsAll(resource.every["{key}"])'


def _columns(table: str, columns: frozenset[str], *, excluding: bool) -> tuple[str, str]:
    among = f"{_set(sorted(columns))}.contains(resource.name)"
    condition = f"resource is Column && {'!' if excluding else ''}{among}"
    return f"resource in Table::{json.dumps(table)}", condition


def _set(values: list[str]) -> str:
    return json.dumps(values, ensure_ascii=False)


def _on_tables(named: set[str]) -> tuple[str, ...]:
    # A SELECT is asked for column by column, and like all others shows that the table is there.
    return _spelled(named, (*ON_TABLES, "SELECT"))


def _spelled(named: set[str], valid: tuple[str, ...]) -> tuple[str, ...]:
    found = [one for one in valid if "ALL" in named or one in named]
    return (*found, "DESCRIBE") if found else ()


def _any(where: OnTable | OnColumns | OnFilter, named: set[str]) -> bool:
    if isinstance(where, OnTable):
        return bool(_on_tables(named))
    valid = (
        {"ALL", "SELECT"} if isinstance(where, OnColumns) else {"ALL", "SELECT", "DESCRIBE", "DROP"}
    )
    return bool(named & valid)


def _permit(who: str, actions: tuple[str, ...], scope: str, condition: str) -> str:
    listed = ", ".join(f'Action::"{action}"' for action in actions)
    return f"permit({who}, action in [{listed}], {scope}) when {{ {condition} }};"
