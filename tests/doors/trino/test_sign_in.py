"""Who is let in: keys with their secrets, sessions with their tokens, bearers as roles. And TLS."""

from __future__ import annotations

import base64
import datetime as dt
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from trino.auth import BasicAuthentication, JWTAuthentication
from trino.exceptions import HttpError, TrinoAuthError, TrinoUserError

from lakeveil.adapters.identity.key_ids import DoorKeys
from lakeveil.cli.serve import checked_certificate, listen, server_config
from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import IssuedKey
from lakeveil.errors import SetupError
from lakeveil.flows.sign_in import Caller, get_session_token
from lakeveil.settings import Settings
from lakeveil.settings.tree import Http
from tests.doors.trino.running_queries import Served, basic, connect
from tests.identity_parts import ACCOUNT

ANALYST = arns.role_arn(ACCOUNT, "analyst")
NOBODY = arns.role_arn(ACCOUNT, "nobody")


def post(served: Served, authorization: str, **headers: str) -> httpx.Response:
    """A statement with some credentials."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(
        f"{served.url}/v1/statement",
        content="SELECT count(*) FROM ads.many",
        headers={"Authorization": authorization, **given},
        timeout=30,
    )


def encoded(text: str) -> str:
    """Basic credentials."""
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Basic !!!",
        "Digest x",
        encoded("nocolon"),
        encoded("LVIA0000000000000000:secret"),
        encoded(":"),
        "Bearer",
    ],
)
def test_strangers_are_told_to_sign_in(served: Served, authorization: str) -> None:
    answer = post(served, authorization)
    assert answer.status_code == 401
    assert answer.headers.get_list("www-authenticate") == ['Basic realm="Lakeveil"', "Bearer"]


def test_a_wrong_secret_is_refused_and_on_record(served: Served) -> None:
    key = served.keys["ana"]
    wrong = key.secret_access_key[:-1] + ("a" if key.secret_access_key[-1] != "a" else "b")
    before = served.identity.on_record().count(("sign-in", "refused", "key_not_good"))
    assert post(served, encoded(f"{key.access_key_id}:{wrong}")).status_code == 401
    assert post(served, encoded(f"{key.access_key_id}:")).status_code == 401
    after = served.identity.on_record().count(("sign-in", "refused", "key_not_good"))
    assert after > before


def test_a_thousand_guesses_leave_few_records(served: Served) -> None:
    before = len(served.identity.on_record())
    for _ in range(40):
        post(served, encoded("LVIA0000000000000000:guess"))
    assert len(served.identity.on_record()) - before <= 25


def test_a_session_needs_its_token(served: Served) -> None:
    key = session_of(served)
    assert "error" not in served_last(served, post(served, basic(key)), basic(key))
    alone = encoded(f"{key.access_key_id}:{key.secret_access_key}")
    assert post(served, alone).status_code == 401
    assert (
        post(served, encoded(f"{key.access_key_id}:{key.secret_access_key}:x")).status_code == 401
    )


def session_of(served: Served) -> IssuedKey:
    """A temporary key of ana's."""
    identity, key = served.identity, served.keys["ana"]
    opened = get_session_token(
        Caller(
            principal=identity.store.callers.principal_of(key.access_key_id),
            access_key_id=key.access_key_id,
        ),
        duration_s=900,
        sessions=identity.store.sessions,
        mint=DoorKeys(),
        audit=identity.audit,
        clock=identity.clock,
    )
    return opened.key


def served_last(served: Served, answer: httpx.Response, authorization: str) -> dict[str, Any]:
    """The last document, asked for with some credentials."""
    document: dict[str, Any] = answer.json()
    while "nextUri" in document:
        document = served.get(document["nextUri"], Authorization=authorization).json()
    return document


@pytest.mark.parametrize("user", ["ana", arns.user_arn(ACCOUNT, "ana"), ""])
def test_a_caller_may_use_its_own_names(served: Served, user: str) -> None:
    answer = post(served, served.authorization("ana"), X_Trino_User=user)
    assert "error" not in answer.json()


@pytest.mark.parametrize("user", ["bob", "root", arns.user_arn(ACCOUNT, "bob"), "Ana"])
def test_nobody_is_impersonated(served: Served, user: str) -> None:
    answer = post(served, served.authorization("ana"), X_Trino_User=user)
    assert answer.json()["error"]["errorName"] == "PERMISSION_DENIED"


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Trino_User": ANALYST},
        {"X_Trino_Role": f"system=ROLE%7B{ANALYST}%7D"},
        {"X_Trino_Extra_Credential": f"role={ANALYST}", "X_Trino_User": "eve@example.com"},
    ],
)
def test_a_bearer_becomes_the_role_it_names(served: Served, headers: dict[str, str]) -> None:
    bearer = f"Bearer {served.token()}"
    answer = post(served, bearer, **headers)
    document: dict[str, Any] = answer.json()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    while "nextUri" in document:
        document = served.get(document["nextUri"], Authorization=bearer, **given).json()
    assert document["data"] == [[25_000]]
    found = served.desk.log.get(ACCOUNT, document["id"])
    assert found is not None
    assert found.principal == ANALYST
    assert found.session == arns.assumed_role_arn(ACCOUNT, "analyst", "eve@example.com")


def test_one_token_opens_one_session(served: Served) -> None:
    bearer = f"Bearer {served.token(jti='once')}"
    action = "sts:AssumeRoleWithWebIdentity"
    before = sum(name == action for name, _, _ in served.identity.on_record())
    for _ in range(3):
        assert post(served, bearer, X_Trino_User=ANALYST).status_code == 200
    after = sum(name == action for name, _, _ in served.identity.on_record())
    assert after - before == 2  # the intent and its completion


def test_a_token_is_good_no_longer_than_it_says(served: Served) -> None:
    bearer = f"Bearer {served.token()}"
    assert post(served, bearer, X_Trino_User=ANALYST).status_code == 200
    served.identity.clock.sleep(400)
    assert post(served, bearer, X_Trino_User=ANALYST).status_code == 401


def test_tokens_that_are_not_good_are_refused(served: Served) -> None:
    good = served.token()
    head, body, signature = good.split(".")
    forged = f"{head}.{body}.{signature[:-4]}AAAA"
    for token, role in (
        (good, ""),
        (good, NOBODY),
        (good, arns.role_arn(ACCOUNT, "missing")),
        (good, arns.user_arn(ACCOUNT, "ana")),
        (forged, ANALYST),
        (served.token(aud="other"), ANALYST),
        (served.token(sub="mallory"), ANALYST),
        ("a.b.c", ANALYST),
    ):
        assert post(served, f"Bearer {token}", X_Trino_User=role).status_code == 401


def test_a_key_takes_no_role_here(served: Served) -> None:
    answer = post(served, served.authorization("ana"), X_Trino_Role=f"system=ROLE%7B{ANALYST}%7D")
    assert answer.status_code == 401
    assert post(served, served.authorization("ana"), X_Trino_Role="system=ALL").status_code == 200


# -- TLS ---------------------------------------------------------------------------------------
def certificate(folder: Path) -> tuple[str, str]:
    """A certificate for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(paths[0]), str(paths[1])


@contextmanager
def over_tls(served: Served, paths: tuple[str, str]) -> Iterator[int]:
    """The same door with a certificate; its port."""
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(server_config(served.app, paths))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def test_the_client_signs_in_over_tls_alone(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # To the client's library they come before the certificate that it is given.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    key, paths = served.keys["ana"], certificate(tmp_path)
    with pytest.raises(TrinoAuthError):
        connect(host="127.0.0.1", port=served.port, auth=BasicAuthentication("x", "y"), user="x")
    with over_tls(served, paths) as port:
        connection = connect(
            host=f"https://127.0.0.1:{port}",
            user=key.access_key_id,
            auth=BasicAuthentication(key.access_key_id, key.secret_access_key),
            schema="ads",
            verify=paths[0],
        )
        cursor = connection.cursor().execute("SELECT n FROM many ORDER BY n LIMIT 2")
        assert cursor.fetchall() == [[0], [1]]
        assert cursor.info_uri.startswith(f"https://127.0.0.1:{port}/")
        bearer = connect(
            host=f"https://127.0.0.1:{port}",
            user="eve@example.com",
            extra_credential=[("role", ANALYST)],
            auth=JWTAuthentication(served.token()),
            verify=paths[0],
        )
        assert bearer.cursor().execute("SELECT count(*) FROM ads.many").fetchall() == [[25_000]]
        connection.close()
        bearer.close()
        with pytest.raises(HttpError, match="401"):
            connect(
                host=f"https://127.0.0.1:{port}",
                user=key.access_key_id,
                auth=BasicAuthentication(key.access_key_id, "wrong"),
                verify=paths[0],
            ).cursor().execute("SELECT 1")
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"http://127.0.0.1:{port}/v1/info")


def test_a_certificate_that_cannot_be_used_is_found_before_anybody_comes(tmp_path: Path) -> None:
    good, key = certificate(tmp_path)
    (tmp_path / "other").mkdir()
    _, other = certificate(tmp_path / "other")
    assert checked_certificate(Settings()) is None
    assert checked_certificate(Settings(http=Http(certificate=good, key=key))) == (good, key)
    for wrong in (
        Http(certificate=good),
        Http(key=key),
        Http(certificate=good, key=other),
        Http(certificate=str(tmp_path / "missing"), key=key),
        Http(certificate=key, key=key),
    ):
        with pytest.raises(SetupError, match="no certificate that it can use"):
            checked_certificate(Settings(http=wrong))


def test_the_servers_tls_is_of_today(served: Served, tmp_path: Path) -> None:
    with over_tls(served, certificate(tmp_path)) as port:
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"https://127.0.0.1:{port}/v1/info", verify=old)


def test_an_error_of_the_session_is_told_in_the_document(served: Served) -> None:
    with pytest.raises(TrinoUserError, match="does not exist"):
        served.connect(session_properties={"x": "y"}).cursor().execute("SELECT 1")
