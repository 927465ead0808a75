"""Every protocol through one port, as unmodified clients see it: answers and errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lakeveil.aws.protocol import AwsError
from lakeveil.aws.sigv4 import Caller
from tests.doors.running import KEY, SECRET, Door, doors, serving
from tests.doors.small_services import EXPIRES, Seen, every, glue
from tests.doors.wire_calls import FORM, VERSION, post, refusal

TAG = {"TagKey": "class", "TagValues": ["public"]}


def test_glue_is_json(lake: Door, seen: Seen) -> None:
    answer = lake.boto3(service="glue").get_table(DatabaseName="ads", Name="campaigns")

    assert seen.params == {"DatabaseName": "ads", "Name": "campaigns"}
    assert answer["Table"]["StorageDescriptor"] == {
        "Columns": [{"Name": "spend", "Type": "bigint"}]
    }
    assert answer["Table"]["CreateTime"] == datetime.fromtimestamp(EXPIRES, UTC)
    assert "Description" not in answer["Table"]
    assert answer["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "application/x-amz-json-1.1"


def test_lake_formation_is_rest_with_json(lake: Door, seen: Seen) -> None:
    client = lake.boto3(service="lakeformation")
    client.create_lf_tag(**TAG)
    assert (seen.names[-1], seen.params) == ("CreateLFTag", TAG)

    answer = client.get_lf_tag(TagKey="class")
    assert answer["TagValues"] == ["public", "private"]
    assert answer["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "application/json"


def test_sts_is_a_form_answered_by_xml(lake: Door, seen: Seen) -> None:
    client = lake.boto3(service="sts")
    who = client.get_caller_identity()
    assert who["Arn"] == "arn:aws:iam::123456789012:user/ana"
    assert len(who["ResponseMetadata"]["RequestId"]) == 36

    asked = {
        "RoleArn": "arn:aws:iam::123456789012:role/bu-a",
        "RoleSessionName": "ana",
        "DurationSeconds": 900,
        "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/a"}, {"arn": "arn:aws:iam::aws:policy/b"}],
        "Tags": [{"Key": "cost centre", "Value": "ä+=@"}],
    }
    answer = client.assume_role(**asked)
    assert seen.params == asked
    assert answer["Credentials"]["SecretAccessKey"] == "a<b>&c"
    assert answer["Credentials"]["Expiration"] == datetime.fromtimestamp(EXPIRES, UTC)
    assert answer["PackedPolicySize"] == 3


def test_an_operation_learns_who_calls(lake: Door, seen: Seen) -> None:
    answer = lake.boto3(service="sts", region="eu-west-2").get_caller_identity()

    caller = seen.calls[-1][1]
    assert (caller.access_key, caller.session_token, caller.region) == (KEY, None, "eu-west-2")
    assert caller.request_id == answer["ResponseMetadata"]["RequestId"]


def test_a_session_signs_with_its_token_everywhere() -> None:
    seen = Seen()

    def secret_of(key: str, token: str | None) -> str | None:
        return SECRET if (key, token) == (KEY, "its-token") else None

    with serving(doors(services=every(seen), secret_of=secret_of)) as door:
        for service, call in (
            ("sts", "get_caller_identity"),
            ("glue", "get_table"),
            ("lakeformation", "get_lf_tag"),
        ):
            named = {
                "glue": {"DatabaseName": "a", "Name": "b"},
                "lakeformation": {"TagKey": "class"},
            }.get(service, {})
            getattr(door.boto3(service=service, token="its-token"), call)(**named)
            assert seen.calls[-1][1].session_token == "its-token"
            for token in (None, "another"):
                with pytest.raises(ClientError) as refused:
                    getattr(door.boto3(service=service, token=token), call)(**named)
                assert refused.value.response["Error"]["Code"] in {
                    "UnrecognizedClientException",
                    "InvalidClientTokenId",
                }
    assert len(seen.calls) == 3


@pytest.mark.parametrize(
    ("service", "call", "status", "code"),
    [
        ("glue", "get_table", 400, "InvalidSignatureException"),
        ("lakeformation", "get_lf_tag", 403, "InvalidSignatureException"),
        ("sts", "get_caller_identity", 403, "SignatureDoesNotMatch"),
    ],
)
def test_a_wrong_secret_is_told_in_the_services_own_words(
    lake: Door, service: str, call: str, status: int, code: str
) -> None:
    client = lake.boto3(service=service, secret="guessed")
    named = {"get_table": {"DatabaseName": "a", "Name": "b"}, "get_lf_tag": {"TagKey": "class"}}
    with pytest.raises(ClientError) as refused:
        getattr(client, call)(**named.get(call, {}))

    response = refused.value.response
    assert (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]) == (
        status,
        code,
    )


def test_errors_are_the_models_own_exceptions_with_their_members(lake: Door) -> None:
    client = lake.boto3(service="glue")
    with pytest.raises(client.exceptions.EntityNotFoundException) as absent:
        client.get_database(Name="x")
    assert absent.value.response["Error"]["Message"] == "Database `x` not found."
    assert absent.value.response["FromFederationSource"] is False

    client = lake.boto3(service="athena")
    with pytest.raises(client.exceptions.InvalidRequestException) as wrong:
        client.start_query_execution(QueryString="SELEC")
    assert wrong.value.response["AthenaErrorCode"] == "MALFORMED_QUERY"

    client = lake.boto3(service="lakeformation")
    with pytest.raises(client.exceptions.AccessDeniedException) as denied:
        client.delete_lf_tag(TagKey="class")
    assert denied.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403

    client = lake.boto3(service="sts")
    with pytest.raises(client.exceptions.MalformedPolicyDocumentException) as malformed:
        client.get_session_token()
    assert malformed.value.response["Error"]["Code"] == "MalformedPolicyDocument"
    assert malformed.value.response["Error"]["Type"] == "Sender"
    assert malformed.value.response["Error"]["Message"] == "Not a policy: ? <a> & `b`."


def test_a_code_that_no_model_knows_goes_out_as_it_is() -> None:
    error = AwsError("AccessDenied", "Not yours.", status=403)
    seen = Seen()

    def gate(_caller: Caller, _name: str, _params: Mapping[str, Any]) -> None:
        raise error

    with serving(doors(services=every(seen, gate=gate))) as door:
        for service, call in (("sts", "get_caller_identity"), ("athena", "get_work_group")):
            named = {"WorkGroup": "primary"} if service == "athena" else {}
            with pytest.raises(ClientError) as refused:
                getattr(door.boto3(service=service), call)(**named)
            response = refused.value.response
            assert response["Error"]["Code"] == "AccessDenied"
            assert response["Error"]["Message"] == "Not yours."
            assert response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize(
    ("service", "code"),
    [
        ("glue", "InvalidInputException"),
        ("lakeformation", "InvalidInputException"),
        ("sts", "ValidationError"),
    ],
)
def test_input_that_does_not_fit_is_refused_with_the_services_own_code(
    lake: Door, service: str, code: str
) -> None:
    answer = {
        "glue": lambda: post(lake, "{}", service="glue", target="AWSGlue.GetTable"),
        "lakeformation": lambda: post(lake, "{}", service="lakeformation", path="/CreateLFTag"),
        "sts": lambda: post(
            lake, f"Action=AssumeRole&{VERSION}&RoleArn=short", service="sts", headers=FORM
        ),
    }[service]()

    assert refusal(answer) == (400, code)
    assert "invalid parameters" in answer.text


def test_a_fault_of_ours_tells_nothing_of_itself(lake: Door) -> None:
    with pytest.raises(ClientError) as fault:
        lake.boto3(service="glue").delete_database(Name="x")

    assert fault.value.response["Error"]["Code"] == "InternalServiceException"
    assert fault.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert "hunter2" not in str(fault.value.response)


def test_a_result_or_error_that_the_model_does_not_know_is_a_fault() -> None:
    seen = Seen()
    wrong = {
        "GetTable": seen("GetTable", {"Table": {"Name": "a", "Secret": 1}}),
        "GetDatabase": lambda _c, _p: (_ for _ in ()).throw(
            AwsError("EntityNotFoundException", "no", members={"Secret": "hunter2"})
        ),
    }
    with serving(doors(services=[glue(seen, operations=wrong)])) as door:
        for target, body in (
            ("AWSGlue.GetTable", {"DatabaseName": "a", "Name": "b"}),
            ("AWSGlue.GetDatabase", {"Name": "a"}),
        ):
            answer = post(door, json.dumps(body), service="glue", target=target)
            assert refusal(answer) == (500, "InternalServiceException")
            assert "hunter2" not in answer.text
