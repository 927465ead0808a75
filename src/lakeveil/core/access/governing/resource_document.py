"""A grant's resource as plain JSON, for people and for the audit log."""

from __future__ import annotations

from dataclasses import fields
from typing import TypeAlias

from lakeveil.core.access.grants import Resource
from lakeveil.core.access.tags import Expression

Document: TypeAlias = "dict[str, str | bool | list[str] | dict[str, list[str]]]"


def resource_document(resource: Resource) -> Document:
    """Its kind and what it names; sets are sorted, and what is empty is left out.

    >>> from lakeveil.core.access.grants import OnDatabase
    >>> resource_document(OnDatabase("123456789012", "ads"))
    {'kind': 'Database', 'account': '123456789012', 'database': 'ads'}
    """
    document: Document = {"kind": type(resource).__name__.removeprefix("On")}
    for each in fields(resource):
        value = getattr(resource, each.name)
        if isinstance(value, Expression):
            document["expression"] = value.as_dict()
        elif isinstance(value, frozenset):
            document[each.name] = sorted(value)
        elif value is True:
            document[each.name] = True
        elif isinstance(value, str):
            document["tag_policy" if each.name == "kind" else each.name] = str(value)
    return document
