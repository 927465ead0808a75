"""Small JSON documents in the embedded store's own configuration, through the filer's shut door.

The filer wants a client's certificate and a token (`adapters.seaweedfs`); we hold both. Documents
are sent as a form: only then does it keep them within its metadata, where the S3 gateway looks.
Folders are listed by `weed shell`, since listing over HTTP is turned off.

Refused: whatever is no plain file name. Every failure is `Unavailable`, never an empty answer.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import secrets
import ssl
import subprocess
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from lakeveil.adapters.certificates import certificate_paths
from lakeveil.adapters.credentials import StoreTokenKeys
from lakeveil.adapters.nats_server import program
from lakeveil.adapters.seaweedfs import HOST, StorePorts, client_environment
from lakeveil.adapters.seaweedfs_sessions import signed_token
from lakeveil.errors import Unavailable

TOKEN_S = 60
_NAME = re.compile(r"[A-Za-z0-9:_-]{1,200}\.json")


class FilerDocuments:
    """JSON documents below one folder of the filer. Thread-safe: each call has its connection.

    `environ` is for `weed shell`; nothing of SeaweedFS's or AWS's in it is passed on.
    """

    def __init__(
        self,
        home: Path,
        folder: str,
        *,
        ports: StorePorts,
        tokens: StoreTokenKeys,
        environ: Mapping[str, str],
        now: Callable[[], float],
        timeout_s: float,
    ) -> None:
        self._home = home
        self._folder = folder
        self._ports = ports
        self._tokens = tokens
        self._environ = environ
        self._now = now
        self._timeout_s = timeout_s

    def read(self, folder: str, name: str) -> dict[str, Any] | None:
        """A document, or None where there is none.

        Raises:
            Unavailable: the filer did not answer, or what is there is no JSON object.
        """
        status, body = self._request("GET", folder, name)
        if status == HTTPStatus.NOT_FOUND:
            return None
        self._expect(status, {HTTPStatus.OK})
        try:
            # The entry, not the file: of what is kept within the metadata a file shows nothing.
            found = json.loads(base64.b64decode(json.loads(body)["Content"] or ""))
        except (ValueError, KeyError, TypeError):
            found = None
        if not isinstance(found, dict):
            raise _unavailable("a document in it is no JSON object")
        return found

    def write(self, folder: str, name: str, document: Mapping[str, object]) -> None:
        """Replace a document whole.

        Raises:
            Unavailable: the filer did not answer; it may or may not be written.
        """
        boundary = secrets.token_hex(16)
        body = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            f"Content-Type: application/json\r\n\r\n{json.dumps(document)}\r\n--{boundary}--\r\n"
        ).encode()
        kind = f"multipart/form-data; boundary={boundary}"
        status, _ = self._request("POST", folder, name, body=body, headers={"Content-Type": kind})
        self._expect(status, {HTTPStatus.OK, HTTPStatus.CREATED})

    def remove(self, folder: str, name: str) -> None:
        """Remove a document; nothing happens where there is none.

        Raises:
            Unavailable: the filer did not answer; it may or may not be removed.
        """
        status, _ = self._request("DELETE", folder, name)
        self._expect(status, {HTTPStatus.OK, HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND})

    def names(self, folders: Sequence[str]) -> dict[str, list[str]]:
        """The documents in each folder; a folder that is not there has none.

        Raises:
            Unavailable: the filer could not be asked, or there is something unexpected.
        """
        # After each listing the shell prints its own folder, always `/`: a listing that broke
        # off is told from an empty one.
        commands = [line for f in folders for line in (f"fs.ls {self._folder}/{f}", "fs.pwd")]
        lines = self._shell(commands)
        found: dict[str, list[str]] = {}
        for folder in folders:
            if "/" not in lines:
                raise _unavailable("`weed shell` did not list everything")
            end = lines.index("/")
            found[folder], lines = lines[:end], lines[end + 1 :]
        if lines or any(not _NAME.fullmatch(name) for names in found.values() for name in names):
            raise _unavailable("`weed shell` printed something that is no document's name")
        return found

    def _request(
        self,
        method: str,
        folder: str,
        name: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        if not _NAME.fullmatch(name):
            raise ValueError(f"no document can be called {name!r}")
        key = self._tokens.filer_read if method == "GET" else self._tokens.filer_write
        token = signed_token(key.encode(), {"exp": int(self._now()) + TOKEN_S})
        path = f"{self._folder}/{folder}/{name}{'?metadata=true' if method == 'GET' else ''}"
        try:
            connection = http.client.HTTPSConnection(
                HOST, self._ports.filer, context=self._tls(), timeout=self._timeout_s
            )
            try:
                connection.request(
                    method, path, body, {"Authorization": f"Bearer {token}", **(headers or {})}
                )
                response = connection.getresponse()
                return response.status, response.read()
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise _unavailable(f"it is not there: {type(error).__name__}") from error

    def _tls(self) -> ssl.SSLContext:
        # Loaded anew: a start of the store may have replaced the certificates.
        paths = certificate_paths(self._home / "store" / "tls")
        context = ssl.create_default_context(cafile=str(paths.ca))
        context.load_cert_chain(paths.client.cert, paths.client.key)
        return context

    def _expect(self, status: int, wanted: set[HTTPStatus]) -> None:
        if status not in wanted:
            raise _unavailable(f"it answered {status}")

    def _shell(self, commands: Sequence[str]) -> list[str]:
        ports = self._ports
        try:
            done = subprocess.run(
                [
                    program("weed"),
                    "-logtostderr=true",
                    "shell",
                    f"-master={HOST}:{ports.master}.{ports.master_grpc}",
                    f"-filer={HOST}:{ports.filer}.{ports.filer_grpc}",
                ],
                input="\n".join([*commands, "exit", ""]),
                env=client_environment(self._home, environ=self._environ),
                capture_output=True,
                text=True,
                timeout=self._timeout_s,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _unavailable(f"`weed shell` failed: {type(error).__name__}") from error
        if done.returncode or "error" in done.stderr:
            raise _unavailable(f"`weed shell` ended with {done.returncode}")
        return done.stdout.split()


def _unavailable(why: str) -> Unavailable:
    return Unavailable(
        "the embedded store's configuration cannot be reached",
        why=why,
        fix="see that `lakeveil up` runs; its log is logs/weed.log in the installation's home",
        code="store_configuration_unavailable",
    )
