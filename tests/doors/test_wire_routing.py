"""Which operation a request is for, and which requests are for none."""

from __future__ import annotations

from typing import Any

import boto3
import httpx
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from tests.doors.running import Door
from tests.doors.small_services import Seen
from tests.doors.wire_calls import FORM, VERSION, WEB, post, presigned, refusal

UNKNOWN = "Unknown operation."
OTHERS: list[tuple[str, dict[str, Any], str]] = [
    ("another service's target", {"service": "athena", "target": "AWSGlue.GetTable"}, UNKNOWN),
    ("a target for REST", {"service": "lakeformation", "target": "AWSGlue.GetTable"}, UNKNOWN),
    (
        "a target beside a path",
        {"service": "lakeformation", "path": "/CreateLFTag", "target": "AWSGlue.GetTable"},
        UNKNOWN,
    ),
    ("another service's path", {"service": "glue", "path": "/CreateLFTag"}, UNKNOWN),
    (
        "a path for JSON",
        {"service": "glue", "path": "/CreateLFTag", "target": "AWSGlue.GetTable"},
        UNKNOWN,
    ),
    ("no operation", {"service": "glue"}, UNKNOWN),
    ("a path with more slashes", {"service": "lakeformation", "path": "//CreateLFTag"}, UNKNOWN),
    ("a path nobody knows", {"service": "lakeformation", "path": "/Nothing"}, UNKNOWN),
    (
        "one that is not served",
        {"service": "glue", "target": "AWSGlue.CreateCrawler"},
        "The operation CreateCrawler is not supported by Lakeveil.",
    ),
    (
        "one of REST that is not served",
        {"service": "lakeformation", "path": "/StartTransaction"},
        "The operation StartTransaction is not supported by Lakeveil.",
    ),
]


@pytest.mark.parametrize(("how", "told"), [o[1:] for o in OTHERS], ids=[o[0] for o in OTHERS])
def test_the_operation_must_be_one_of_the_service_that_is_signed_for(
    lake: Door, how: dict[str, Any], told: str
) -> None:
    answer = post(lake, "{}", **how)

    assert refusal(answer) == (400, "UnknownOperationException")
    assert told in answer.text


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (f"Action=GetFederationToken&{VERSION}&Name=ab", "UnknownOperationException"),
        (f"Action=GetTable&{VERSION}", "UnknownOperationException"),
        ("Action=GetCallerIdentity&Version=2010-01-01", "UnknownOperationException"),
        ("Action=GetCallerIdentity", "UnknownOperationException"),
        ("", "UnknownOperationException"),
        (f"Action=GetCallerIdentity&Action=AssumeRole&{VERSION}", "MalformedQueryString"),
        (f"Action=GetCallerIdentity&{VERSION}&a", "MalformedQueryString"),
        (f"Action=GetCallerIdentity&{VERSION}&a=%ff", "MalformedQueryString"),
        (f"Action=GetCallerIdentity&{VERSION}&Else=1", "ValidationError"),
    ],
)
def test_a_form_names_one_action_of_one_version(lake: Door, query: str, code: str) -> None:
    assert refusal(post(lake, query, service="sts", headers=FORM)) == (400, code)


def test_a_form_that_does_not_say_so_is_refused(lake: Door) -> None:
    body = f"Action=GetCallerIdentity&{VERSION}"

    assert refusal(post(lake, body, service="sts")) == (400, "MalformedQueryString")
    answer = post(lake, body, service="sts", path=f"/?{body}", headers=FORM)
    assert refusal(answer) == (400, "MalformedQueryString")


def test_a_presigned_url_says_who_somebody_is(lake: Door) -> None:
    answer = httpx.get(presigned(lake, f"Action=GetCallerIdentity&{VERSION}"))

    assert answer.status_code == 200
    assert "user/ana" in answer.text
    refused = httpx.get(presigned(lake, f"Action=GetCallerIdentity&{VERSION}") + "0")
    assert refusal(refused) == (400, "IncompleteSignature")


def test_a_plus_in_a_signed_query_is_never_a_space(lake: Door, seen: Seen) -> None:
    role = "RoleArn=arn:aws:iam::123456789012:role/a&RoleSessionName=a%2Bb"
    url = presigned(lake, f"Action=AssumeRole&{VERSION}&{role}")

    # For the signature both spellings are the same, so they must be for us.
    assert httpx.get(url.replace("a%2Bb", "a+b")).status_code == 200
    assert seen.params["RoleSessionName"] == "a+b"


def test_who_comes_with_a_web_identity_needs_no_signature(lake: Door, seen: Seen) -> None:
    client = boto3.client(
        "sts",
        endpoint_url=lake.url,
        region_name="us-east-1",
        config=Config(signature_version=UNSIGNED),
    )
    answer = client.assume_role_with_web_identity(
        RoleArn="arn:aws:iam::123456789012:role/bu-a",
        RoleSessionName="ana",
        WebIdentityToken="a.b.c",
    )

    assert answer["Provider"] == "issuer"
    _, caller, params = seen.calls[-1]
    assert (caller.access_key, caller.region) == ("", "")
    assert params["WebIdentityToken"] == "a.b.c"


@pytest.mark.parametrize(
    ("body", "headers", "path"),
    [
        (f"Action=GetCallerIdentity&{VERSION}", FORM, "/"),
        (f"Action=AssumeRole&{VERSION}", FORM, "/"),
        ("Action=AssumeRoleWithWebIdentity", FORM, "/"),
        (WEB, {"Content-Type": "text/plain"}, "/"),
        (WEB, {**FORM, "X-Amz-Target": "AWSGlue.GetTable"}, "/CreateLFTag"),
        (f"{WEB}&Policy={'a' * 70_000}", FORM, "/"),
        ("{}", {"X-Amz-Target": "AWSGlue.GetTable"}, "/"),
        ("{}", {}, "/CreateLFTag"),
        ("", {}, "/"),
    ],
)
def test_nothing_else_is_answered_without_a_signature(
    lake: Door, seen: Seen, body: str, headers: dict[str, str], path: str
) -> None:
    before = len(seen.calls)
    answer = httpx.post(f"{lake.url}{path}", content=body, headers=headers)

    status, code = refusal(answer)
    assert code in {"MissingAuthenticationToken", "MissingAuthenticationTokenException"}
    assert status in {400, 403}
    assert len(seen.calls) == before


def test_what_needs_no_signature_is_checked_like_everything(lake: Door) -> None:
    answer = httpx.post(lake.url, content=WEB.replace("=ana", "=a"), headers=FORM)

    assert refusal(answer) == (400, "ValidationError")
    assert "a.b.c" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/?X-Amz-Signature=0", {}, 400),
        ("PUT", "/healthz", {"Authorization": "AWS4-HMAC-SHA256 nothing"}, 400),
        ("POST", "/CreateLFTag", {}, 403),
        ("POST", "/nothing", {}, 404),
        ("GET", "/CreateLFTag", {}, 404),
        ("GET", "/healthz", {"Authorization": "Bearer a"}, 200),
    ],
)
def test_what_is_signed_or_posted_to_a_services_path_is_aws(
    lake: Door, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    answer = httpx.request(method, f"{lake.url}{path}", headers=headers)

    assert answer.status_code == status
    assert ("x-amzn-requestid" in answer.headers) == (status in {400, 403})
