"""Acts out the stories of `conformance/`: steps make a world, the world can be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lakeveil.core.access.grants import (
    DataCellsFilter,
    Grant,
    OnCatalog,
    OnColumns,
    OnDatabase,
    OnFilter,
    OnTable,
    OnTag,
    PolicyKind,
    Resource,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.lake import Column, Database, LakeSettings, Policy, Table
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.tags import Expression, LFTag, SavedExpression, TagLayers, fold
from lakeveil.core.identity.principal import Principal
from tests.core.access.deciding.stories import Fields, Story, StoryError, permissions

HOME = "111111111111"


@dataclass
class World:
    """The state that steps change."""

    tags: dict[tuple[str, str], LFTag] = field(default_factory=dict)
    expressions: dict[tuple[str, str], SavedExpression] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    filters: dict[tuple[TableName, str], DataCellsFilter] = field(default_factory=dict)
    settings: dict[str, dict[str, frozenset[str]]] = field(default_factory=dict)
    principals: dict[str, Principal] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    databases: dict[str, Database] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    assigned: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    """(account, `catalog` or dotted name) -> what is explicitly assigned there."""

    def policy(self) -> Policy:
        """Everything but the tables."""
        none = frozenset[str]()
        settings = {
            account: LakeSettings(
                administrators=given.get("administrators", none),
                read_only_administrators=given.get("read_only_administrators", none),
                organisations=given.get("organisations", none),
            )
            for account, given in self.settings.items()
        }
        return Policy(
            tags=self.tags,
            expressions=self.expressions,
            grants=tuple(self.grants.values()),
            filters=self.filters,
            settings=settings,
        )

    def table(self, name: str) -> Table:
        """A table with its tags."""
        bare = self.tables[name]
        account = bare.name.account
        layers = TagLayers(
            catalog=self._at(account, "catalog"),
            database=self._at(account, bare.name.database),
            table=self._at(account, name),
            columns={c.name: self._at(account, f"{name}.{c.name}") for c in bare.columns},
        )
        return Table(
            name=bare.name,
            columns=bare.columns,
            owner=bare.owner,
            tags=layers,
            governed=bare.governed,
        )

    def database(self, name: str) -> Database:
        """A database with its tags."""
        bare = self.databases[name]
        return Database(
            account=bare.account,
            name=name,
            owner=bare.owner,
            catalog_tags=self._at(bare.account, "catalog"),
            tags=self._at(bare.account, name),
        )

    def identifier(self, name: str) -> str:
        """The identifier of a principal or group by its short name; others stand for themselves."""
        if name in self.principals:
            return self.principals[name].arn
        if name in self.groups:
            return self.groups[name]
        if ":" not in name and not name.isdigit():
            raise StoryError(f"nobody is called `{name}`")
        return name

    def _at(self, account: str, place: str) -> dict[str, str]:
        return dict(self.assigned.get((account, place), {}))


def act_out(story: Story) -> World:
    """The world after all steps of a story."""
    world = World()
    for step in story.steps:
        if not isinstance(step, Mapping) or len(step) != 1:
            raise StoryError(f"{story.id}: a step is one verb with its fields, not {step!r}")
        ((verb, given),) = step.items()
        if verb not in VERBS:
            raise StoryError(f"{story.id}: there is no verb `{verb}`")
        fields = Fields(given, f"{story.id}: {verb}")
        VERBS[verb](world, fields)
        fields.done()
    return world


def _create_tag(world: World, fields: Fields) -> None:
    account, key = fields.take("account", HOME), fold(fields.take("key"))
    values = frozenset(fold(value) for value in fields.take("values"))
    world.tags[account, key] = LFTag(account=account, key=key, values=values)


def _delete_tag(world: World, fields: Fields) -> None:
    account, key = fields.take("account", HOME), fold(fields.take("key"))
    del world.tags[account, key]
    for (owner, _), tags in world.assigned.items():
        if owner == account:
            tags.pop(key, None)


def _create_principal(world: World, fields: Fields) -> None:
    name, account = fields.take("name"), fields.take("account", HOME)
    arn = f"arn:aws:iam::{account}:user/{name}"
    groups = {g: f"arn:aws:iam::{account}:group/{g}" for g in fields.take("groups", [])}
    world.groups |= groups
    world.principals[name] = Principal(
        arn=arn,
        account=account,
        identities=frozenset({arn, f"{account}:IAMPrincipals", *groups.values()}),
    )


def _create_database(world: World, fields: Fields) -> None:
    name = fields.take("name")
    owner = fields.take("owner", None)
    world.databases[name] = Database(
        account=fields.take("account", HOME),
        name=name,
        owner=world.identifier(owner) if owner else "",
    )


def _create_table(world: World, fields: Fields) -> None:
    name = fields.take("name")
    database, _, table = name.partition(".")
    partitions = fields.take("partitioned by", [])
    columns = fields.take("columns")
    if not set(partitions) <= set(columns):
        raise StoryError(f"{name} is partitioned by columns that it does not have")
    owner = fields.take("owner", None)
    world.tables[name] = Table(
        name=TableName(world.databases[database].account, database, table),
        columns=tuple(Column(c, kind, c in partitions) for c, kind in columns.items()),
        owner=world.identifier(owner) if owner else "",
        governed=fields.take("registered", True),
    )


def _with_columns(world: World, name: str, columns: Iterable[Column]) -> None:
    old = world.tables[name]
    world.tables[name] = Table(
        name=old.name, columns=tuple(columns), owner=old.owner, governed=old.governed
    )


def _add_column(world: World, fields: Fields) -> None:
    table = fields.take("table")
    added = Column(fields.take("name"), fields.take("type", "string"))
    _with_columns(world, table, (*world.tables[table].columns, added))


def _drop_column(world: World, fields: Fields) -> None:
    table, name = fields.take("table"), fields.take("name")
    _with_columns(world, table, (c for c in world.tables[table].columns if c.name != name))


def _place(world: World, fields: Fields, preposition: str) -> tuple[str, str]:
    place = fields.take(preposition)
    if place == "catalog":
        return fields.take("account", HOME), place
    database, _, rest = place.partition(".")
    table, _, column = rest.partition(".")
    if table and column not in {"", *(c.name for c in world.tables[f"{database}.{table}"].columns)}:
        raise StoryError(f"there is no `{place}`")
    return world.databases[database].account, place


def _assign_tags(world: World, fields: Fields) -> None:
    account, place = _place(world, fields, "to")
    tags = {fold(key): fold(value) for key, value in fields.take("tags").items()}
    for key, value in tags.items():
        if value not in world.tags[account, key].values:
            raise StoryError(f"`{key}` cannot be `{value}`")
    world.assigned.setdefault((account, place), {}).update(tags)


def _remove_tags(world: World, fields: Fields) -> None:
    account, place = _place(world, fields, "from")
    for key in fields.take("keys"):
        del world.assigned[account, place][fold(key)]


def _save_expression(world: World, fields: Fields) -> None:
    account, name = fields.take("account", HOME), fields.take("name")
    body = Expression.of(fields.take("body"))
    world.expressions[account, name] = SavedExpression(account=account, name=name, body=body)


def _delete_expression(world: World, fields: Fields) -> None:
    account, name = fields.take("account", HOME), fields.take("name")
    del world.expressions[account, name]
    for grant in list(world.grants.values()):
        where = grant.resource
        if isinstance(where, TagPolicy) and (where.account, where.name) == (account, name):
            del world.grants[grant.id]


def _grant(world: World, fields: Fields) -> None:
    resource = _resource(fields.take("resource"))
    mask = fields.take("mask", None)
    expires = fields.take("expires", None)
    number = fields.take("id")
    if number in world.grants:
        raise StoryError(f"two grants are called `{number}`")
    world.grants[number] = Grant(
        id=number,
        account=fields.take("recorded in", resource.account),
        principal=world.identifier(str(fields.take("to"))),
        resource=resource,
        permissions=permissions(fields.take("allow")),
        grantable=permissions(fields.take("pass on", [])),
        mask=_mask(mask) if mask is not None else None,
        expires_at=float(expires) if expires is not None else None,
    )


def _revoke(world: World, fields: Fields) -> None:
    del world.grants[fields.take("id")]


def _create_filter(world: World, fields: Fields) -> None:
    table, name = world.tables[fields.take("table")].name, fields.take("name")
    columns, other = fields.take("columns", None), fields.take("columns except", None)
    if (columns is None) == (other is None):
        raise StoryError("a filter has `columns` or `columns except`")
    world.filters[table, name] = DataCellsFilter(
        table=table,
        name=name,
        named=frozenset(columns if other is None else other),
        excluding=columns is None,
        rows=fields.take("rows", None),
    )


def _delete_filter(world: World, fields: Fields) -> None:
    del world.filters[world.tables[fields.take("table")].name, fields.take("name")]


def _setting(name: str) -> Callable[[World, Fields], None]:
    def put(world: World, fields: Fields) -> None:
        account = fields.take("account", HOME)
        found = frozenset(world.identifier(one) for one in fields.take("are"))
        world.settings.setdefault(account, {})[name] = found

    return put


VERBS: Mapping[str, Callable[[World, Fields], None]] = {
    "create tag": _create_tag,
    "delete tag": _delete_tag,
    "create principal": _create_principal,
    "create database": _create_database,
    "create table": _create_table,
    "add column": _add_column,
    "drop column": _drop_column,
    "assign tags": _assign_tags,
    "remove tags": _remove_tags,
    "save expression": _save_expression,
    "delete expression": _delete_expression,
    "grant": _grant,
    "revoke": _revoke,
    "create filter": _create_filter,
    "delete filter": _delete_filter,
    "administrators": _setting("administrators"),
    "read-only administrators": _setting("read_only_administrators"),
    "organisations": _setting("organisations"),
}


def _resource(given: Any) -> Resource:
    fields = Fields(given, "resource")
    account = fields.take("account", HOME)
    found = _by_kind(fields, account)
    fields.done()
    return found


def _by_kind(fields: Fields, account: str) -> Resource:
    for spelled, make in _KINDS.items():
        if (given := fields.take(spelled, None)) is not None:
            return make(account, given, fields)
    raise StoryError("a grant is of a resource")


def _policy(kind: PolicyKind, *, saved: bool) -> Callable[[str, Any, Fields], Resource]:
    def make(account: str, given: Any, _fields: Fields) -> Resource:
        if saved:
            return TagPolicy(account, kind, name=given)
        return TagPolicy(account, kind, expression=Expression.of(given))

    return make


def _columns(*, excluding: bool) -> Callable[[str, Any, Fields], Resource]:
    def make(account: str, given: Any, fields: Fields) -> Resource:
        return OnColumns(account, *_split(fields.take("of")), frozenset(given), excluding)

    return make


def _split(name: str) -> tuple[str, str]:
    database, _, table = name.partition(".")
    return database, table


def _mask(given: str) -> Mask:
    kind, _, value = given.partition(":")
    return Mask(MaskKind(kind), value)


_KINDS: Mapping[str, Callable[[str, Any, Fields], Resource]] = {
    "catalog": lambda _, given, _fields: OnCatalog(given),
    "database": lambda account, given, _: OnDatabase(account, given),
    "tables of": lambda account, given, _: OnTable(account, given, None),
    "table": lambda account, given, _: OnTable(account, *_split(given)),
    "columns": _columns(excluding=False),
    "columns except": _columns(excluding=True),
    "filter": lambda account, given, fields: OnFilter(account, *_split(fields.take("of")), given),
    "tag": lambda account, given, fields: OnTag(
        account, fold(given), frozenset(map(fold, fields.take("values")))
    ),
    "tables tagged": _policy(PolicyKind.TABLE, saved=False),
    "tables by expression": _policy(PolicyKind.TABLE, saved=True),
    "databases tagged": _policy(PolicyKind.DATABASE, saved=False),
    "databases by expression": _policy(PolicyKind.DATABASE, saved=True),
}
