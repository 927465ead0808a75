"""A real HTTP server around the doors, and real AWS clients for it."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import boto3
import httpx
import uvicorn
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from PIL import Image

from lakeveil.adapters.metrics import Gauge, Labels, Meter
from lakeveil.aws.door import aws_door
from lakeveil.aws.protocol import Access, SecretOf, Service
from lakeveil.aws.rekognition import Look, Read
from lakeveil.aws.rekognition import rekognition as faces
from lakeveil.aws.replay import Replays
from lakeveil.aws.rest_json import rest_paths
from lakeveil.cli.serve import listen, server_config
from lakeveil.core.faces import Detections
from lakeveil.core.identity.principal import Principal
from lakeveil.core.photos import ObjectRef
from lakeveil.errors import NotFound
from lakeveil.pixels.examination import Examination
from lakeveil.pixels.files.limits import inspect
from lakeveil.web.app import App, http_app

KEY, SECRET = "LVTESTKEY0001", "a-secret-of-forty-characters-0123456789x"
FACE: Mapping[str, Any] = {
    "BoundingBox": {"Left": 0.25, "Top": 0.125, "Width": 0.5, "Height": 0.25},
    "Confidence": 99.5,
    "Landmarks": [{"Type": "eyeLeft", "X": 0.3, "Y": 0.2}],
    "Pose": {"Roll": 1.0, "Yaw": -2.0, "Pitch": 3.0},
    "Quality": {"Brightness": 80.0, "Sharpness": 70.0},
}
TARGET = "RekognitionService.DetectFaces"
STOP_WITHIN_S = 5.0
_NUMBERS = itertools.count()


@dataclass(kw_only=True)
class Door:
    """A running server."""

    url: str
    meter: Meter

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def boto3(
        self,
        key: str = KEY,
        secret: str = SECRET,
        region: str = "eu-central-1",
        *,
        service: str = "rekognition",
        token: str | None = None,
        attempts: int = 1,
    ) -> Any:
        """A client as anybody would make it, but for the endpoint, and for trying only once.

        Whoever repeats a change within a second needs more `attempts`, as equal calls have one
        signature then, or a client that is `never_alike`.
        """
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": attempts}),
        )

    def call(
        self,
        body: bytes | Mapping[str, Any],
        *,
        target: str | None = TARGET,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """A correctly signed request with any body."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = signed(self.url, data, target=target, headers=headers)
        return httpx.post(request.url, content=data, headers=dict(request.headers), timeout=30)


@dataclass
class Clock:
    """A clock that tests set."""

    at: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.at


def signed(
    url: str,
    data: bytes,
    *,
    target: str | None = TARGET,
    headers: Mapping[str, str] | None = None,
    key: str = KEY,
    secret: str = SECRET,
    token: str | None = None,
    service: str = "rekognition",
    exact: bool = False,
) -> AWSRequest:
    """A request as botocore signs it; `Host` is spelled out. `exact`: the URL has its path."""
    given = {
        "Host": url.split("/")[2],
        "Content-Type": "application/x-amz-json-1.1",
        **({"X-Amz-Target": target} if target else {}),
        **(headers or {}),
    }
    request = AWSRequest("POST", url if exact else f"{url}/", headers=given, data=data)
    SigV4Auth(Credentials(key, secret, token), service, "us-east-1").add_auth(request)
    return request


def look(data: bytes) -> Examination:
    """One face on whatever is a photo; the real checks of what is one."""
    header = inspect(data)
    return found(FACE, frames=header.frames)


def found(*faces: Mapping[str, Any], frames: int = 1) -> Examination:
    """A completed look at 120 x 90 pixels."""
    none = Detections(width=120, height=90, faces=(), detector="test/default", fingerprint="0")
    details = tuple(dict(face) for face in faces)
    return Examination(
        width=120, height=90, detections=(none,) * frames, face_details=(details,) * frames
    )


def read_nothing(access_key: str, ref: ObjectRef, *, limit_bytes: int) -> bytes:
    """A store without objects."""
    del access_key, limit_bytes
    raise NotFound(f"{ref} does not exist")


def secrets_of(known: Mapping[str, str] | None) -> SecretOf:
    """Long-lived keys alone, by default the one that tests sign with."""
    secrets = {KEY: SECRET} if known is None else known
    return lambda access_key, token: secrets.get(access_key) if token is None else None


def doors(
    *,
    look: Look = look,
    read: Read = read_nothing,
    secrets: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.time,
    meter: Meter | None = None,
    checks: Mapping[str, Callable[[], None]] | None = None,
    check_timeout_s: float = 5.0,
    rekognition: Mapping[str, Any] | None = None,
    services: Sequence[Service] = (),
    secret_of: SecretOf | None = None,
    body_timeout_s: float = 30.0,
    replays: Replays | None = None,
) -> App:
    """The composition of `lakeveil serve`, with parts and services of a test's own."""
    meter = meter or Meter()
    every = (faces(look=look, read=read, **(rekognition or {})), *services)
    aws = aws_door(
        every,
        Access(secret_of=secret_of or secrets_of(secrets), now=clock),
        observe=lambda **call: meter.request(door="aws", **call),
        body_timeout_s=body_timeout_s,
        replays=replays,
    )

    def metrics(ready: Mapping[str, bool]) -> bytes:
        states: dict[Labels, float] = {(("check", n),): float(ok) for n, ok in ready.items()}
        return meter.render([Gauge("lakeveil_ready", "Ready.", states)])

    return http_app(
        allowed_hosts=("127.0.0.1", "localhost", "[::1]"),
        checks=checks or {},
        metrics=metrics,
        aws=aws,
        aws_paths=rest_paths(every),
        observe=meter.request,
        span=lambda _name, _headers: nullcontext(),
        check_timeout_s=check_timeout_s,
    )


@contextmanager
def serving(app: App, meter: Meter | None = None) -> Iterator[Door]:
    """Run an app on a free loopback port."""
    listener = listen("127.0.0.1", 0)
    server = _Prompt(server_config(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield Door(url=f"http://127.0.0.1:{listener.getsockname()[1]}", meter=meter or Meter())
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


class _Prompt(uvicorn.Server):
    """The server, but that it looks more often than ten times a second whether it is to stop.

    What a stop does to those who are being answered is tested on `lakeveil serve`.
    """

    async def main_loop(self) -> None:
        """See uvicorn: its tick of every second keeps the date."""
        for tick in itertools.count():
            if await self.on_tick(tick // 10):
                return
            await asyncio.sleep(0.01)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn: nobody comes any more, and whoever is being answered is waited for."""
        for closing in (*self.servers, *(sockets or ())):
            closing.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        until = time.monotonic() + STOP_WITHIN_S
        while self.server_state.connections or self.server_state.tasks:
            if time.monotonic() > until:
                for task in self.server_state.tasks:
                    task.cancel()
                break
            await asyncio.sleep(0.005)


def never_alike(client: Any) -> Any:
    """Gives each call of a client a signature of its own; returns the client.

    Equal calls within a second have the same one, and the second is throttled, which an unmodified
    client gets over by waiting (see test_wire_replay.py).
    """

    def number(request: AWSRequest, **_: Any) -> None:
        request.headers["X-Test-Number"] = str(next(_NUMBERS))

    client.meta.events.register("before-sign", number)
    return client


def one_each(make: Callable[[Principal], Any]) -> Callable[[Principal], Any]:
    """Makes one client for each principal, as making one takes longer than most calls."""
    made: dict[str, Any] = {}

    def client(who: Principal) -> Any:
        if who.arn not in made:
            made[who.arn] = make(who)
        return made[who.arn]

    return client


def photo(form: str = "JPEG", size: tuple[int, int] = (120, 90)) -> bytes:
    """A small valid photo."""
    out = BytesIO()
    Image.new("RGB", size, (90, 120, 150)).save(out, form)
    return out.getvalue()
