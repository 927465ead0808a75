"""No port of the store or the queue serves, changes or deletes anything without credentials.

As installed, SeaweedFS's filer and master list, serve and delete objects for whoever asks them.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import ssl
import stat
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from socket import AF_UNIX, create_connection, socket
from typing import Any

import pytest

from lakeveil.adapters.certificates import ensure_certificates
from lakeveil.adapters.filer_events import follow
from lakeveil.adapters.nats_server import program
from lakeveil.adapters.seaweedfs import client_environment
from lakeveil.errors import Unavailable
from tests.stack.listening import tcp_listeners, unix_listeners
from tests.stack_fixture import Nats, Weed

MARK = b"the original, faces and all. "
KEY = "back-doors/secret.jpg"
H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)


@dataclass(frozen=True)
class Original:
    """An original in the store, and the id of the volume needle that holds its bytes."""

    fid: str

    def paths(self) -> list[tuple[str, str]]:
        """Everything with which SeaweedFS's parts read, list, change or delete."""
        volume = self.fid.split(",", 1)[0]
        return [
            ("GET", f"/buckets/photos/{KEY}"),
            ("GET", "/buckets/photos/?limit=10"),
            ("GET", f"/buckets/photos/{KEY}?metadata=true"),
            ("PUT", f"/buckets/photos/{KEY}"),
            ("POST", "/buckets/photos/planted.jpg"),
            ("DELETE", f"/buckets/photos/{KEY}"),
            ("DELETE", "/buckets/photos?recursive=true&ignoreRecursiveError=true"),
            ("GET", f"/{self.fid}"),
            ("GET", f"/{self.fid.replace(',', '/')}"),
            ("PUT", f"/{self.fid}"),
            ("DELETE", f"/{self.fid}"),
            ("GET", f"/admin/volume/delete?volume={volume}"),
            ("GET", "/admin/delete_collection?collection=photos"),
            ("GET", "/col/delete?collection=photos"),
            ("POST", "/col/delete?collection=photos"),
            ("GET", "/dir/assign?collection=photos"),
            ("GET", f"/dir/lookup?volumeId={volume}&fileId={self.fid}"),
            ("GET", "/dir/status"),
            ("GET", "/vol/status"),
            ("GET", "/vol/grow?count=1"),
            ("GET", "/vol/vacuum"),
            ("GET", "/submit"),
            ("GET", "/status"),
            ("GET", "/ui/index.html"),
            ("GET", "/metrics"),
            ("GET", "/debug/pprof/"),
            ("GET", "/api/files/browse?path=/buckets/photos"),
            ("GET", "/object-store/buckets"),
            ("GET", "/v1/config"),
            ("GET", f"/photos/{KEY}"),
            ("DELETE", f"/photos/{KEY}"),
            ("PROPFIND", "/"),
            ("GET", "/"),
        ]


@pytest.fixture(scope="module")
def original(weed: Weed) -> Iterator[Original]:
    """A photo put into the store while its log of changes is followed."""
    stopping = threading.Event()
    since = time.time()
    batches = follow(
        weed.ports.filer,
        weed.ports.filer_grpc,
        env=client_environment(weed.home, environ=os.environ),
        since_ns=int(since * 1e9),
        now=time.time,
        stopping=stopping,
    )
    weed.s3("uploader").put_object(Bucket="photos", Key=KEY, Body=MARK * 10_000)
    for document in (d for batch in batches for d in batch):
        entry = document["eventNotification"].get("newEntry") or {}
        if entry.get("name") == "secret.jpg":
            fid = entry["chunks"][0]["fid"]
            needle = f"{int(fid['fileKey']):x}{int(fid['cookie']):08x}"
            yield Original(fid=f"{fid['volumeId']},{needle}")
            break
    stopping.set()
    batches.close()  # type: ignore[attr-defined]
    # Whatever the tests tried: it is still there, and nothing came beside it.
    found = weed.s3().get_object(Bucket="photos", Key=KEY)["Body"].read()
    assert found == MARK * 10_000
    listed = weed.s3().list_objects_v2(Bucket="photos", Prefix="planted")
    assert listed["KeyCount"] == 0


def back_ports(weed: Weed) -> set[int]:
    """Every TCP port that the store listens on, but for the one meant for clients."""
    assert weed.child.pid is not None
    return {port for _, port in tcp_listeners(weed.child.pid)} - {weed.ports.s3}


def ask(
    url: str, method: str, context: ssl.SSLContext | None = None, *, token: str = ""
) -> tuple[int, bytes]:
    """(status, body); status 0 where there was no HTTP answer at all."""
    handlers: list[Any] = [urllib.request.ProxyHandler({})]
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    body = b"overwritten" if method in {"PUT", "POST"} else None
    request = urllib.request.Request(url, data=body, method=method)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        # It may hang up on what it refuses before all of the answer is read.
        with error, suppress(OSError):
            return error.code, error.read()
        return error.code, b""
    except (OSError, HTTPException):
        return 0, b""


def anybody() -> ssl.SSLContext:
    """A caller with no certificate who does not care whom he talks to."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def holder_of(directory: Path, name: str = "client") -> ssl.SSLContext:
    """A caller with one of the certificates in `directory`."""
    context = anybody()
    context.load_cert_chain(directory / f"{name}.crt", directory / f"{name}.key")
    return context


def refused(answer: tuple[int, bytes]) -> bool:
    """Whether nothing was done and nothing was told."""
    status, body = answer
    return status in {0, 400, 401, 403} and MARK not in body


def test_every_listener_is_on_loopback(weed: Weed, nats: Nats) -> None:
    assert weed.child.pid is not None
    assert nats.child.pid is not None
    listeners = tcp_listeners(weed.child.pid) | tcp_listeners(nats.child.pid)
    assert {address for address, _ in listeners} == {"127.0.0.1"}
    assert {port for _, port in tcp_listeners(nats.child.pid)} == {nats.port}


def test_the_store_listens_where_its_settings_say_and_nowhere_else(weed: Weed) -> None:
    ports = weed.ports
    assert back_ports(weed) == {
        *(ports.s3_grpc, ports.filer, ports.filer_grpc, ports.master, ports.master_grpc),
        *(ports.volume, ports.volume_grpc, ports.admin, ports.admin_grpc),
    }


def test_plain_http_gets_nothing_from_any_back_port(weed: Weed, original: Original) -> None:
    for port in sorted(back_ports(weed)):
        for method, path in original.paths():
            answer = ask(f"http://127.0.0.1:{port}{path}", method)
            assert refused(answer), (port, method, path, answer)


def test_https_without_a_certificate_gets_nothing_from_any_back_port(
    weed: Weed, original: Original
) -> None:
    context = anybody()
    for port in sorted(back_ports(weed)):
        for method, path in original.paths():
            answer = ask(f"https://127.0.0.1:{port}{path}", method, context)
            assert refused(answer), (port, method, path, answer)


def test_a_certificate_of_another_authority_opens_nothing(
    weed: Weed, original: Original, tmp_path: Path
) -> None:
    ensure_certificates(tmp_path / "tls", now=time.time())
    context = holder_of(tmp_path / "tls")
    for port in sorted(back_ports(weed)):
        for method, path in original.paths()[:3]:
            assert refused(ask(f"https://127.0.0.1:{port}{path}", method, context))


def test_our_own_certificate_still_needs_a_token_for_an_original(
    weed: Weed, original: Original
) -> None:
    context = holder_of(weed.home / "store" / "tls")
    filer = f"https://127.0.0.1:{weed.ports.filer}/buckets/photos/{KEY}"
    volume = f"https://127.0.0.1:{weed.ports.volume}/{original.fid}"
    # It gets past the certificate, or this would show nothing: an answer, and it is "no".
    for url in (filer, volume):
        for method in ("GET", "DELETE"):
            assert ask(url, method, context)[0] == 401, (url, method)
    tokens = weed.credentials.store_tokens
    for url, key, claims in (
        (filer, tokens.filer_read, {}),
        (volume, tokens.volume_read, {"fid": original.fid}),
    ):
        status, body = ask(url, "GET", context, token=_token(key, claims))
        assert (status, MARK in body) == (200, True), "the control"


@pytest.mark.parametrize("speak", ["plain", "tls"])
def test_grpc_is_not_spoken_with_strangers(weed: Weed, speak: str) -> None:
    ports = weed.ports
    for port in (ports.filer_grpc, ports.master_grpc, ports.volume_grpc, ports.s3_grpc):
        with create_connection(("127.0.0.1", port), timeout=5) as plain:
            assert not _settings_frame(plain, tls=speak == "tls")
        with create_connection(("127.0.0.1", port), timeout=5) as plain:
            context = holder_of(weed.home / "store" / "tls")
            assert _settings_frame(plain, tls=True, context=context), "the control"


def test_sockets_outside_the_home_want_a_certificate_too(weed: Weed) -> None:
    assert weed.child.pid is not None
    paths = unix_listeners(weed.child.pid)
    outside = {path for path in paths if path.startswith("/")}
    # Relative to its working directory, which nobody else may enter.
    assert paths - outside == {"filer.sock", "s3.sock"}
    assert stat.S_IMODE((weed.home / "store").stat().st_mode) == 0o700
    for path in outside:
        assert path.startswith("/tmp/seaweedfs-")
        for tls in (False, True):
            with socket(AF_UNIX) as plain:
                plain.settimeout(5)
                plain.connect(path)
                assert not _settings_frame(plain, tls=tls)


def test_s3_refuses_whoever_does_not_sign(weed: Weed, original: Original) -> None:
    base = f"http://127.0.0.1:{weed.ports.s3}"
    for method, path in [
        ("GET", f"/photos/{KEY}"),
        ("HEAD", f"/photos/{KEY}"),
        ("GET", "/photos?list-type=2"),
        ("GET", "/"),
        ("PUT", f"/photos/{KEY}"),
        ("POST", f"/photos/{KEY}?uploads"),
        ("POST", "/photos?delete"),
        ("DELETE", f"/photos/{KEY}"),
        ("DELETE", "/photos"),
        ("GET", "/photos?policy"),
        ("PUT", "/photos?policy"),
        ("PUT", f"/photos/{KEY}?acl"),
        ("POST", "/?Action=CreateAccessKey&UserName=admin&Version=2010-05-08"),
        *original.paths()[:8],
    ]:
        status, body = ask(f"{base}{path}", method)
        assert status >= 400, (method, path, status)
        assert MARK not in body


def test_weed_shell_is_let_in_with_our_certificate_only(weed: Weed) -> None:
    command = [
        program("weed"),
        "shell",
        f"-master=127.0.0.1:{weed.ports.master}.{weed.ports.master_grpc}",
        f"-filer=127.0.0.1:{weed.ports.filer}.{weed.ports.filer_grpc}",
    ]
    ours = client_environment(weed.home, environ=os.environ)
    strangers = {k: v for k, v in ours.items() if not k.startswith("WEED_")}

    def list_buckets(env: dict[str, str], seconds: float) -> bytes:
        try:
            done = subprocess.run(
                command,
                input=b"fs.ls /buckets\n",
                env=env,
                capture_output=True,
                check=False,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired as error:
            return error.stdout or b""
        return done.stdout

    assert b"photos-released" in list_buckets(ours, 30)
    assert b"photos" not in list_buckets(strangers, 3)


def test_the_log_of_changes_is_closed_to_strangers(weed: Weed) -> None:
    env = client_environment(weed.home, environ=os.environ)
    strangers = {k: v for k, v in env.items() if not k.startswith("WEED_")}
    batches = follow(
        weed.ports.filer,
        weed.ports.filer_grpc,
        env=strangers,
        since_ns=0,
        now=time.time,
        stopping=threading.Event(),
    )
    with pytest.raises(Unavailable):
        next(batches)


def test_the_queue_refuses_whoever_has_no_token(nats: Nats) -> None:
    for token in ("", "wrong"):
        with create_connection(("127.0.0.1", nats.port), timeout=5) as plain:
            plain.sendall(b'CONNECT {"verbose":false,"auth_token":"%s"}\r\n' % token.encode())
            plain.sendall(b"SUB > 1\r\nPING\r\n")
            said, cut_off = b"", False
            try:
                while data := plain.recv(4096):
                    said += data
            except ConnectionResetError:
                # It hung up before it had read all that we said; its last words may be lost.
                cut_off = True
        assert b"Authorization Violation" in said or cut_off
        assert b"PONG" not in said


def _token(key: str, claims: dict[str, Any]) -> str:
    parts = [{"alg": "HS256", "typ": "JWT"}, {"exp": int(time.time()) + 60, **claims}]
    signed = b".".join(_base64(json.dumps(part).encode()) for part in parts)
    mark = hmac.digest(key.encode(), signed, "sha256")
    return b".".join([signed, _base64(mark)]).decode()


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _settings_frame(plain: socket, *, tls: bool, context: ssl.SSLContext | None = None) -> bool:
    """Whether the other side answers HTTP/2's preface as gRPC servers do."""
    try:
        if tls:
            context = context or anybody()
            context.set_alpn_protocols(["h2"])
            plain = context.wrap_socket(plain)
        with plain:
            plain.sendall(H2_PREFACE)
            # Type 4: SETTINGS.
            return plain.recv(9)[3:4] == b"\x04"
    except OSError:
        return False
