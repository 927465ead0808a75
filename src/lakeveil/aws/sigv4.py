"""AWS Signature Version 4, the verifying side: who sent this request, and is it what they sent?

The rules are the "Create a signed AWS API request" pages of the IAM user guide; the errors are
those a JSON service of AWS answers with. Pure functions: the clock is an argument.

Both forms are read: the `Authorization` header and the presigned query string. What is signed
must include the host, the date and every `x-amz-*` header there is; the body's hash is compared
with the body itself, never believed (`UNSIGNED-PAYLOAD` is refused). A request can be replayed
unchanged until its date is `MAX_SKEW_S` old: `replay` guards the operations that change something.

A session's key comes with its token, in the header `X-Amz-Security-Token` or, presigned, in the
query; it is signed like everything else, and looked up together with the key.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes

MAX_SKEW_S = 300.0
"""How far the request's date may lie from our clock, either way. AWS itself allows five minutes."""

MAX_EXPIRES_S = 7 * 24 * 3600
"""The longest life of a presigned request, as in AWS."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_DATE = re.compile(r"\d{8}T\d{6}Z")
_HEX256 = re.compile(r"[0-9a-f]{64}")
_SCOPED = re.compile(r"/([a-z0-9-]{1,40})/aws4_request")
_FIELD = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")

_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """A request as it came over the wire.

    `path` and `query` are still percent-encoded; `headers` keeps order and repetitions.
    """

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body_sha256: str
    """Hex digest of the body that was received."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signature is good for: one day, one region, one service."""

    region: str
    service: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key signed the request. The secret stays with whoever looked it up."""

    access_key: str
    """Empty where the request is not signed, as some operations allow."""
    session_token: str | None = field(default=None, repr=False)
    region: str = ""
    """The one in the signature's scope; empty where the request is not signed."""
    request_id: str = field(default="", compare=False)
    """As the answer names it, for records that are to be found by it."""
    source_ip: str = field(default="", compare=False)
    """Whose connection the request came over, never by a header's word; empty on a Unix socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A genuine signature: whose, for what, and since when it is good (UTC seconds)."""

    caller: Caller
    scope: Scope
    signature: str
    signed_at: float


class SignatureRefused(Exception):
    """The request is not signed, or not so that we may act on it. `code` is AWS's own."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """What the request says about its own signature."""

    access_key: str
    session_token: str | None = field(repr=False)
    day: str
    scope: Scope
    signed_headers: tuple[str, ...]
    signature: str
    date: str
    lifetime_s: float | None
    """Of a presigned request; None: the header form."""


def verify(
    request: SignedRequest,
    *,
    secret_of: Callable[[str, str | None], str | None],
    now: float,
    services: Iterable[str],
    region: str | None,
) -> Verified:
    """The caller whose secret made the signature, and the scope it is good for.

    `secret_of` is given the access key id and the session token, None where there is none. `now`
    is UTC seconds since the epoch; `services` and `region` are those that are served here; None
    serves every region.

    Raises:
        SignatureRefused: missing, incomplete, unknown key, out of date or scope, or not made
            with that key's secret over exactly this request.
    """
    claim = _claim(request)
    when = _seconds(claim.date)
    if claim.date[:8] != claim.day:
        raise _invalid(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date "
            "from HTTP."
        )
    _check_coverage(request, claim)
    _check_body(request)
    canonical = canonical_request(request, claim.signed_headers)
    secret = secret_of(claim.access_key, claim.session_token)
    if not secret:
        raise _unrecognised()
    expected = _signature(secret, claim, canonical)
    if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
        raise _invalid(_MISMATCH)
    # Only a caller who holds the secret learns more than that.
    _check_time(when, claim.lifetime_s, now)
    if claim.scope.service not in set(services):
        raise _invalid(
            f"Credential should be scoped to a service served here, not '{claim.scope.service}'."
        )
    if region is not None and claim.scope.region != region:
        raise _invalid(
            f"Credential should be scoped to the region '{region}', not '{claim.scope.region}'."
        )
    return Verified(
        caller=Caller(claim.access_key, claim.session_token, claim.scope.region),
        scope=claim.scope,
        signature=claim.signature,
        signed_at=when,
    )


def check_head(
    request: SignedRequest, *, secret_of: Callable[[str, str | None], str | None]
) -> Scope:
    """Refuse what is refusable before the body is read: `verify` would refuse it as well.

    Returns the scope that the request claims, which nothing vouches for yet.

    So that nobody without a key of ours can make us hold their bytes; that a key exists is no
    secret (the error codes tell), only its secret is. `request.body_sha256` is not looked at.

    Raises:
        SignatureRefused: missing, incomplete or malformed signature, or an unknown key.
    """
    claim = _claim(request)
    _seconds(claim.date)
    _check_coverage(request, claim)
    if not secret_of(claim.access_key, claim.session_token):
        raise _unrecognised()
    return claim.scope


def is_signed(request: SignedRequest) -> bool:
    """Whether the request says that it is signed, in whichever form."""
    return any(name.lower() == "authorization" for name, _ in request.headers) or any(
        name.startswith("X-Amz-") for name, _ in _query_pairs(request.query)
    )


def claimed_service(request: SignedRequest) -> str:
    """The service a request's signature is for by its own word; empty where it says none.

    Only good for choosing the words of a refusal: the signature may be malformed.
    """
    said = [v for n, v in request.headers if n.lower() == "authorization"]
    found = _SCOPED.search(_text("\n".join([*said, request.query])))
    return found[1] if found else ""


def canonical_request(request: SignedRequest, signed_headers: Sequence[str]) -> str:
    """The text that is signed, as the client must have built it."""
    lines = [request.method.upper(), _canonical_path(request.path), _canonical_query(request.query)]
    for name in signed_headers:
        values = [" ".join(v.split()) for n, v in request.headers if n.lower() == name]
        lines.append(f"{name}:{','.join(values)}")
    return "\n".join([*lines, "", ";".join(signed_headers), request.body_sha256])


def _claim(request: SignedRequest) -> _Claim:
    query = _query_pairs(request.query)
    signed_by_query = any(name == "X-Amz-Signature" for name, _ in query)
    authorization = [v for n, v in request.headers if n.lower() == "authorization"]
    if not authorization and not signed_by_query:
        raise SignatureRefused(
            "MissingAuthenticationTokenException", "Missing Authentication Token"
        )
    if len(authorization) + signed_by_query > 1:
        raise _incomplete("A request carries exactly one signature.")
    if signed_by_query:
        fields = {n.removeprefix("X-Amz-"): v for n, v in query if n.startswith("X-Amz-")}
        algorithm, date = fields.get("Algorithm", ""), fields.get("Date", "")
        lifetime = _lifetime(fields.get("Expires", ""))
        token = fields.get("Security-Token")
        if _header(request, "x-amz-security-token") is not None:
            raise _incomplete("The session token belongs where the signature is.")
    else:
        algorithm, _, rest = authorization[0].partition(" ")
        fields = dict(_FIELD.findall(rest))
        date = _header(request, "x-amz-date") or ""
        token = _header(request, "x-amz-security-token")
        lifetime = None
        if any(name == "X-Amz-Security-Token" for name, _ in query):
            raise _incomplete("The session token belongs where the signature is.")
    missing = [n for n in ("Credential", "SignedHeaders", "Signature") if n not in fields]
    if algorithm != _ALGORITHM or missing or not _DATE.fullmatch(date):
        raise _incomplete(
            f"An {_ALGORITHM} signature with Credential, SignedHeaders, Signature and an "
            "X-Amz-Date such as 20260131T235959Z is required."
        )
    # An access key may hold a slash only in theory; the last four parts never do.
    credential = fields["Credential"].rsplit("/", 4)
    if len(credential) != 5 or credential[4] != "aws4_request":  # noqa: PLR2004 - the five parts of a credential
        raise _incomplete("Credential must be KEY/YYYYMMDD/REGION/SERVICE/aws4_request.")
    if not _HEX256.fullmatch(fields["Signature"]):
        raise _incomplete("Signature must be 64 lower-case hexadecimal digits.")
    if token == "":
        raise _unrecognised()
    access_key, day, region, service, _ = credential
    return _Claim(
        access_key=access_key,
        session_token=token,
        day=day,
        scope=Scope(region, service),
        signed_headers=tuple(fields["SignedHeaders"].split(";")),
        signature=fields["Signature"],
        date=date,
        lifetime_s=lifetime,
    )


def _check_coverage(request: SignedRequest, claim: _Claim) -> None:
    """Nothing that changes the meaning of the request may be left unsigned."""
    present = {name.lower() for name, _ in request.headers}
    if list(claim.signed_headers) != sorted(set(claim.signed_headers)):
        raise _incomplete("SignedHeaders must be sorted, each name once.")
    required = {"host"} | {name for name in present if name.startswith("x-amz-")}
    if claim.lifetime_s is None:
        required.add("x-amz-date")
    unsigned = sorted(required - set(claim.signed_headers))
    if unsigned:
        raise _incomplete(f"SignedHeaders must include {', '.join(unsigned)}.")
    absent = sorted(set(claim.signed_headers) - present)
    if absent:
        raise _incomplete(f"The signed header {', '.join(absent)} is not in the request.")
    if sum(name.lower() == "host" for name, _ in request.headers) != 1:
        raise _incomplete("A request names exactly one host.")


def _check_body(request: SignedRequest) -> None:
    claimed_hash = _header(request, "x-amz-content-sha256")
    if claimed_hash is not None and not hmac.compare_digest(
        claimed_hash.encode(), request.body_sha256.encode()
    ):
        # Also refuses UNSIGNED-PAYLOAD and the streaming forms: the body must be signed.
        raise _invalid(
            "The provided 'x-amz-content-sha256' header does not match what was computed."
        )


def _check_time(when: float, lifetime_s: float | None, now: float) -> None:
    if when > now + MAX_SKEW_S:
        raise _invalid(
            f"Signature not yet current: {_stamp(when)} is still later than "
            f"{_stamp(now + MAX_SKEW_S)}."
        )
    earliest = now - (MAX_SKEW_S if lifetime_s is None else lifetime_s)
    if when < earliest:
        raise _invalid(f"Signature expired: {_stamp(when)} is now earlier than {_stamp(earliest)}.")


def _signature(secret: str, claim: _Claim, canonical: str) -> str:
    scope = f"{claim.day}/{claim.scope.region}/{claim.scope.service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(
        key, f"{_ALGORITHM}\n{claim.date}\n{scope}\n{digest}".encode(), "sha256"
    ).hex()


def _canonical_path(path: str) -> str:
    """Dot segments and empty ones removed (as every service but S3 does), then encoded again."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in {"", "."}:
            kept.append(segment)
    trailing = "/" if kept and path.endswith("/") else ""
    return quote(f"/{'/'.join(kept)}{trailing}", safe="/-_.~")


def _canonical_query(query: str) -> str:
    pairs = [
        (_encode(name), _encode(value))
        for name, value in (_split_pair(p) for p in query.split("&") if p)
        if unquote_to_bytes(name) != b"X-Amz-Signature"
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _query_pairs(query: str) -> list[tuple[str, str]]:
    return [
        (_text(name), _text(value))
        for name, value in (_split_pair(p) for p in query.split("&") if p)
    ]


def _split_pair(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    return name, value


def _encode(part: str) -> str:
    # Decoded first: `%7e`, `%7E` and `~` are the same character and must sign alike.
    return quote(unquote_to_bytes(part), safe="-_.~")


def _text(part: str) -> str:
    return unquote_to_bytes(part).decode("utf-8", "replace")


def _header(request: SignedRequest, name: str) -> str | None:
    found = [v for n, v in request.headers if n.lower() == name]
    return ",".join(found).strip() if found else None


def _lifetime(text: str) -> float:
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text) or int(text) > MAX_EXPIRES_S:
        raise _incomplete(f"X-Amz-Expires must be a number of seconds from 1 to {MAX_EXPIRES_S}.")
    return float(text)


def _seconds(stamp: str) -> float:
    # Of the form `_DATE`. Asked twice for a request, and `strptime` takes ten times as long.
    day, hours = stamp[:8], stamp[9:15]
    try:
        return datetime(
            int(day[:4]), int(day[4:6]), int(day[6:]),
            int(hours[:2]), int(hours[2:4]), int(hours[4:]), tzinfo=UTC,
        ).timestamp()  # fmt: skip
    except ValueError:
        raise _incomplete("X-Amz-Date is not a date.") from None


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


def _unrecognised() -> SignatureRefused:
    # One answer for an unknown key, one that is expired, and a token that is not this key's.
    return SignatureRefused(
        "UnrecognizedClientException", "The security token included in the request is invalid."
    )


def _invalid(message: str) -> SignatureRefused:
    return SignatureRefused("InvalidSignatureException", message)


def _incomplete(message: str) -> SignatureRefused:
    return SignatureRefused("IncompleteSignatureException", message)
