"""Every operation refused: to keys that are not ours, to who has no right, and when spoilt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lakeveil.core.identity.directory import IssuedKey
from tests.doors.every_operation.clients import Boto3, BuiltLake, model_of
from tests.doors.every_operation.held_against_the_model import misfits
from tests.doors.every_operation.malformed import UNKNOWN, post, ways_to_spoil
from tests.doors.every_operation.names import Names
from tests.doors.every_operation.rows import Row, resolved
from tests.doors.every_operation.table import table

RECORDS = frozenset(
    {"audit_heads", "audit_record_keys", "audit_records", "identity_keys", "query_servers"}
)
"""Beside the lake: that somebody was refused, when a key was last used, and that a server runs."""
UNSIGNED = "sts:AssumeRoleWithWebIdentity"
OPEN_TO_ALL = frozenset({"sts:GetCallerIdentity", "sts:GetSessionToken", UNSIGNED})
"""What no right is needed for, in AWS neither."""


def named(row: Row) -> str:
    """An operation as IAM names it: two services have one of the same name."""
    return f"{row.service}:{row.operation}"


def one_of_each(names: Names) -> list[Row]:
    """A row for each operation, one that succeeds where there is one."""
    rows = sorted(table(names), key=lambda row: bool(row.refused))
    found = {named(row): row for row in reversed(rows)}
    return [found[name] for name in sorted(found)]


OPERATIONS = [named(row) for row in one_of_each(Names())]


@pytest.fixture(scope="module")
def rows(of_words: BuiltLake) -> dict[str, Row]:
    """The rows by operation, with all they need to be told."""
    lake = of_words.lake
    return {
        named(row): replace(row, params=resolved(row.params, of_words.answers, lake.token))
        for row in one_of_each(lake.names)
    }


@pytest.fixture(scope="module")
def with_no_key_of_ours(of_words: BuiltLake) -> Boto3:
    """A client that signs with a key nobody issued."""
    made_up = IssuedKey(access_key_id="LVIAAAAAAAAAAAAAAAAA", secret_access_key="x" * 40)
    lake = replace(of_words.lake, keys={"nobody": made_up})
    return Boto3(lake=lake, models=of_words.client.models)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_key_that_is_not_ours_opens_nothing(
    of_words: BuiltLake, with_no_key_of_ours: Boto3, rows: dict[str, Row], operation: str
) -> None:
    row, lake = rows[operation], of_words.lake
    before = lake.state(without=RECORDS)

    if operation == UNSIGNED:
        # It takes no key, but a token, and that is spoilt.
        token = row.params["WebIdentityToken"]
        row = replace(row, params={**row.params, "WebIdentityToken": f"{token[:-8]}AAAAAAAA"})
    answer = with_no_key_of_ours.send("nobody", row.service, row.operation, row.params)

    expected = "InvalidClientTokenId" if row.service == "sts" else "UnrecognizedClientException"
    assert answer.code == ("InvalidIdentityToken" if operation == UNSIGNED else expected)
    assert misfits(answer, model_of(row)) == []
    assert lake.state(without=RECORDS) == before


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name not in OPEN_TO_ALL])
def test_who_has_no_rights_is_denied_everything(
    of_words: BuiltLake, rows: dict[str, Row], operation: str
) -> None:
    row, lake = rows[operation], of_words.lake
    before = lake.state(without=RECORDS)

    answer = of_words.client.send("powerless", row.service, row.operation, row.params)

    denied = "AccessDenied" if row.service == "sts" else "AccessDeniedException"
    assert answer.code == denied
    assert operation in answer.message
    assert lake.names.arn("powerless") in answer.message
    assert misfits(answer, model_of(row)) == []
    assert lake.state(without=RECORDS) == before


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_does_not_fit_the_model_is_refused_and_changes_nothing(
    of_words: BuiltLake, rows: dict[str, Row], operation: str
) -> None:
    row, lake = rows[operation], of_words.lake
    model, before = model_of(row), lake.state(without=RECORDS)
    service = next(s for s in lake.services if s.signing_name == row.service)

    for what, spoil in ways_to_spoil(model):
        answer = post(lake.door.url, lake.keys[row.who], model, row.params, spoil)

        assert answer.status_code == 400, what
        assert answer.headers["x-amzn-errortype"] == service.invalid_input_code, what
        named = UNKNOWN if what.startswith("with an") else what.removeprefix("without ")
        assert f"`{named}`" in answer.text, what
    assert lake.state(without=RECORDS) == before
