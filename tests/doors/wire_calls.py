"""Requests of any sort, correctly signed, and what is read of their answers."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping

import httpx
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.doors.running import KEY, SECRET, Door, signed

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
VERSION = "Version=2011-06-15"
STS = "{https://sts.amazonaws.com/doc/2011-06-15/}"
WEB = (
    f"Action=AssumeRoleWithWebIdentity&{VERSION}"
    "&RoleArn=arn:aws:iam::123456789012:role/bu-a&RoleSessionName=ana&WebIdentityToken=a.b.c"
)


def post(
    door: Door,
    body: str | bytes,
    *,
    service: str,
    path: str = "/",
    target: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """A correctly signed request of any sort."""
    data = body.encode() if isinstance(body, str) else body
    request = signed(
        f"{door.url}{path}", data, target=target, headers=headers, service=service, exact=True
    )
    return httpx.post(request.url, content=data, headers=dict(request.headers), timeout=30)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    if answer.headers["content-type"] == "text/xml":
        code = ET.fromstring(answer.text).find(f"{STS}Error/{STS}Code")
        assert code is not None
        return answer.status_code, code.text or ""
    return answer.status_code, answer.json()["__type"]


def presigned(door: Door, query: str, method: str = "GET") -> str:
    request = AWSRequest(method, f"{door.url}/?{query}", headers={"Host": door.host})
    SigV4QueryAuth(Credentials(KEY, SECRET), "sts", "us-east-1", expires=60).add_auth(request)
    return str(request.prepare().url)
