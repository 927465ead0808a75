"""A running STS over an identity store of each test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeveil.adapters.identity.key_ids import DoorKeys
from lakeveil.adapters.oidc import OidcVerifier
from lakeveil.aws.sts import key_lookup, sts
from lakeveil.core.identity.directory import Issuer
from tests.doors.running import doors, serving
from tests.doors.sts.running_sts import Sts
from tests.identity_parts import (
    ACCOUNT,
    identity_in,
)
from tests.oidc_issuer import OidcIssuer, running_issuer


@pytest.fixture(scope="module")
def issuer() -> Iterator[OidcIssuer]:
    with running_issuer() as issuer:
        yield issuer


@pytest.fixture
def lake(tmp_path: Path, issuer: OidcIssuer) -> Iterator[Sts]:
    with identity_in(tmp_path / "home") as identity:
        store = identity.store
        store.issuers.add(Issuer(account=ACCOUNT, name="dev", url=issuer.url, audiences=("lake",)))
        service = sts(
            callers=store.callers,
            roles=store.directory,
            sessions=store.sessions,
            tokens=OidcVerifier(store.issuers, identity.clock),
            mint=DoorKeys(),
            audit=identity.audit,
            clock=identity.clock,
        )
        with serving(doors(services=(service,), secret_of=key_lookup(store.callers))) as door:
            yield Sts(door=door, identity=identity, issuer=issuer)
