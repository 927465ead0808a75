"""Single things that an answer could tell by being another one: who there is, where data lies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doors.every_operation.clients import Answer, BuiltLake
from tests.doors.every_operation.lakeformation_rows import a_table, named
from tests.doors.every_operation.names import HOME
from tests.doors.every_operation.rows import Params

NOBODY = f"arn:aws:iam::{HOME}:user/nobody-at-all"


def grants(of: BuiltLake, to: str) -> dict[str, tuple[str, str, Params]]:
    """Every way to name a principal: service, operation, parameters."""
    on = a_table(of.lake.names, of.lake.names.table)
    asked: dict[str, Any] = {"Principal": named(to), "Resource": on, "Permissions": ["SELECT"]}
    masked = {"Principal": to, "Resource": on, "Mask": {"Kind": "NULL"}}
    return {
        "grant": ("lakeformation", "GrantPermissions", asked),
        "batch": ("lakeformation", "BatchGrantPermissions", {"Entries": [{"Id": "1", **asked}]}),
        "settings": (
            "lakeformation",
            "PutDataLakeSettings",
            {"DataLakeSettings": {"DataLakeAdmins": [named(to)]}},
        ),
        "mask": ("lakeveil", "GrantMasked", masked),
    }


def said(answer: Answer, to: str) -> str:
    """Code and texts, whoever was named."""
    return f"{answer.code} {answer.message} {answer.document}".replace(to, "SOMEBODY")


@pytest.mark.parametrize("way", ["grant", "batch", "settings", "mask"])
@pytest.mark.parametrize("who", ["stranger", "analyst", "foreigner"])
def test_who_there_is_is_not_told_to_who_may_not_grant(
    of_words: BuiltLake, way: str, who: str
) -> None:
    answers = set()
    for to in (of_words.lake.names.arn("other"), NOBODY):
        service, operation, params = grants(of_words, to)[way]
        answers.add(said(of_words.client.send(who, service, operation, params), to))

    assert len(answers) == 1


@pytest.mark.parametrize("way", ["grant", "batch", "settings", "mask"])
def test_who_may_grant_is_told_that_nobody_is_there(of_words: BuiltLake, way: str) -> None:
    service, operation, params = grants(of_words, NOBODY)[way]

    answer = of_words.client.send("admin", service, operation, params)

    assert "Invalid principal: `SOMEBODY` is n" in said(answer, NOBODY)


def test_who_sees_a_part_of_a_table_is_not_told_that_a_path_is_its(of_words: BuiltLake) -> None:
    n = of_words.lake.names
    there, absent = f"{n.location_arn}/{n.table}", "arn:aws:s3:::nowhere/at/all"

    def at(who: str, path: str) -> Answer:
        params = {"ResourceArn": path}
        return of_words.client.send(who, "lakeformation", "GetEffectivePermissionsForPath", params)

    for path in (there, n.location_arn, f"arn:aws:s3:::{n.bucket}"):
        assert said(at("analyst", path), path) == said(at("analyst", absent), absent)
    assert at("owner", there).document["Permissions"]
    assert at("engine", there).document["Permissions"]
