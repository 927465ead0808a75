"""Signatures: what botocore signs is genuine; whatever was changed afterwards is not."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.aws.sigv4 import (
    MAX_SKEW_S,
    Caller,
    SignatureRefused,
    SignedRequest,
    check_head,
    verify,
)

KEY, SECRET, TOKEN = "LVKEY", "secret-of-the-key", "token-of-the-session"
SECRETS = {(KEY, None): SECRET, ("LVSESSION", TOKEN): SECRET}
HOST = "lake.example:8190"
Headers = list[tuple[str, str]]


def as_received(request: AWSRequest, body: bytes) -> SignedRequest:
    """What a server sees of a request that botocore signed."""
    target = request.prepare().url.split("/", 3)[3]
    path, _, query = target.partition("?")
    return SignedRequest(
        method=request.method,
        path=f"/{path}",
        query=query,
        headers=[(n, v) for n, v in request.headers.items()],
        body_sha256=hashlib.sha256(body).hexdigest(),
    )


def signed(
    body: bytes = b"{}",
    *,
    path: str = "/",
    headers: dict[str, str] | None = None,
    token: str | None = None,
    secret: str = SECRET,
    service: str = "rekognition",
    key: str = KEY,
) -> SignedRequest:
    given = {"Host": HOST, "X-Amz-Target": "RekognitionService.DetectFaces", **(headers or {})}
    request = AWSRequest("POST", f"http://{HOST}{path}", headers=given, data=body)
    SigV4Auth(Credentials(key, secret, token), service, "us-east-1").add_auth(request)
    return as_received(request, body)


def presigned(expires: int = 60, key: str = KEY, token: str | None = None) -> SignedRequest:
    request = AWSRequest("POST", f"http://{HOST}/", headers={"Host": HOST}, data=b"")
    credentials = Credentials(key, SECRET, token)
    SigV4QueryAuth(credentials, "rekognition", "us-east-1", expires=expires).add_auth(request)
    return as_received(request, b"")


def secret_of(access_key: str, token: str | None) -> str | None:
    return SECRETS.get((access_key, token))


def nobody(_access_key: str, _token: str | None) -> str | None:
    return None


def verified(
    request: SignedRequest, *, at: float | None = None, region: str | None = None
) -> Caller:
    return verify(
        request,
        secret_of=secret_of,
        now=time.time() if at is None else at,
        services=["rekognition"],
        region=region,
    ).caller


def caller_of(request: SignedRequest, *, at: float | None = None, region: str | None = None) -> str:
    return verified(request, at=at, region=region).access_key


def refusal_of(request: SignedRequest, **how: float) -> str:
    with pytest.raises(SignatureRefused) as refused:
        caller_of(request, **how)  # type: ignore[arg-type]
    return refused.value.code


def with_header(request: SignedRequest, name: str, value: str | None) -> SignedRequest:
    """The request with one header replaced, added, or removed."""
    kept: Headers = [(n, v) for n, v in request.headers if n.lower() != name.lower()]
    return replace(request, headers=kept if value is None else [*kept, (name, value)])


def authorization(request: SignedRequest) -> str:
    return next(v for n, v in request.headers if n.lower() == "authorization")


def test_a_genuine_request_names_its_caller() -> None:
    assert caller_of(signed()) == KEY


def test_a_presigned_request_is_genuine_too() -> None:
    assert caller_of(presigned()) == KEY


@given(
    body=st.binary(max_size=200),
    path=st.text("abz/%.~-_ ", max_size=12),
    query=st.dictionaries(
        st.text("ab~ é+&=", min_size=1, max_size=4), st.text("xy /é+&=", max_size=4), max_size=3
    ),
    value=st.text("abc  \t'\"", max_size=12),
)
def test_what_botocore_signs_is_genuine(
    body: bytes, path: str, query: dict[str, str], value: str
) -> None:
    from urllib.parse import quote, urlencode

    address = f"/{quote(path)}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
    request = signed(body, path=address, headers={"X-Amz-Meta-Note": f"n{value}"})

    assert caller_of(request) == KEY


@given(body=st.binary(min_size=1, max_size=50), at=st.integers(0, 49), bit=st.integers(0, 7))
def test_no_bit_of_the_body_can_be_changed(body: bytes, at: int, bit: int) -> None:
    changed = bytearray(body)
    changed[at % len(body)] ^= 1 << bit
    request = replace(signed(body), body_sha256=hashlib.sha256(changed).hexdigest())

    assert refusal_of(request) == "InvalidSignatureException"


def test_a_hash_that_the_client_signed_does_not_replace_the_bodys_own() -> None:
    claimed = hashlib.sha256(b"{}").hexdigest()
    request = signed(b"{}", headers={"X-Amz-Content-SHA256": claimed})
    assert caller_of(request) == KEY

    tampered = replace(request, body_sha256=hashlib.sha256(b"{ }").hexdigest())
    assert refusal_of(tampered) == "InvalidSignatureException"


@pytest.mark.parametrize("claim", ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"])
def test_a_body_that_is_not_signed_is_refused(claim: str) -> None:
    request = signed(headers={"X-Amz-Content-SHA256": claim})

    assert refusal_of(request) == "InvalidSignatureException"


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"path": "/other"},
        {"query": "Action=DetectFaces"},
    ],
)
def test_nothing_of_the_request_line_can_be_changed(change: dict[str, str]) -> None:
    assert refusal_of(replace(signed(), **change)) == "InvalidSignatureException"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "elsewhere.example"),
        ("X-Amz-Target", "RekognitionService.CompareFaces"),
    ],
)
def test_no_signed_header_can_be_changed(name: str, value: str) -> None:
    assert refusal_of(with_header(signed(), name, value)) == "InvalidSignatureException"


def test_no_amz_header_can_be_added_afterwards() -> None:
    request = with_header(signed(), "X-Amz-Something", "new")

    assert refusal_of(request) == "IncompleteSignatureException"


def test_no_signed_header_can_be_removed() -> None:
    request = with_header(signed(), "X-Amz-Target", None)

    assert refusal_of(request) == "IncompleteSignatureException"


def test_a_second_host_is_refused() -> None:
    request = signed()
    doubled = replace(request, headers=[*request.headers, ("host", "elsewhere.example")])

    assert refusal_of(doubled) == "IncompleteSignatureException"


def test_the_host_must_be_signed() -> None:
    request = signed()
    unsigned = authorization(request).replace("SignedHeaders=host;", "SignedHeaders=")

    code = refusal_of(with_header(request, "Authorization", unsigned))
    assert code == "IncompleteSignatureException"


def test_an_unsigned_request_is_told_so() -> None:
    request = with_header(signed(), "Authorization", None)

    assert refusal_of(request) == "MissingAuthenticationTokenException"


@pytest.mark.parametrize(
    "header",
    [
        "Basic dXNlcjpwYXNz",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=LVKEY",
        "AWS4-HMAC-SHA256 Credential=LVKEY/1/2, SignedHeaders=host, Signature=0",
        "AWS4-ECDSA-P256-SHA256 Credential=LVKEY/20260101/us-east-1/rekognition/aws4_request",
    ],
)
def test_a_malformed_signature_is_incomplete(header: str) -> None:
    request = with_header(signed(), "Authorization", header)

    assert refusal_of(request) == "IncompleteSignatureException"


@pytest.mark.parametrize("date", ["", "yesterday", "20261399T999999Z", "2026-01-01T00:00:00Z"])
def test_a_date_that_is_none_is_incomplete(date: str) -> None:
    assert refusal_of(with_header(signed(), "X-Amz-Date", date)) == "IncompleteSignatureException"


def test_a_key_nobody_knows_is_unrecognised() -> None:
    request = signed()
    unknown = authorization(request).replace(f"Credential={KEY}/", "Credential=SOMEBODY/")

    code = refusal_of(with_header(request, "Authorization", unknown))
    assert code == "UnrecognizedClientException"


@pytest.mark.parametrize("form", [signed, presigned])
def test_a_sessions_key_comes_with_its_token(form: Callable[..., SignedRequest]) -> None:
    caller = verified(form(key="LVSESSION", token=TOKEN))

    assert (caller.access_key, caller.session_token) == ("LVSESSION", TOKEN)
    assert TOKEN not in repr(caller)


@pytest.mark.parametrize("form", [signed, presigned])
@pytest.mark.parametrize(
    ("key", "token"), [("LVSESSION", None), ("LVSESSION", f"{TOKEN}x"), (KEY, TOKEN)]
)
def test_a_token_that_is_not_the_keys_own_is_unrecognised(
    form: Callable[..., SignedRequest], key: str, token: str | None
) -> None:
    assert refusal_of(form(key=key, token=token)) == "UnrecognizedClientException"


def test_a_token_that_is_not_signed_is_refused() -> None:
    request = with_header(signed(key="LVSESSION"), "X-Amz-Security-Token", TOKEN)

    assert refusal_of(request) == "IncompleteSignatureException"


@pytest.mark.parametrize("form", [signed, presigned])
def test_a_token_cannot_be_replaced(form: Callable[..., SignedRequest]) -> None:
    request = form(key="LVSESSION", token="another")
    replaced = replace(
        request,
        query=request.query.replace("another", TOKEN),
        headers=[(n, TOKEN if v == "another" else v) for n, v in request.headers],
    )

    assert refusal_of(replaced) == "InvalidSignatureException"


def test_a_token_is_read_only_where_the_signature_is() -> None:
    by_header = signed(key="LVSESSION", token=TOKEN, path=f"/?X-Amz-Security-Token={TOKEN}")
    assert refusal_of(by_header) == "IncompleteSignatureException"

    request = presigned(key="LVSESSION", token=TOKEN)
    both = with_header(request, "X-Amz-Security-Token", TOKEN)
    assert refusal_of(both) == "IncompleteSignatureException"


def test_an_empty_token_is_not_the_absence_of_one() -> None:
    request = signed(headers={"X-Amz-Security-Token": ""})

    assert refusal_of(request) == "UnrecognizedClientException"


def test_whoever_knows_the_keys_may_say_more_of_a_refusal() -> None:
    def expired(_access_key: str, _token: str | None) -> str | None:
        raise SignatureRefused("ExpiredTokenException", "The session is over.")

    with pytest.raises(SignatureRefused) as refused:
        check_head(signed(), secret_of=expired)
    assert refused.value.code == "ExpiredTokenException"


def test_another_secret_does_not_make_the_signature() -> None:
    assert refusal_of(signed(secret="another-secret")) == "InvalidSignatureException"


def test_a_key_without_a_secret_lets_nobody_in() -> None:
    with pytest.raises(SignatureRefused):
        verify(
            signed(secret=""),
            secret_of=lambda _key, _token: "",
            now=time.time(),
            services=["rekognition"],
            region=None,
        )


@pytest.mark.parametrize("skew", [-MAX_SKEW_S + 5, 0.0, MAX_SKEW_S - 5])
def test_a_clock_a_little_off_is_tolerated(skew: float) -> None:
    assert caller_of(signed(), at=time.time() + skew) == KEY


@pytest.mark.parametrize("skew", [-MAX_SKEW_S - 5, MAX_SKEW_S + 5, 86_400.0])
def test_a_clock_far_off_is_refused(skew: float) -> None:
    assert refusal_of(signed(), at=time.time() + skew) == "InvalidSignatureException"


def test_a_presigned_request_ends_when_it_says() -> None:
    request = presigned(expires=1000)

    assert caller_of(request, at=time.time() + 990) == KEY
    assert refusal_of(request, at=time.time() + 1010) == "InvalidSignatureException"


def test_a_presigned_life_cannot_be_lengthened() -> None:
    request = presigned(expires=10)
    longer = replace(request, query=request.query.replace("Expires=10", "Expires=604800"))

    assert refusal_of(longer) == "InvalidSignatureException"


def test_two_signatures_are_one_too_many() -> None:
    both = replace(presigned(), headers=signed().headers)

    assert refusal_of(both) == "IncompleteSignatureException"


def test_a_signature_for_another_service_is_refused() -> None:
    assert refusal_of(signed(service="s3")) == "InvalidSignatureException"


def test_a_signature_for_another_region_is_refused_where_one_region_is_served() -> None:
    assert caller_of(signed(), region="us-east-1") == KEY
    with pytest.raises(SignatureRefused):
        caller_of(signed(), region="eu-central-1")


def test_the_head_alone_says_whether_the_body_is_worth_reading() -> None:
    request = replace(signed(), body_sha256="")
    check_head(request, secret_of=secret_of)

    with pytest.raises(SignatureRefused) as refused:
        check_head(request, secret_of=nobody)
    assert refused.value.code == "UnrecognizedClientException"
    with pytest.raises(SignatureRefused) as unsigned:
        check_head(with_header(request, "Authorization", None), secret_of=secret_of)
    assert unsigned.value.code == "MissingAuthenticationTokenException"


@given(
    authorization=st.text(st.characters(max_codepoint=255), max_size=120)
    | st.builds(
        "AWS4-HMAC-SHA256 Credential={},SignedHeaders={},Signature={}".format,
        st.text("AB/-20261 us", max_size=40),
        st.text("host;x-amz-date ,", max_size=30),
        st.text("0123456789abcdef", max_size=64),
    ),
    date=st.text("0123456789TZ", max_size=17),
    path=st.text(st.characters(max_codepoint=255), max_size=20),
    query=st.text("X-AmzSignature=&%0aé", max_size=40),
)
def test_whatever_is_sent_is_refused_and_nothing_worse_happens(
    authorization: str, date: str, path: str, query: str
) -> None:
    request = SignedRequest(
        method="POST",
        path=path,
        query=query,
        headers=[("host", HOST), ("authorization", authorization), ("x-amz-date", date)],
        body_sha256="0" * 64,
    )

    with pytest.raises(SignatureRefused):
        caller_of(request)
    with pytest.raises(SignatureRefused):
        check_head(request, secret_of=nobody)
