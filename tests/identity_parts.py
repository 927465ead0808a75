"""An identity store for tests: real state, a real audit log, a clock that tests turn."""

from __future__ import annotations

import functools
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from lakeveil.adapters.audit_log import SqlAuditLog, open_audit_log
from lakeveil.adapters.audit_trail import AuditTrail
from lakeveil.adapters.clock import ManualClock
from lakeveil.adapters.credentials import private_directory, write_private
from lakeveil.adapters.identity import IdentityStore, open_identity_store
from lakeveil.core.identity.directory import Account, IssuedKey, Role
from tests.new_database import new_database, opened

ACCOUNT = "123456789012"
OTHER = "210987654321"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a test works with."""

    home: Path
    engine: sa.Engine
    store: IdentityStore
    audit: SqlAuditLog
    clock: ManualClock

    def user(self, name: str, *rights: Mapping[str, Any], account: str = ACCOUNT) -> IssuedKey:
        """A user who may call what `rights` say, and a key."""
        self.store.directory.create_user(account, name, policy=policy(*rights) if rights else "")
        return self.store.keys.create(account, name)

    def role(self, name: str, trusted: str, *rights: Mapping[str, Any], **more: Any) -> Role:
        """A role that `trusted`, a trust policy, says who may become."""
        made = Role(
            account=more.pop("account", ACCOUNT),
            name=name,
            trust=trusted,
            policy=policy(*rights) if rights else "",
            **more,
        )
        return self.store.directory.create_role(made)

    def on_record(self) -> Sequence[tuple[str, str, str]]:
        """Action, outcome and error code of everything on record, oldest first."""
        records = [
            entry.record
            for entry in AuditTrail(self.engine, self.audit.keys).entries()
            if entry.record is not None
        ]
        return [
            (r.event.action, r.event.outcome.value, r.event.error_code)
            for r in sorted(records, key=lambda r: (r.at, r.sequence))
            if not r.event.action.startswith("audit:")
        ]

    def record_text(self) -> str:
        """Everything in the state database and the audit log, as text."""
        return "".join(
            str(row)
            for table in sa.inspect(self.engine).get_table_names()
            for row in self._rows(table)
        )

    def _rows(self, table: str) -> Sequence[Any]:
        with self.engine.connect() as connection:
            return connection.execute(sa.text(f'SELECT * FROM "{table}"')).all()


@contextmanager
def identity_in(home: Path) -> Iterator[Identity]:
    """An installation with two empty accounts."""
    clock = ManualClock(float(int(time.time())))
    private_directory(home)
    write_private(home / "state.db", _empty_state())
    engine = opened(home / "state.db")
    store = open_identity_store(engine, home, clock)
    audit = open_audit_log(engine, home, writer="test", clock=clock)
    yield Identity(home=home, engine=engine, store=store, audit=audit, clock=clock)
    engine.dispose()


@functools.cache
def _empty_state() -> bytes:
    """The state database with the accounts, made once for all tests of a process."""
    with tempfile.TemporaryDirectory() as folder:
        engine = new_database(Path(folder, "state.db"))
        store = open_identity_store(engine, Path(folder), ManualClock())
        for number in (ACCOUNT, OTHER):
            store.directory.create_account(Account(id=number, name=f"account {number}"))
        engine.dispose()
        return Path(folder, "state.db").read_bytes()


def policy(*statements: Mapping[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any = "*", resource: Any = "*") -> Mapping[str, Any]:
    """A statement that allows."""
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def trusting(*arns: str, action: Any = "sts:AssumeRole") -> str:
    """A trust policy for users, roles and accounts."""
    return policy({"Effect": "Allow", "Principal": {"AWS": list(arns)}, "Action": action})


def trusting_issuer(arn: str, **claims: Any) -> str:
    """A trust policy for the bearers of an issuer's tokens with these claims."""
    name = arn.partition("oidc-provider/")[2]
    return policy(
        {
            "Effect": "Allow",
            "Principal": {"Federated": arn},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {f"{name}:{claim}": value for claim, value in claims.items()}
            },
        }
    )
