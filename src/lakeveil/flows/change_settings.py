"""Who administers an account's lake, and where its data lies.

A table whose data lies under no registered location is governed by nobody, and so is shown to its
owner and the administrators alone: taking a location out of the register closes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lakeveil.core.access.lake import LakeSettings
from lakeveil.core.access.locations import is_under, normalised
from lakeveil.core.identity.arns import Kind, parse
from lakeveil.errors import Conflict, NotFound, Refused, UsageError
from lakeveil.flows.change_access import AccessDesk, Call, Change, changing
from lakeveil.ports.lake import Location

MAX_ADMINISTRATORS = 30

_ADMINISTRATORS = frozenset(
    {Kind.USER, Kind.ROLE, Kind.GROUP, Kind.FEDERATED_USER, Kind.FEDERATED_GROUP}
)


def put_settings(
    account: str,
    *,
    administrators: Iterable[str],
    read_only_administrators: Iterable[str],
    call: Call,
    desk: AccessDesk,
) -> LakeSettings:
    """Replace an account's administrators.

    Raises:
        UsageError: one of them is not there, or not of this account.
        Refused: the caller does not administer the account, and somebody else does.
    """
    admins, readers = frozenset(administrators), frozenset(read_only_administrators)
    if max(len(admins), len(readers)) > MAX_ADMINISTRATORS:
        raise UsageError(f"There are at most {MAX_ADMINISTRATORS} administrators of a kind.")
    named = sorted(admins | readers)
    for identifier in named:
        _check_administrator(identifier, account)
    absent = [identifier for identifier in named if not desk.directory.knows(identifier)]
    asked = {"administrators": sorted(admins), "read_only_administrators": sorted(readers)}
    with changing(call, desk, f"settings {account}", asked=asked) as change:
        if not change.authority.may_appoint(account):
            raise _not_administrator(account)
        if absent:
            # Who there is, is told to nobody who may not appoint them.
            raise _no_administrator(absent[0])
        before = change.authority.policy.settings_of(account)
        settings = replace(before, administrators=admins, read_only_administrators=readers)
        change.lake.put_settings(account, settings)
        change.said["before"] = {
            "administrators": sorted(before.administrators),
            "read_only_administrators": sorted(before.read_only_administrators),
        }
    return settings


def register(location: str, role: str, *, call: Call, desk: AccessDesk) -> Location:
    """Register a location of the caller's own account: from now on grants govern its data.

    Raises:
        Conflict: it is registered.
        UsageError: it is no location, or another account's reaches into it.
        Refused: the caller does not administer its account.
    """
    place = _location(location)
    account = call.who.account
    with changing(call, desk, f"location {place}", asked={"role": role}) as change:
        _check_administers(account, change)
        for other in change.lake.locations():
            inside = is_under(place, other.location) or is_under(other.location, place)
            if other.account != account and inside:
                # Two accounts with a say over the same data: the one's grants would open the
                # other's.
                raise UsageError("The location cannot be registered by this account.")
            if other.account == account and normalised(other.location) == place:
                raise Conflict("Resource is already registered.", code="already_exists")
        found = Location(
            account=account,
            location=place,
            role=role,
            registered_at=change.now,
            registered_by=call.who.arn,
        )
        change.lake.put_location(found)
    return found


def update_location(location: str, role: str, *, call: Call, desk: AccessDesk) -> None:
    """Replace the role of a registered location.

    Raises:
        NotFound: it is not registered.
        Refused: the caller does not administer its account.
    """
    place = _location(location)
    with changing(call, desk, f"location {place}", asked={"role": role}) as change:
        _check_administers(call.who.account, change)
        before = _registered(place, call.who.account, change)
        change.lake.put_location(replace(before, role=role, registered_at=change.now))
        change.said["before"] = {"role": before.role}


def deregister(location: str, *, call: Call, desk: AccessDesk) -> None:
    """Take a location out of the register; what lies there is closed to all grants.

    Raises:
        NotFound: it is not registered.
        Refused: the caller does not administer its account.
    """
    place = _location(location)
    with changing(call, desk, f"location {place}") as change:
        _check_administers(call.who.account, change)
        before = _registered(place, call.who.account, change)
        change.lake.remove_location(before.account, before.location)
        change.said["before"] = {"role": before.role}


def _registered(place: str, account: str, change: Change) -> Location:
    for found in change.lake.locations(account):
        if normalised(found.location) == place:
            return found
    raise NotFound("Resource is not registered.")


def _location(location: str) -> str:
    place = normalised(location)
    if not place:
        raise UsageError(
            f"`{location[:255]}` is no location: write it as arn:aws:s3:::bucket/prefix."
        )
    return place


def _check_administrator(identifier: str, account: str) -> None:
    try:
        found = parse(identifier)
    except UsageError as error:
        raise UsageError(f"Invalid principal: {error.what}.") from error
    if found.account != account or found.kind not in _ADMINISTRATORS:
        raise _no_administrator(identifier)


def _no_administrator(identifier: str) -> UsageError:
    return UsageError(
        f"Invalid principal: `{identifier[:255]}` is no user, role or group of this account."
    )


def _check_administers(account: str, change: Change) -> None:
    if not change.authority.administers(account):
        raise _not_administrator(account)


def _not_administrator(account: str) -> Refused:
    return Refused(
        f"Insufficient Lake Formation permission(s): Required data lake administrator on {account}",
        code="insufficient_permissions",
    )
