"""Data lake settings, and who the caller is.

Only who administers the account can be set. The other settings exist in AWS to open data to what
Lake Formation does not govern, and here they cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lakeveil.aws.lakeformation.shapes import (
    Shape,
    account_of,
    principal_of,
    principal_shape,
    refuse_unserved,
)
from lakeveil.errors import Refused, UsageError
from lakeveil.flows.change_access import AccessDesk, Call
from lakeveil.flows.change_settings import put_settings

PARAMETERS: Mapping[str, str] = {"CROSS_ACCOUNT_VERSION": "4", "SET_SOURCE_IDENTITY": "FALSE"}
"""How Lakeveil behaves; grants across accounts name principals, as from version 3 on."""


def get_data_lake_settings(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """GetDataLakeSettings: of the caller's own account."""
    account = account_of(params, call.who.account)
    if account != call.who.account:
        raise Refused("Settings are shown to the account's own principals.")
    settings = desk.lake.policy().settings_of(account)
    return {
        "DataLakeSettings": {
            "DataLakeAdmins": _principals(settings.administrators),
            "ReadOnlyAdmins": _principals(settings.read_only_administrators),
            "CreateDatabaseDefaultPermissions": [],
            "CreateTableDefaultPermissions": [],
            "Parameters": dict(PARAMETERS),
            "TrustedResourceOwners": [],
            "AllowExternalDataFiltering": False,
            "AllowFullTableExternalDataAccess": False,
            "ExternalDataFilteringAllowList": [],
            "AuthorizedSessionTagValueList": [],
        }
    }


def put_data_lake_settings(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """PutDataLakeSettings: replaces all of them, so an absent list of administrators is empty."""
    settings = params["DataLakeSettings"]
    for member in ("CreateDatabaseDefaultPermissions", "CreateTableDefaultPermissions"):
        if settings.get(member):
            raise UsageError(
                f"{member} must be empty: what it grants would open everything that is created "
                "from now on, and here what is new is closed until it is granted or tagged."
            )
    refuse_unserved(
        settings,
        "TrustedResourceOwners",
        "AllowExternalDataFiltering",
        "AllowFullTableExternalDataAccess",
        "ExternalDataFilteringAllowList",
        "AuthorizedSessionTagValueList",
    )
    for name, value in settings.get("Parameters", {}).items():
        if PARAMETERS.get(name) != value.upper():
            raise UsageError(f"The parameter `{name[:255]}` cannot be set to this value here.")
    put_settings(
        account_of(params, call.who.account),
        administrators=[principal_of(one) for one in settings.get("DataLakeAdmins", ())],
        read_only_administrators=[principal_of(one) for one in settings.get("ReadOnlyAdmins", ())],
        call=call,
        desk=desk,
    )
    return {}


def get_data_lake_principal(call: Call, _params: Shape, _desk: AccessDesk) -> Shape:
    """GetDataLakePrincipal."""
    return {"Identity": call.who.caller_arn}


def _principals(identifiers: frozenset[str]) -> list[dict[str, Any]]:
    return [principal_shape(identifier) for identifier in sorted(identifiers)]
