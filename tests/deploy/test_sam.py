"""The AWS SAM command line accepts the template and builds the zip, which runs by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.cloudformation import load

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/aws"
SAM = ROOT / ".venv-aws/bin/sam"
LIMIT_MIB = 250

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not SAM.exists(),
        reason="no .venv-aws: make it from requirements/aws.txt to run the AWS SAM command line",
    ),
]


def _make(folder: Path, target: str) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory", target, f"ROOT={ROOT}"],
        cwd=folder,
        env={**os.environ, "SAM_CLI_TELEMETRY": "0", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of deploy/aws, so that nothing is built in the tree."""
    copy = tmp_path_factory.mktemp("sam") / "aws"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("build", ".aws-sam"))
    return copy


def test_sam_validates_the_template(folder: Path) -> None:
    assert "is a valid SAM Template" in _make(folder, "validate")


@pytest.mark.timeout(900)
def test_sam_builds_a_zip_within_the_limit_of_lambda(folder: Path) -> None:
    _make(folder, "zip")

    built = folder / ".aws-sam/build/RedactFunction"
    size = sum(f.stat().st_size for f in built.rglob("*") if f.is_file())
    assert size < LIMIT_MIB * 2**20
    assert (built / "lakeveil/aws_lambda.py").exists()
    assert len(list((built / "models").glob("*.onnx"))) == 2
    function = load(folder / ".aws-sam/build/template.yaml")["Resources"]["RedactFunction"]
    assert function["Properties"]["Handler"] == "lakeveil.aws_lambda.handler"
    assert function["Properties"]["Runtime"] == "python3.13"
    assert "PackageType" not in function["Properties"]
    cfn_lint = [Path(sys.executable).with_name("cfn-lint"), folder / "build/template.yaml"]
    linted = subprocess.run(cfn_lint, capture_output=True, text=True, check=False)
    assert (linted.stdout, linted.returncode) == ("", 0)
