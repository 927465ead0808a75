"""LF-Tags and saved expressions through boto3."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doors.lakeformation.asking import (
    DATABASE,
    TABLE,
    code,
    columns,
    named,
    pair,
    refusal,
    shown,
)
from tests.doors.lakeformation.conftest import Client
from tests.flows.lakes import ADMIN, ANA, BOB, CARL, HOME, OTHER, THEIR_ADMIN

NO_TAG = ("EntityNotFoundException", "Tag or tag value does not exist.", 400)
SALES = [{"TagKey": "class", "TagValues": ["a"]}]


@pytest.fixture
def admin(client: Client) -> Any:
    """The administrator, who has made a tag."""
    lf = client(ADMIN)
    lf.create_lf_tag(TagKey="Class", TagValues=["B", "a"])
    return lf


def describe(admin: Any, to: str, *values: str) -> None:
    admin.grant_permissions(
        Principal=named(to),
        Resource={"LFTag": {"TagKey": "class", "TagValues": list(values)}},
        Permissions=["DESCRIBE"],
        PermissionsWithGrantOption=["DESCRIBE"],
    )


def test_a_tag_is_made_shown_changed_listed_and_deleted(admin: Any) -> None:
    assert _without_metadata(admin.get_lf_tag(TagKey="CLASS")) == {
        "CatalogId": HOME,
        "TagKey": "class",
        "TagValues": ["a", "b"],
    }
    admin.update_lf_tag(TagKey="class", TagValuesToAdd=["C"], TagValuesToDelete=["a"])
    assert [t["TagValues"] for t in admin.list_lf_tags()["LFTags"]] == [["b", "c"]]
    admin.delete_lf_tag(TagKey="class")
    assert refusal(admin.get_lf_tag, TagKey="class") == NO_TAG


def test_errors_have_the_services_codes(admin: Any, client: Client) -> None:
    ana = client(ANA)

    assert code(admin.create_lf_tag, TagKey="class", TagValues=["x"]) == "InvalidInputException"
    assert code(admin.update_lf_tag, TagKey="class") == "InvalidInputException"
    denied = refusal(ana.create_lf_tag, TagKey="x", TagValues=["x"])
    assert denied[::2] == ("AccessDeniedException", 403)
    for operation in (ana.get_lf_tag, ana.delete_lf_tag):
        assert refusal(operation, TagKey="class") == refusal(operation, TagKey="nothing") == NO_TAG
    assert code(admin.get_lf_tag, TagKey="class", CatalogId="catalog") == "InvalidInputException"
    # 51 values are refused by the model itself, before anything is looked at.
    many = [str(n) for n in range(51)]
    assert code(admin.create_lf_tag, TagKey="y", TagValues=many) == "InvalidInputException"


def test_lists_show_each_caller_its_own_part(admin: Any, client: Client) -> None:
    describe(admin, ANA.arn, "a")
    describe(admin, OTHER, "b")

    def listed(who: Any, **params: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client(who).list_lf_tags(**params)["LFTags"]
        return found

    assert listed(ANA) == [shown("class", "a")]
    assert listed(BOB) == listed(CARL, ResourceShareType="ALL") == listed(THEIR_ADMIN) == []
    for params in ({"ResourceShareType": "FOREIGN"}, {"CatalogId": HOME}):
        assert listed(THEIR_ADMIN, **params) == [shown("class", "b")]


def test_pages_hold_together_and_belong_to_their_question(admin: Any, client: Client) -> None:
    for n in range(4):
        admin.create_lf_tag(TagKey=f"k{n}", TagValues=["x"])

    first = admin.list_lf_tags(MaxResults=2)
    second = admin.list_lf_tags(MaxResults=2, NextToken=first["NextToken"])
    last = admin.list_lf_tags(MaxResults=2, NextToken=second["NextToken"])
    walked = admin.get_paginator("list_lf_tags").paginate(PaginationConfig={"PageSize": 2})

    keys = [t["TagKey"] for page in (first, second, last) for t in page["LFTags"]]
    assert keys == ["class", "k0", "k1", "k2", "k3"]
    assert "NextToken" not in last
    assert [t["TagKey"] for page in walked for t in page["LFTags"]] == keys
    token = first["NextToken"]
    for other, params in (
        (admin.list_lf_tags, {"ResourceShareType": "ALL", "NextToken": token}),
        (admin.list_lf_tags, {"NextToken": token[:-4]}),
        (admin.list_lf_tags, {"NextToken": "eyJ4IjogMX0="}),
        (admin.list_lf_tag_expressions, {"NextToken": token}),
        (client(ANA).list_lf_tags, {"NextToken": token}),
    ):
        assert code(other, **params) == "InvalidInputException"


def test_tags_that_cannot_be_assigned_are_reported(admin: Any) -> None:
    failures = admin.add_lf_tags_to_resource(
        Resource=TABLE, LFTags=[pair("class", "a"), pair("class2", "a")]
    )["Failures"]

    assert failures == [
        {
            "LFTag": shown("class2", "a"),
            "Error": {"ErrorCode": NO_TAG[0], "ErrorMessage": NO_TAG[1]},
        }
    ]


@pytest.mark.parametrize(
    ("resource", "tags"),
    [
        (TABLE, [{"TagKey": "class", "TagValues": ["a", "b"]}]),
        (TABLE, [pair("class", "a"), pair("CLASS", "b")]),
        ({**TABLE, **DATABASE}, [pair("class", "a")]),
        ({}, [pair("class", "a")]),
        ({"Table": {"DatabaseName": "ads", "TableWildcard": {}}}, [pair("class", "a")]),
        ({"DataLocation": {"ResourceArn": "arn:aws:s3:::lake/ads"}}, [pair("class", "a")]),
        ({"RLSPolicy": {"Name": "x"}}, [pair("class", "a")]),
    ],
)
def test_what_cannot_be_tagged_so_is_refused_as_a_whole(
    refusing: Any, resource: dict[str, Any], tags: list[dict[str, Any]]
) -> None:
    given = {"Resource": resource, "LFTags": tags}
    assert code(refusing.add_lf_tags_to_resource, **given) == "InvalidInputException"


def test_a_tag_of_another_account_is_not_there(admin: Any) -> None:
    foreign = [{"CatalogId": OTHER, **pair("class", "a")}]

    assert (
        code(admin.add_lf_tags_to_resource, Resource=TABLE, LFTags=foreign)
        == "EntityNotFoundException"
    )


def test_tags_of_what_is_hidden_are_not_shown(admin: Any, client: Client) -> None:
    del admin
    ana = client(ANA)
    nowhere = {"Table": {"DatabaseName": "ads", "Name": "nowhere"}}

    assert refusal(ana.get_resource_lf_tags, Resource=TABLE) == refusal(
        ana.get_resource_lf_tags, Resource=nowhere
    )
    assert code(ana.get_resource_lf_tags, Resource=DATABASE) == "EntityNotFoundException"
    assert code(client(ADMIN).get_resource_lf_tags, Resource=columns("nowhere")) == (
        "InvalidInputException"
    )
    assert code(client(ADMIN).get_resource_lf_tags, Resource={"Catalog": {}}) == (
        "InvalidInputException"
    )


def test_an_expression_is_saved_shown_changed_listed_and_deleted(admin: Any) -> None:
    admin.create_lf_tag_expression(Name="sales", Description="Ours", Expression=SALES)
    body = [{"TagKey": "class", "TagValues": ["a", "b"]}]

    admin.update_lf_tag_expression(Name="sales", Expression=body)

    expected = {"Name": "sales", "Description": "Ours", "CatalogId": HOME, "Expression": body}
    assert _without_metadata(admin.get_lf_tag_expression(Name="sales")) == expected
    assert admin.list_lf_tag_expressions()["LFTagExpressions"] == [expected]
    admin.delete_lf_tag_expression(Name="sales")
    assert code(admin.get_lf_tag_expression, Name="sales") == "EntityNotFoundException"


def test_expressions_are_refused_with_the_services_codes(admin: Any, client: Client) -> None:
    create = admin.create_lf_tag_expression
    create(Name="sales", Expression=SALES)

    assert code(create, Name="sales", Expression=SALES) == "InvalidInputException"
    assert code(create, Name="e", Expression=[]) == "InvalidInputException"
    assert code(create, Name="e", Expression=[*SALES, *SALES]) == "InvalidInputException"
    nothing = [{"TagKey": "nothing", "TagValues": ["a"]}]
    assert code(create, Name="e", Expression=nothing) == "EntityNotFoundException"
    ana = client(ANA)
    assert code(ana.get_lf_tag_expression, Name="sales") == "EntityNotFoundException"
    assert code(ana.delete_lf_tag_expression, Name="sales") == "EntityNotFoundException"
    assert ana.list_lf_tag_expressions()["LFTagExpressions"] == []


def _without_metadata(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}
