"""Lakes to send every operation to, and clients for everybody in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner

from lakeveil.cli.api import command
from lakeveil.cli.session import Session
from tests.doors.every_operation.clients import Boto3, BuiltLake, send
from tests.doors.every_operation.names import Names
from tests.doors.every_operation.running_lake import found_accounts, running_lake
from tests.doors.every_operation.table import built, looked_at
from tests.oidc_issuer import OidcIssuer, running_issuer
from tests.stack_fixture import Weed


@pytest.fixture(scope="package", autouse=True)
def _no_log() -> Iterator[None]:
    """The server logs to the same standard output as the CLI, which runs within this process."""
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.configure(**before)


@pytest.fixture(scope="package")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two empty accounts, made once."""
    home = tmp_path_factory.mktemp("accounts") / "home"
    found_accounts(home)
    return home


@pytest.fixture(scope="package")
def issuer() -> Iterator[OidcIssuer]:
    """Who issues tokens of web identities."""
    with running_issuer() as issuer:
        yield issuer


@pytest.fixture(scope="package")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for AWS_DATA_PATH, as our own command writes it."""
    place = tmp_path_factory.mktemp("models")
    done = CliRunner().invoke(command, ["model", "--into", str(place)], obj=Session())
    assert done.exit_code == 0, done.output
    return place


@pytest.fixture(scope="package")
def of_words(
    tmp_path_factory: pytest.TempPathFactory,
    accounts: Path,
    weed: Weed,
    issuer: OidcIssuer,
    models: Path,
) -> Iterator[BuiltLake]:
    """A lake in which everything has a name that is nowhere else, built and looked at."""
    names = Names.of_words(1, but=Names(bucket=weed.new_bucket("words")), keep=["bucket"])
    home = tmp_path_factory.mktemp("words") / "home"
    with running_lake(accounts, home, names, weed, issuer) as lake:
        client, answers = Boto3(lake=lake, models=models), dict[str, Any]()
        for row in [*built(names), *looked_at(names)]:
            answer = send(client, row, answers)
            assert answer.code == row.refused, f"{row}: {answer.message}"
        yield BuiltLake(lake=lake, client=client, answers=answers)
