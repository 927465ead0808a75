"""The query protocol: what botocore flattens comes back whole, and it reads what we write."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.aws.protocol import AwsError, Service
from lakeveil.aws.query_xml import FORM, MAX_FIELDS, QueryXml
from lakeveil.aws.shapes import Misfit
from lakeveil.aws.sigv4 import SignedRequest

MODEL = ServiceModel(
    {
        "metadata": {
            "protocol": "query",
            "protocols": ["query"],
            "apiVersion": "2020-01-01",
            "signingName": "test",
            "endpointPrefix": "test",
            "serviceId": "test",
            "xmlNamespace": "https://test.example/",
        },
        "operations": {
            "Echo": {
                "name": "Echo",
                "http": {"method": "POST", "requestUri": "/"},
                "input": {"shape": "All"},
                "output": {"shape": "All", "resultWrapper": "EchoResult"},
            }
        },
        "shapes": {
            "All": {
                "type": "structure",
                "members": {
                    "Text": {"shape": "Text"},
                    "Count": {"shape": "Count"},
                    "Share": {"shape": "Share"},
                    "Whether": {"shape": "Whether"},
                    "Data": {"shape": "Data"},
                    "When": {"shape": "When"},
                    "Names": {"shape": "Names"},
                    "Tags": {"shape": "Tags"},
                    "Inner": {"shape": "All"},
                    "All": {"shape": "Alls"},
                },
            },
            "Text": {"type": "string"},
            "Count": {"type": "long"},
            "Share": {"type": "double"},
            "Whether": {"type": "boolean"},
            "Data": {"type": "blob"},
            "When": {"type": "timestamp"},
            "Names": {"type": "list", "member": {"shape": "Text"}},
            "Alls": {"type": "list", "member": {"shape": "All"}},
            "Tags": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Count"}},
        },
    },
    "test",
)
WIRE = QueryXml(Service(model=MODEL, operations={"Echo": lambda _caller, params: params}))
SERIALIZER = create_serializer("query", include_validation=False)
PARSER = create_parser("query")

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))
SCALARS = {
    "Count": st.integers(-(2**63), 2**63 - 1),
    "Share": st.floats(allow_nan=False, allow_infinity=False),
    "Whether": st.booleans(),
    "Data": st.binary(),
    "When": st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - made aware below
        lambda t: t.replace(microsecond=0, tzinfo=UTC)
    ),
    "Names": st.lists(TEXT, max_size=12),
    "Tags": st.dictionaries(TEXT, st.integers(0, 9), min_size=1, max_size=3),
}
VALUES = st.recursive(
    st.fixed_dictionaries({"Text": TEXT}, optional=SCALARS),
    lambda inner: st.fixed_dictionaries(
        {"Text": TEXT}, optional={"Inner": inner, "All": st.lists(inner, max_size=3)}
    ),
    max_leaves=4,
)


ASKED = SignedRequest(
    method="POST",
    path="/",
    query="",
    headers=[("content-type", f"{FORM}; charset=utf-8")],
    body_sha256="",
)


def params_of(body: str) -> dict[str, Any]:
    assert WIRE.operation(ASKED, body.encode()) == "Echo"
    return WIRE.params("Echo", ASKED, body.encode())


@given(VALUES)
def test_what_botocore_flattens_comes_back_whole(value: dict[str, Any]) -> None:
    sent = SERIALIZER.serialize_to_request(value, MODEL.operation_model("Echo"))

    assert params_of(urlencode(sent["body"])) == value


@given(VALUES)
def test_botocore_reads_what_is_answered(value: dict[str, Any]) -> None:
    answer = WIRE.answer("Echo", value, "the-id")
    read = PARSER.parse(
        {"status_code": answer.status, "headers": {}, "body": answer.body},
        MODEL.operation_model("Echo").output_shape,
    )

    assert read.pop("ResponseMetadata")["RequestId"] == "the-id"
    assert read == value


@given(st.text(min_size=1), st.text("abCDe.Exception", min_size=1))
def test_botocore_reads_every_error(message: str, code: str) -> None:
    answer = WIRE.refusal(AwsError(code, message), "the-id")
    read = PARSER.parse({"status_code": answer.status, "headers": {}, "body": answer.body}, None)

    assert read["Error"]["Code"] == code
    assert len(read["Error"]["Message"]) == len(message)
    assert read["ResponseMetadata"]["RequestId"] == "the-id"


ACTION = "Action=Echo&Version=2020-01-01"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ("Count=1.5", "`Count` must be a whole number."),
        ("Count=9223372036854775808", "`Count` must be at most 9223372036854775807."),
        ("Count=\u0661", "`Count` must be a whole number."),
        ("Share=nan", "`Share` must be a number."),
        ("Share=1e999", "`Share` must be a finite number."),
        ("Whether=True", "`Whether` must be true or false."),
        ("Data=%25", "`Data` is not valid base64."),
        ("When=soon", "`When` must be a time."),
        ("Else=1", "The request has no member `Else`."),
        ("Inner.Else=1", "`Inner` has no member `Else`."),
        ("Inner=1", "`Inner` must be an object."),
        ("Text.a=1", "`Text` must be a string."),
        ("Inner.Text=a&Inner=1", "`Inner` contradicts another parameter."),
        ("Inner=1&Inner.Text=a", "`Inner.Text` contradicts another parameter."),
        ("Names.member.1.Text=a", "`Names[0]` must be a string."),
        ("Names.member.2=a", "A list must be given as `member.1`, `member.2` and so on."),
        ("Names.member.01=a", "A list must be given as `member.1`, `member.2` and so on."),
        ("Names.member.0=a", "A list must be given as `member.1`, `member.2` and so on."),
        ("Names.member=a", "A list must be given as `member.1`, `member.2` and so on."),
        ("Names.1=a", "A list must be given as `member.1`, `member.2` and so on."),
        ("Names=a", "A list must be given as `member.1`, `member.2` and so on."),
        ("Names.member.1=a&Names.x=1", "A list must be given as `member.1`, `member.2` and so on."),
        ("Tags.entry.1.key=a", "Tags must have a key and a value for each entry."),
        (
            "Tags.entry.1.key=a&Tags.entry.1.value=1&Tags.entry.2.key=a&Tags.entry.2.value=2",
            "Tags must have each key once.",
        ),
        (
            "Tags.entry.1.key.b=a&Tags.entry.1.value=1",
            "Tags must have a key and a value for each entry.",
        ),
    ],
)
def test_what_is_wrong_is_named(fields: str, told: str) -> None:
    with pytest.raises(Misfit) as misfit:
        params_of(f"{ACTION}&{quote(fields, safe='=&%.')}")

    assert str(misfit.value) == told


def test_depth_is_bounded() -> None:
    with pytest.raises(Misfit, match="nested too deeply"):
        params_of(f"{ACTION}&{'Inner.' * 40}Text=a")
    with pytest.raises(Misfit, match="nested too deeply"):
        params_of(f"{ACTION}&{'Inner.' * 5000}Text=a")


def test_the_number_of_parameters_is_bounded() -> None:
    many = "&".join(f"Names.member.{i}=a" for i in range(1, MAX_FIELDS + 1))
    body = f"{ACTION}&{many}".encode()
    with pytest.raises(AwsError) as refused:
        WIRE.operation(ASKED, body)

    assert refused.value.code == "MalformedQueryString"


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_whatever_is_sent_is_read_or_refused_and_nothing_worse_happens(text: str) -> None:
    body = f"{ACTION}&{text}".encode("latin-1")
    try:
        WIRE.params("Echo", ASKED, body)
    except (AwsError, Misfit):
        return


def test_an_answer_that_xml_cannot_hold_is_a_fault() -> None:
    with pytest.raises(Misfit):
        WIRE.answer("Echo", {"Text": "a\x00b"}, "the-id")


def test_line_ends_come_through_xml_unchanged() -> None:
    answer = WIRE.answer("Echo", {"Text": "a\r\nb\rc"}, "the-id")
    read = PARSER.parse(
        {"status_code": 200, "headers": {}, "body": answer.body},
        MODEL.operation_model("Echo").output_shape,
    )

    assert read["Text"] == "a\r\nb\rc"
