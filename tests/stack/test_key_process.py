"""`lakeveil run keys`: the store follows the records within about a second, whoever writes them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from lakeveil.adapters.child import Child
from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.credentials import S3Key, ensure_credentials
from lakeveil.adapters.database import open_database
from lakeveil.adapters.identity import IdentityStore, open_identity_store
from lakeveil.adapters.seaweedfs import s3_client
from lakeveil.core.identity.directory import Account
from tests.adapters.store_keys_bench import REFUSALS
from tests.identity_parts import ACCOUNT, allow, policy
from tests.stack.installation import Installation, new_installation, running
from tests.stack.unit_lake import eventually

RESULTS, OWN = "lake-results", "bu-a/x.csv"
LAKEVEIL = (sys.executable, "-m", "lakeveil")
AT_ONCE_S = 3.0
"""A second is what it takes; a machine with other work gets more."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A store and who keeps it in step, each as `lakeveil up` runs it."""

    installation: Installation
    children: dict[str, Child]
    identity: IdentityStore

    def user(self, name: str) -> S3Key:
        """A user with the folder of BU-A and a key."""
        own = policy(allow("s3:GetObject", f"arn:aws:s3:::{RESULTS}/bu-a/*"))
        self.identity.directory.create_user(ACCOUNT, name, policy=own)
        key = self.identity.keys.create(ACCOUNT, name)
        return S3Key(key.access_key_id, key.secret_access_key)

    def reads(self, key: S3Key) -> bool | None:
        """Whether the store lets the key read; None while it cannot say."""
        s3 = s3_client(self.installation.settings.ports.s3, key, timeout_s=5.0)
        try:
            s3.get_object(Bucket=RESULTS, Key=OWN)["Body"].read()
        except ClientError as error:
            # One that was killed answers before it finds the bytes again.
            return False if error.response["Error"]["Code"] in REFUSALS else None
        except BotoCoreError:
            return None
        return True

    def lakeveil(self, *arguments: str) -> Any:
        """What somebody does in a terminal."""
        done = subprocess.run(
            [*LAKEVEIL, "--config", str(self.installation.config), *arguments, "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def log(self) -> str:
        return (self.installation.home / "logs" / "keys.log").read_text()

    def kill(self, name: str) -> None:
        process = self.children[name].process
        assert process
        process.kill()
        process.wait()

    def start(self, name: str) -> None:
        self.children[name].start()
        self.children[name].wait_ready()


@contextmanager
def store_and_keys() -> Iterator[Running]:
    with new_installation() as installation:
        settings = installation.settings
        with running(installation, "weed", "keys") as children:
            engine = open_database(settings.database_url)
            identity = open_identity_store(engine, installation.home, SystemClock())
            identity.directory.create_account(Account(id=ACCOUNT, name="example"))
            installation.s3("service").put_object(Bucket=RESULTS, Key=OWN, Body=b"rows")
            yield Running(installation=installation, children=children, identity=identity)
            engine.dispose()


@pytest.fixture(scope="module")
def lake() -> Iterator[Running]:
    with store_and_keys() as one:
        yield one


def test_a_key_made_in_a_terminal_opens_its_folder_and_closes_when_it_is_disabled(
    lake: Running,
) -> None:
    lake.user("ana")
    made = lake.lakeveil("identity", "key", "create", "ana", "--account", ACCOUNT)
    key = S3Key(made["access_key_id"], made["secret_access_key"])
    eventually(lambda: lake.reads(key), seconds=AT_ONCE_S)
    lake.lakeveil("identity", "key", "disable", key.access_key_id)
    eventually(lambda: lake.reads(key) is False, seconds=AT_ONCE_S)
    assert key.secret_access_key not in lake.log()


def test_a_key_that_was_revoked_while_nobody_followed_is_closed_at_the_next_start(
    lake: Running,
) -> None:
    key = lake.user("bob")
    eventually(lambda: lake.reads(key), seconds=AT_ONCE_S)
    lake.kill("keys")
    lake.identity.keys.set_active(key.access_key_id, active=False)
    assert lake.reads(key)
    lake.start("keys")
    assert lake.reads(key) is False


def test_a_store_that_was_killed_is_in_step_again_once_it_is_back(lake: Running) -> None:
    kept, revoked = lake.user("dan"), lake.user("eve")
    for key in (kept, revoked):
        eventually(partial(lake.reads, key), seconds=AT_ONCE_S)
    # Let its look come to an end: one that a kill cuts short takes ten seconds to fail.
    time.sleep(1.5)
    lake.kill("weed")
    lake.identity.keys.delete(revoked.access_key_id)
    eventually(lambda: "not in step" in lake.log(), seconds=20)
    lake.start("weed")
    eventually(lambda: lake.reads(revoked) is False, seconds=20)
    eventually(lambda: lake.reads(kept), seconds=20)
    secrets = [kept.secret_access_key, revoked.secret_access_key]
    secrets += ensure_credentials(lake.installation.home).secrets()
    assert not [secret for secret in secrets if secret in lake.log()]
