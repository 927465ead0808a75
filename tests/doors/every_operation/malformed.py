"""Requests that no client sends: rows on the wire, with something taken out or put in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.model import OperationModel
from botocore.serialize import create_serializer

from lakeveil.core.identity.directory import IssuedKey
from tests.doors.every_operation.running_lake import REGION

UNKNOWN = "Surprise"

Spoilt = Callable[[dict[str, Any]], None]
"""Does something to the members that are sent, which are texts in a form and JSON else."""


def ways_to_spoil(model: OperationModel) -> Iterator[tuple[str, Spoilt]]:
    """Each required member missing, and one that nobody knows."""
    shape = model.input_shape
    for name in shape.required_members if shape is not None else ():
        yield f"without {name}", lambda sent, name=name: _drop(sent, name)  # type: ignore[misc]
    yield "with an unknown member", lambda sent: sent.update({UNKNOWN: "x"})


def post(
    url: str, key: IssuedKey, model: OperationModel, params: Mapping[str, Any], spoil: Spoilt
) -> httpx.Response:
    """Send a request, spoilt and then signed."""
    sent = create_serializer(model.metadata["protocol"], include_validation=False)
    request = sent.serialize_to_request(dict(params), model)
    body, headers = request["body"], {"Host": url.split("/")[2], **request["headers"]}
    if model.metadata["protocol"] == "query":
        form = dict(body)
        spoil(form)
        data = urlencode(form).encode()
        headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
    else:
        members = json.loads(body or "{}")
        spoil(members)
        data = json.dumps(members).encode()
    signed = AWSRequest("POST", url + request["url_path"], headers=headers, data=data)
    if model.auth_type != "none":
        credentials = Credentials(key.access_key_id, key.secret_access_key)
        SigV4Auth(credentials, model.service_model.signing_name, REGION).add_auth(signed)
    return httpx.post(signed.url, content=data, headers=dict(signed.headers), timeout=30)


def _drop(sent: dict[str, Any], name: str) -> None:
    there = [one for one in sent if one == name or one.startswith(f"{name}.")]
    assert there, f"{name} is not sent at all"
    for one in there:
        del sent[one]
