"""Real clients that send rows: boto3, and the AWS CLI within this process.

Both write down what came over the wire, so that it can be held against the model by somebody else
than the client. The CLI's own `main` parses the arguments, signs, sends and prints; only starting a
process for it, which takes longer than all of that, is left out.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import boto3
import botocore.session
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.model import OperationModel, Shape

from lakeveil.aws.protocol import load_model
from tests.doors.every_operation.rows import Params, Row, resolved
from tests.doors.every_operation.running_lake import REGION, RunningLake

_OWN_DATA = Path(str(importlib.metadata.distribution("awscli").locate_file("awscli/data")))
"""The CLI's own data, which it adds to AWS_DATA_PATH when it is imported."""
ATTEMPTS = 6
"""Equal changes within the second that a signature is for are throttled, and tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """One answer as it came over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a request. `code` is the error's, and empty where there is none."""

    raw: Raw
    document: Mapping[str, Any]
    code: str = ""
    message: str = ""


class Client(Protocol):
    """Sends a request for somebody."""

    lake: RunningLake

    def send(self, who: str, service: str, operation: str, params: Params) -> Answer:
        """The answer, an error being one."""
        ...


@dataclass(kw_only=True)
class Boto3:
    """boto3, with a client for each person and service."""

    lake: RunningLake
    models: Path
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    _raw: list[Raw] = field(default_factory=list)
    _session: boto3.session.Session | None = None

    def send(self, who: str, service: str, operation: str, params: Params) -> Answer:
        """See `Client`."""
        call = getattr(self._client(who, service), xform_name(operation))
        code, message, document = "", "", dict[str, Any]()
        self._raw.clear()
        try:
            document = call(**params)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            message = error.response["Error"]["Message"]
        document.pop("ResponseMetadata", None)
        return Answer(raw=self._raw[-1], document=document, code=code, message=message)

    def _client(self, who: str, service: str) -> Any:
        if self._session is None:
            base = botocore.session.Session()
            base.set_config_variable("data_path", str(self.models))
            base.register("response-received", lambda **seen: self._raw.append(_raw(seen)))
            self._session = boto3.session.Session(botocore_session=base)
        if (who, service) not in self._clients:
            key = self.lake.keys[who]
            self._clients[who, service] = self._session.client(
                service,
                endpoint_url=self.lake.door.url,
                region_name=REGION,
                aws_access_key_id=key.access_key_id,
                aws_secret_access_key=key.secret_access_key,
                config=Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS}),
            )
        return self._clients[who, service]


@dataclass(kw_only=True)
class Cli:
    """The AWS CLI, with a driver for each person."""

    lake: RunningLake
    models: Path
    files: Path
    """For what the CLI reads out of files."""
    _drivers: dict[str, Any] = field(default_factory=dict)
    _raw: list[Raw] = field(default_factory=list)

    def send(self, who: str, service: str, operation: str, params: Params) -> Answer:
        """See `Client`."""
        line = command_line(service, operation, params, self.files)
        out, err = io.StringIO(), io.StringIO()
        driver = self._driver(who)
        self._raw.clear()
        with self._environment(who), _told(out, err):
            code = driver.main([*line, "--endpoint-url", self.lake.door.url])
        assert self._raw, err.getvalue()
        if code:
            name, message = _refusal(err.getvalue())
            return Answer(raw=self._raw[-1], document={}, code=name, message=message)
        return Answer(raw=self._raw[-1], document=json.loads(out.getvalue() or "{}"))

    def environment(self, who: str) -> dict[str, str]:
        """All that the CLI learns from outside."""
        key = self.lake.keys[who]
        return {
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": str(ATTEMPTS),
            "AWS_DATA_PATH": str(self.models),
            "AWS_CONFIG_FILE": str(self.files / "no-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.files / "no-credentials"),
        }

    def _driver(self, who: str) -> Any:
        if who not in self._drivers:
            with self._environment(who):
                # To import it sets AWS_DATA_PATH, which is to be gone again.
                from awscli.clidriver import create_clidriver

                driver = create_clidriver()
                driver.session.get_credentials()
            driver.session.register("response-received", lambda **s: self._raw.append(_raw(s)))
            self._drivers[who] = driver
        return self._drivers[who]

    @contextmanager
    def _environment(self, who: str) -> Iterator[None]:
        before = dict(os.environ)
        for name in [name for name in before if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(self.environment(who))
        os.environ["AWS_DATA_PATH"] += f"{os.pathsep}{_OWN_DATA}"
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


@dataclass(frozen=True, kw_only=True)
class BuiltLake:
    """A lake that rows were sent to, and what they were answered."""

    lake: RunningLake
    client: Boto3
    answers: dict[str, Any]


def command_line(service: str, operation: str, params: Params, files: Path) -> list[str]:
    """The arguments that a person would write for a request."""
    line = [service, xform_name(operation, "-")]
    if service == "rekognition":
        # The CLI has an argument of its own for bytes, which JSON cannot hold.
        path = files / "photo"
        path.write_bytes(params["Image"]["Bytes"])
        return [*line, "--image-bytes", f"fileb://{path}"]
    model = load_model(service).operation_model(operation)
    members: Mapping[str, Shape] = model.input_shape.members if model.input_shape else {}
    for name, value in params.items():
        line += _arguments(xform_name(name, "-"), value, members[name])
    return line


def _arguments(name: str, value: Any, shape: Shape) -> list[str]:
    if shape.type_name == "boolean":
        return [f"--{name}" if value else f"--no-{name}"]
    if shape.type_name == "list" and all(isinstance(item, str) for item in value):
        return [f"--{name}", *value]
    if shape.type_name in {"structure", "map", "list"}:
        return [f"--{name}", json.dumps(value)]
    return [f"--{name}", str(value)]


def send(client: Client, row: Row, answers: dict[str, Any]) -> Answer:
    """Send a row, and keep what it was answered for those that come after."""
    params = resolved(row.params, answers, client.lake.token)
    answer = client.send(row.who, row.service, row.operation, params)
    if not answer.code:
        answers[row.operation] = answer.document
        if row.operation == "StartQueryExecution":
            client.lake.settle()
    return answer


def model_of(row: Row) -> OperationModel:
    """What the service's model says of a row's operation."""
    return load_model(row.service).operation_model(row.operation)


def _raw(seen: Mapping[str, Any]) -> Raw:
    said = seen["response_dict"]
    return Raw(
        status=said["status_code"],
        headers={name.lower(): value for name, value in said["headers"].items()},
        body=said["body"],
    )


@contextmanager
def _told(out: io.StringIO, err: io.StringIO) -> Iterator[None]:
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield


def _refusal(text: str) -> tuple[str, str]:
    """Code and message of `An error occurred (CODE) when calling the X operation: MESSAGE`."""
    said = text.strip().partition("An error occurred (")[2]
    code, _, rest = said.partition(")")
    return code, rest.partition(" operation: ")[2] or rest.partition("): ")[2]
