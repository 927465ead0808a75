"""Permissions: their names, which resource takes which, and what implies what.

The names and the table of valid combinations are Lake Formation's own (API reference,
"Permissions"; developer guide, "Lake Formation permissions reference").
"""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """What a grant allows, named as the API names it."""

    ALL = "ALL"
    SELECT = "SELECT"
    ALTER = "ALTER"
    DROP = "DROP"
    DELETE = "DELETE"
    INSERT = "INSERT"
    DESCRIBE = "DESCRIBE"
    CREATE_DATABASE = "CREATE_DATABASE"
    CREATE_TABLE = "CREATE_TABLE"
    DATA_LOCATION_ACCESS = "DATA_LOCATION_ACCESS"
    CREATE_LF_TAG = "CREATE_LF_TAG"
    ASSOCIATE = "ASSOCIATE"
    GRANT_WITH_LF_TAG_EXPRESSION = "GRANT_WITH_LF_TAG_EXPRESSION"
    CREATE_LF_TAG_EXPRESSION = "CREATE_LF_TAG_EXPRESSION"


Permissions = frozenset[Permission]
P = Permission

NOTHING: Permissions = frozenset()
ON_CATALOG: Permissions = frozenset(
    {P.CREATE_DATABASE, P.CREATE_LF_TAG, P.CREATE_LF_TAG_EXPRESSION, P.DESCRIBE}
)
ON_DATABASE: Permissions = frozenset({P.ALTER, P.CREATE_TABLE, P.DESCRIBE, P.DROP})
ON_TABLE: Permissions = frozenset({P.ALTER, P.DELETE, P.DESCRIBE, P.DROP, P.INSERT, P.SELECT})
ON_COLUMNS: Permissions = frozenset({P.SELECT})
ON_FILTER: Permissions = frozenset({P.SELECT, P.DESCRIBE, P.DROP})
ON_LOCATION: Permissions = frozenset({P.DATA_LOCATION_ACCESS})
ON_TAG: Permissions = frozenset(
    {P.DROP, P.ALTER, P.DESCRIBE, P.ASSOCIATE, P.GRANT_WITH_LF_TAG_EXPRESSION}
)
ON_EXPRESSION: Permissions = frozenset(
    {P.DROP, P.ALTER, P.DESCRIBE, P.GRANT_WITH_LF_TAG_EXPRESSION}
)
READS: Permissions = frozenset({P.SELECT, P.DESCRIBE})
"""All that is left of a grant on a table of which it matches only some columns."""


def expanded(permissions: Permissions, valid: Permissions) -> Permissions:
    """`ALL` spelled out; any permission on a database or table lets one see that it is there."""
    spelled = valid if P.ALL in permissions else permissions & valid
    return spelled | {P.DESCRIBE} if spelled and P.DESCRIBE in valid else spelled
