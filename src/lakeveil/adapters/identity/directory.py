"""Accounts, users, groups, members and roles, in SQL. Every change is seen at the next call.

Whoever goes takes along all that names them (grants, administratorship, ownership, trust): somebody
who is made under the same name later has none of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import sqlalchemy as sa

from lakeveil.adapters.database import reading
from lakeveil.adapters.identity.key_ids import new_entity_id
from lakeveil.adapters.identity.newcomers import NOBODY, begin_afresh
from lakeveil.adapters.identity.versions import changing
from lakeveil.adapters.lake.departures import depart, standing_on
from lakeveil.adapters.tables.identity import (
    identity_accounts,
    identity_groups,
    identity_members,
    identity_roles,
    identity_users,
)
from lakeveil.core.identity import arns
from lakeveil.core.identity.departure import Departure, leaver
from lakeveil.core.identity.directory import Account, Group, Role, User
from lakeveil.core.identity.rights import from_policy_document
from lakeveil.core.identity.trust import from_trust_document
from lakeveil.errors import Conflict, NotFound
from lakeveil.ports import Clock


class Directory:
    """The directory over an engine from `open_database`. Thread-safe.

    Policy documents are read before they are kept: one that is not judged here never gets in.
    Methods that find something raise `NotFound` where it is not, those that create something
    `Conflict` where it is.
    """

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    # --- accounts ----------------------------------------------------------------------------

    def create_account(self, account: Account) -> Account:
        """Add a tenant."""
        kept = replace(account, created_at=self._clock.now())
        with changing(self._engine) as tx:
            _refuse_second(tx, identity_accounts, {"id": account.id}, f"account `{account.id}`")
            begin_afresh(tx, kept.id, now=kept.created_at)
            tx.execute(
                sa.insert(identity_accounts).values(
                    id=kept.id,
                    name=kept.name,
                    organisation=kept.organisation,
                    units=msgspec.json.encode(kept.units).decode(),
                    created_at=kept.created_at,
                )
            )
        return kept

    def accounts(self) -> Sequence[Account]:
        """Every account, in order of their ids."""
        return [_account(row) for row in self._all(identity_accounts, {}, "id")]

    def account(self, account: str) -> Account:
        """One account."""
        return _account(self._one(identity_accounts, {"id": account}, f"account `{account}`"))

    def delete_account(self, account: str) -> Departure:
        """Remove an empty account; `Conflict` while anybody, or any data, is in it."""
        with changing(self._engine) as tx:
            _delete(tx, identity_accounts, {"id": account}, f"account `{account}`")
            return depart(tx, leaver(account, new_entity_id(NOBODY)), now=self._clock.now())

    def standing_on(self, identifier: str) -> Departure:
        """What would go along with a user, group, role, issuer or account."""
        with reading(self._engine) as connection:
            return standing_on(connection, leaver(identifier, ""))

    # --- users -------------------------------------------------------------------------------

    def create_user(self, account: str, name: str, *, policy: str = "") -> User:
        """Add a user. `policy` is a policy document; without one it may call nothing."""
        _check_policy(policy)
        user = User(
            account=account,
            name=name,
            id=new_entity_id("AIDA"),
            policy=policy,
            created_at=self._clock.now(),
        )
        self._insert(identity_users, user, f"user `{name}`")
        return user

    def users(self, account: str) -> Sequence[User]:
        """The users of an account, by name."""
        return [_user(row) for row in self._all(identity_users, {"account": account})]

    def user(self, account: str, name: str) -> User:
        """One user."""
        return _user(self._one(identity_users, _at(account, name), f"user `{name}`"))

    def put_user_policy(self, account: str, name: str, policy: str) -> None:
        """Replace what a user may call."""
        _check_policy(policy)
        self._update(identity_users, account, name, f"user `{name}`", policy=policy)

    def delete_user(self, account: str, name: str) -> Departure:
        """Remove a user with its keys, sessions and memberships."""
        place = _at(account, name)
        return self._remove(identity_users, place, arns.user_arn(account, name))

    # --- groups ------------------------------------------------------------------------------

    def create_group(self, account: str, name: str, *, policy: str = "") -> Group:
        """Add a group. What its `policy` allows, each member may call."""
        _check_policy(policy)
        group = Group(
            account=account,
            name=name,
            id=new_entity_id("AGPA"),
            policy=policy,
            created_at=self._clock.now(),
        )
        self._insert(identity_groups, group, f"group `{name}`")
        return group

    def groups(self, account: str) -> Sequence[Group]:
        """The groups of an account, by name."""
        return [_group(row) for row in self._all(identity_groups, {"account": account})]

    def group(self, account: str, name: str) -> Group:
        """One group."""
        return _group(self._one(identity_groups, _at(account, name), f"group `{name}`"))

    def put_group_policy(self, account: str, name: str, policy: str) -> None:
        """Replace what the members of a group may call."""
        _check_policy(policy)
        self._update(identity_groups, account, name, f"group `{name}`", policy=policy)

    def delete_group(self, account: str, name: str) -> Departure:
        """Remove a group; its members stay."""
        place = _at(account, name)
        return self._remove(identity_groups, place, arns.group_arn(account, name))

    def members(self, account: str, group: str) -> Sequence[str]:
        """The names of a group's users."""
        self.group(account, group)
        rows = self._all(identity_members, {"account": account, "group": group}, "user")
        return [row.user for row in rows]

    def groups_of(self, account: str, user: str) -> Sequence[str]:
        """The names of a user's groups."""
        self.user(account, user)
        rows = self._all(identity_members, {"account": account, "user": user}, "group")
        return [row.group for row in rows]

    def add_member(self, account: str, group: str, user: str) -> None:
        """Put a user into a group; nothing happens where it is in there already."""
        place = {"account": account, "group": group, "user": user}
        with changing(self._engine) as tx:
            _require(tx, identity_groups, _at(account, group), f"group `{group}`")
            _require(tx, identity_users, _at(account, user), f"user `{user}`")
            if not _exists(tx, identity_members, place):
                tx.execute(sa.insert(identity_members).values(**place))

    def remove_member(self, account: str, group: str, user: str) -> None:
        """Take a user out of a group."""
        place = {"account": account, "group": group, "user": user}
        with changing(self._engine) as tx:
            _delete(tx, identity_members, place, f"user `{user}` in group `{group}`")

    # --- roles -------------------------------------------------------------------------------

    def create_role(self, role: Role) -> Role:
        """Add a role."""
        _check_policy(role.policy)
        from_trust_document(role.trust)
        kept = replace(role, id=new_entity_id("AROA"), created_at=self._clock.now())
        self._insert(identity_roles, kept, f"role `{role.name}`")
        return kept

    def roles(self, account: str) -> Sequence[Role]:
        """The roles of an account, by name."""
        return [_role(row) for row in self._all(identity_roles, {"account": account})]

    def role(self, account: str, name: str) -> Role:
        """One role."""
        return _role(self._one(identity_roles, _at(account, name), f"role `{name}`"))

    def put_role_policy(self, account: str, name: str, policy: str) -> None:
        """Replace what the sessions of a role may call, those that are open, too."""
        _check_policy(policy)
        self._update(identity_roles, account, name, f"role `{name}`", policy=policy)

    def put_role_trust(self, account: str, name: str, trust: str) -> None:
        """Replace who may become a role. Who is one already stays: revoke the sessions, too."""
        from_trust_document(trust)
        self._update(identity_roles, account, name, f"role `{name}`", trust=trust)

    def delete_role(self, account: str, name: str) -> Departure:
        """Remove a role with its sessions."""
        place = _at(account, name)
        return self._remove(identity_roles, place, arns.role_arn(account, name))

    # --- what all of them share --------------------------------------------------------------

    def _all(self, table: sa.Table, place: dict[str, str], order: str = "name") -> Sequence[Any]:
        with reading(self._engine) as connection:
            return connection.execute(
                sa.select(table).where(_where(table, place)).order_by(table.c[order])
            ).all()

    def _one(self, table: sa.Table, place: dict[str, str], what: str) -> Any:
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(table).where(_where(table, place))).first()
        if row is None:
            raise _not_found(what)
        return row

    def _insert(self, table: sa.Table, entity: User | Group | Role, what: str) -> None:
        with changing(self._engine) as tx:
            place = {"id": entity.account}
            _require(tx, identity_accounts, place, f"account `{entity.account}`")
            # As in IAM: `Ana` beside `ana` would only ever be taken for her.
            twin = tx.scalar(
                sa.select(table.c.name).where(
                    table.c.account == entity.account,
                    sa.func.lower(table.c.name) == entity.name.lower(),
                )
            )
            if twin is not None:
                raise _second(f"{what.split(' ', 1)[0]} `{twin}`")
            begin_afresh(tx, entity.arn, now=entity.created_at)
            tx.execute(sa.insert(table).values(**_values(entity)))

    def _update(self, table: sa.Table, account: str, name: str, what: str, **values: str) -> None:
        with changing(self._engine) as tx:
            done = tx.execute(
                sa.update(table).where(_where(table, _at(account, name))).values(**values)
            )
            if not done.rowcount:
                raise _not_found(what)

    def _remove(self, table: sa.Table, place: dict[str, str], arn: str) -> Departure:
        with changing(self._engine) as tx:
            number = tx.scalar(sa.select(table.c.id).where(_where(table, place)))
            _delete(tx, table, place, f"`{arn}`")
            return depart(tx, leaver(arn, str(number)), now=self._clock.now())


def _at(account: str, name: str) -> dict[str, str]:
    return {"account": account, "name": name}


def _where(table: sa.Table, place: dict[str, str]) -> sa.ColumnElement[bool]:
    return sa.and_(sa.true(), *(table.c[column] == value for column, value in place.items()))


def _exists(tx: sa.Connection, table: sa.Table, place: dict[str, str]) -> bool:
    return tx.execute(sa.select(sa.literal(1)).where(_where(table, place))).first() is not None


def _require(tx: sa.Connection, table: sa.Table, place: dict[str, str], what: str) -> None:
    if not _exists(tx, table, place):
        raise _not_found(what)


def _delete(tx: sa.Connection, table: sa.Table, place: dict[str, str], what: str) -> None:
    if not tx.execute(sa.delete(table).where(_where(table, place))).rowcount:
        raise _not_found(what)


def _refuse_second(tx: sa.Connection, table: sa.Table, place: dict[str, str], what: str) -> None:
    if _exists(tx, table, place):
        raise _second(what)


def _second(what: str) -> Conflict:
    return Conflict(
        f"{what} exists already",
        why="names are given once, whatever their case",
        fix="choose another, or delete that one first",
    )


def _check_policy(policy: str) -> None:
    if policy:
        from_policy_document(policy)


def _values(entity: User | Group | Role) -> dict[str, Any]:
    return {name: getattr(entity, name) for name in entity.__dataclass_fields__}


def _account(row: Any) -> Account:
    return Account(**{**row._asdict(), "units": tuple(msgspec.json.decode(row.units))})


def _user(row: Any) -> User:
    return User(**row._asdict())


def _group(row: Any) -> Group:
    return Group(**row._asdict())


def _role(row: Any) -> Role:
    return Role(**row._asdict())


def _not_found(what: str) -> NotFound:
    return NotFound(
        f"there is no {what}",
        why="it was deleted, or never created",
        fix="see what there is: lakeveil identity --help",
    )
