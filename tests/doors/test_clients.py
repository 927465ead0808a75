"""Unmodified clients other than boto3: the AWS CLI and the JavaScript SDK."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.doors.running import FACE, KEY, SECRET, Door, photo

SDK = "@aws-sdk/client-rekognition"


def environment(home: Path, **more: str) -> dict[str, str]:
    """As on a machine that has never heard of AWS, but for the keys."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        **more,
    }


def aws(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("aws")
    return subprocess.run(
        [str(program), *arguments],
        env=environment(home, **more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_aws_cli_detects_faces_in_a_local_file(door: Door, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(photo())

    done = aws(
        tmp_path,
        *("rekognition", "detect-faces", "--endpoint-url", door.url),
        *("--image-bytes", f"fileb://{path}", "--attributes", "ALL"),
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"FaceDetails": [FACE]}


def test_the_aws_cli_needs_no_flag_when_the_environment_names_the_endpoint(
    door: Door, tmp_path: Path
) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(photo())

    done = aws(
        tmp_path,
        *("rekognition", "detect-faces", "--image-bytes", f"fileb://{path}"),
        AWS_ENDPOINT_URL_REKOGNITION=door.url,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["FaceDetails"] == [FACE]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, "InvalidS3ObjectException"),
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "InvalidSignatureException"),
        ({"AWS_SESSION_TOKEN": "token"}, "UnrecognizedClientException"),
    ],
)
def test_the_aws_cli_shows_the_services_error(
    door: Door, tmp_path: Path, more: Mapping[str, str], code: str
) -> None:
    done = aws(
        tmp_path,
        *("rekognition", "detect-faces", "--endpoint-url", door.url),
        *("--image", '{"S3Object":{"Bucket":"photos","Name":"a"}}'),
        **more,
    )

    assert done.returncode != 0
    assert f"({code}) when calling the DetectFaces operation" in done.stderr


JAVASCRIPT = """\
import { readFileSync } from "node:fs";
import { RekognitionClient, DetectFacesCommand } from "@aws-sdk/client-rekognition";

const client = new RekognitionClient({ endpoint: process.argv[2], maxAttempts: 1 });
const photo = readFileSync(process.argv[3]);
const answers = {};
const call = async (name, input) => {
  try {
    const { $metadata, ...answer } = await client.send(new DetectFacesCommand(input));
    answers[name] = { status: $metadata.httpStatusCode, id: $metadata.requestId, ...answer };
  } catch (error) {
    answers[name] = { status: error.$metadata?.httpStatusCode, error: error.name,
                      message: error.message };
  }
};
await call("bytes", { Image: { Bytes: photo }, Attributes: ["ALL"] });
await call("no photo", { Image: { Bytes: Buffer.from("text") } });
await call("large", { Image: { Bytes: Buffer.alloc(5 * 1024 * 1024 + 1) } });
await call("absent", { Image: { S3Object: { Bucket: "photos", Name: "a b+c.jpg" } } });
console.log(JSON.stringify(answers));
"""


@pytest.fixture(scope="module")
def node_project() -> Iterator[Path]:
    """A directory in which the JavaScript SDK is installed."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Node.js is not installed")
    with tempfile.TemporaryDirectory(prefix="lakeveil-node-") as path:
        command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", SDK]
        try:
            done = subprocess.run(
                command, cwd=path, capture_output=True, text=True, timeout=180, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm did not install {SDK} within three minutes")
        if done.returncode != 0:
            pytest.skip(f"npm cannot install {SDK}: {done.stderr.strip()[-200:]}")
        yield Path(path)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_javascript_sdk_works_by_changing_the_endpoint(door: Door, node_project: Path) -> None:
    (node_project / "detect.mjs").write_text(JAVASCRIPT)
    (node_project / "photo.jpg").write_bytes(photo())
    done = subprocess.run(
        ["node", "detect.mjs", door.url, "photo.jpg"],
        cwd=node_project,
        env=environment(node_project, AWS_REGION="eu-west-1"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert answers["bytes"]["status"] == 200
    assert answers["bytes"]["FaceDetails"] == [FACE]
    assert len(answers["bytes"]["id"]) == 36
    assert (answers["no photo"]["status"], answers["no photo"]["error"]) == (
        400,
        "InvalidImageFormatException",
    )
    assert answers["large"]["error"] == "ImageTooLargeException"
    assert answers["absent"]["error"] == "InvalidS3ObjectException"
    assert answers["absent"]["message"].startswith("Unable to get object metadata from S3.")
