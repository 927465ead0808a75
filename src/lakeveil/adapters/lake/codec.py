"""Values of the policy as JSON text in the database, and back.

Canonical (sorted keys, no blanks), so that equal values are equal texts. What cannot be read back
is an error, never a value that allows something else: a grant that this version does not
understand must not be skipped silently either, as a later one would find it gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lakeveil.core.access.grants import (
    Grant,
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
    TagPolicy,
)
from lakeveil.core.access.guards import NameGuard
from lakeveil.core.access.lake import Column, LakeSettings
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.permissions import Permission, Permissions
from lakeveil.core.access.tags import Expression

_KINDS: Mapping[str, type] = {
    "catalog": OnCatalog,
    "database": OnDatabase,
    "table": OnTable,
    "columns": OnColumns,
    "filter": OnFilter,
    "location": OnLocation,
    "tag": OnTag,
    "expression": OnExpression,
    "tag-policy": TagPolicy,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_SETS = {"named", "values"}
PRINCIPALS_IN_SETTINGS = ("administrators", "read_only_administrators")
"""The settings that name principals: whoever is deleted is taken out of each."""


def dumps(value: Any) -> str:
    """Canonical JSON text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def texts(values: Iterable[str]) -> str:
    """A set of texts."""
    return dumps(sorted(values))


def resource_text(resource: Resource) -> str:
    """A resource; equal resources have equal texts."""
    fields: dict[str, Any] = {"kind": _NAMES[type(resource)]}
    for name in resource.__dataclass_fields__:
        value = getattr(resource, name)
        if isinstance(value, frozenset):
            value = sorted(value)
        elif isinstance(value, Expression):
            value = value.as_dict()
        fields[name if name != "kind" else "policy"] = value
    return dumps(fields)


def resource_of(text: str) -> Resource:
    """The resource of a text that `resource_text` wrote."""
    fields = json.loads(text)
    kind = _KINDS[fields.pop("kind")]
    for name in _SETS & set(fields):
        fields[name] = frozenset(fields[name])
    if kind is TagPolicy:
        fields["kind"] = PolicyKind(fields.pop("policy"))
        body = fields["expression"]
        fields["expression"] = None if body is None else Expression.of(body)
    resource: Resource = kind(**fields)
    return resource


def permissions_of(text: str) -> Permissions:
    """A set of permissions."""
    return frozenset(Permission(name) for name in json.loads(text))


def mask_text(mask: Mask | None) -> str | None:
    """A mask."""
    return None if mask is None else dumps([mask.kind.value, mask.value])


def mask_of(text: str | None) -> Mask | None:
    """The mask of a text that `mask_text` wrote."""
    if text is None:
        return None
    kind, value = json.loads(text)
    return Mask(MaskKind(kind), value)


def columns_text(columns: Sequence[Column]) -> str:
    """A table's columns, in order."""
    return dumps([[column.name, column.type, column.partition] for column in columns])


def columns_of(text: str) -> tuple[Column, ...]:
    """The columns of a text that `columns_text` wrote."""
    return tuple(Column(name, kind, partition) for name, kind, partition in json.loads(text))


def settings_text(settings: LakeSettings) -> str:
    """An account's settings, but for its organisations: those it cannot choose itself."""
    fields: dict[str, Any] = {
        name: sorted(getattr(settings, name)) for name in PRINCIPALS_IN_SETTINGS
    }
    fields["guards"] = sorted([guard.pattern, guard.key] for guard in settings.guards)
    return dumps(fields)


def settings_of(text: str | None, organisations: Iterable[str]) -> LakeSettings:
    """The settings of a text that `settings_text` wrote; None is as good as nothing set."""
    found = json.loads(text) if text else {}
    return LakeSettings(
        **{name: frozenset(found.get(name, ())) for name in PRINCIPALS_IN_SETTINGS},
        organisations=frozenset(organisations),
        guards=frozenset(NameGuard(pattern, key) for pattern, key in found.get("guards", ())),
    )


def grant_row(grant: Grant) -> dict[str, Any]:
    """A grant as a row of `lf_grants`, its id aside."""
    return {
        "account": grant.account,
        "principal": grant.principal,
        "resource_json": resource_text(grant.resource),
        "permissions_json": texts(grant.permissions),
        "grantable_json": texts(grant.grantable),
        "mask_json": mask_text(grant.mask),
        "expires_at": grant.expires_at,
        "granted_by": grant.granted_by,
        "granted_at": grant.granted_at,
        "reason": grant.reason,
    }


def grant_of(row: Any) -> Grant:
    """The grant of a row of `lf_grants`."""
    return Grant(
        id=f"g{row.id}",
        account=row.account,
        principal=row.principal,
        resource=resource_of(row.resource_json),
        permissions=permissions_of(row.permissions_json),
        grantable=permissions_of(row.grantable_json),
        mask=mask_of(row.mask_json),
        expires_at=row.expires_at,
        granted_by=row.granted_by,
        granted_at=row.granted_at,
        reason=row.reason,
    )


def grant_number(grant_id: str) -> int:
    """The row of a grant's id; no row has number -1.

    >>> grant_number("g12")
    12
    """
    number = grant_id.removeprefix("g")
    return int(number) if grant_id.startswith("g") and number.isdecimal() else -1
