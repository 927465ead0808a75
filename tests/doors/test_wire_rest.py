"""REST with JSON beyond what Lake Formation needs: labels, queries and headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.awsrequest import AWSRequest
from botocore.model import ServiceModel
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.aws.protocol import AwsError, Service
from lakeveil.aws.rest_json import RestJson, rest_paths
from lakeveil.aws.shapes import Misfit
from lakeveil.aws.sigv4 import Caller, SignedRequest

MODEL = ServiceModel(
    {
        "metadata": {
            "protocol": "rest-json",
            "protocols": ["rest-json"],
            "apiVersion": "2020-01-01",
            "signingName": "test",
            "endpointPrefix": "test",
            "serviceId": "test",
        },
        "operations": {
            "PutThing": {
                "name": "PutThing",
                "http": {"method": "PUT", "requestUri": "/things/{Name}", "responseCode": 201},
                "input": {"shape": "Thing"},
            },
            "List": {"name": "List", "http": {"method": "POST", "requestUri": "/List"}},
        },
        "shapes": {
            "Thing": {
                "type": "structure",
                "required": ["Name"],
                "members": {
                    "Name": {"shape": "Text", "location": "uri", "locationName": "Name"},
                    "Size": {"shape": "Size", "location": "querystring", "locationName": "size"},
                    "Dry": {"shape": "Dry", "location": "querystring", "locationName": "dry"},
                    "Note": {"shape": "Text", "location": "header", "locationName": "X-Note"},
                    "Body": {"shape": "Text"},
                },
            },
            "Text": {"type": "string", "min": 1},
            "Size": {"type": "integer"},
            "Dry": {"type": "boolean"},
        },
    },
    "test",
)


def nothing(_caller: Caller, _params: Mapping[str, Any]) -> Mapping[str, Any]:
    return {}


SERVICE = Service(model=MODEL, operations={"PutThing": nothing, "List": nothing})
WIRE = RestJson(SERVICE)
SERIALIZER = create_serializer("rest-json", include_validation=False)


def asked(path: str, query: str = "", **headers: str) -> SignedRequest:
    return SignedRequest(
        method="PUT", path=path, query=query, headers=list(headers.items()), body_sha256=""
    )


@given(
    st.fixed_dictionaries(
        {"Name": st.text(st.characters(exclude_categories=["Cs"]), min_size=1)},
        optional={
            "Size": st.integers(-(2**31), 2**31 - 1),
            "Dry": st.booleans(),
            "Note": st.text("abc -", min_size=1).filter(lambda t: t == t.strip()),
            "Body": st.text(min_size=1, max_size=9),
        },
    )
)
def test_what_botocore_spreads_over_a_request_comes_back_together(value: dict[str, Any]) -> None:
    sent = SERIALIZER.serialize_to_request(value, MODEL.operation_model("PutThing"))
    url = AWSRequest("PUT", f"http://a{sent['url_path']}").prepare().url
    request = SignedRequest(
        method=sent["method"],
        path=url.removeprefix("http://a").partition("?")[0],
        query=urlencode(sent["query_string"]),
        headers=[(n.lower(), v) for n, v in sent["headers"].items()],
        body_sha256="",
    )
    if value["Name"] in {".", ".."}:
        with pytest.raises(AwsError):
            WIRE.operation(request, sent["body"])
        return

    assert WIRE.operation(request, sent["body"]) == "PutThing"
    assert WIRE.params("PutThing", request, sent["body"]) == value


@pytest.mark.parametrize(
    "path", ["/things/", "/things/a/b", "/things//a", "/things/..", "/thing/a"]
)
def test_a_path_that_is_none_of_the_models_is_unknown(path: str) -> None:
    with pytest.raises(AwsError) as refused:
        WIRE.operation(asked(path), b"")

    assert refused.value.code == "UnknownOperationException"


@pytest.mark.parametrize(
    ("request_", "body", "told"),
    [
        (asked("/things/a", "size=x"), b"", "`Size` must be a whole number."),
        (asked("/things/a", "size=1&size=2"), b"", "The query's `size` must be given once."),
        (asked("/things/a", "other=1"), b"", "The query has no member `other`."),
        (asked("/things/a"), b'{"Name": "b"}', "The request's body must be an object"),
        (asked("/things/a"), b'["a"]', "The request's body must be an object"),
        (asked("/things/a"), b'{"Else": 1}', "The request has no member `Else`."),
    ],
)
def test_what_is_wrong_is_named(request_: SignedRequest, body: bytes, told: str) -> None:
    with pytest.raises(Misfit, match=told):
        WIRE.params("PutThing", request_, body)


@pytest.mark.parametrize("body", [b'{"Body": "a", "Body": "b"}', b'{"Body": NaN}', b"{", b"\xff"])
def test_a_body_that_can_be_read_in_two_ways_or_none_is_refused(body: bytes) -> None:
    with pytest.raises(AwsError) as refused:
        WIRE.params("PutThing", asked("/things/a"), body)

    assert refused.value.code == "SerializationException"


def test_the_status_is_the_models() -> None:
    assert WIRE.answer("PutThing", {}, "id").status == 201


def test_paths_without_labels_are_known_beforehand() -> None:
    assert rest_paths([SERVICE]) == {"/List"}
