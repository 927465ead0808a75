"""Tokens of a real little issuer: the good ones open, every other kind is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey

from lakeveil.adapters.clock import ManualClock
from lakeveil.adapters.identity.issuers import IssuerTable
from lakeveil.adapters.oidc import KEEP_S, LOOK_AGAIN_S, OidcVerifier
from lakeveil.core.identity.directory import Issuer
from lakeveil.errors import Refused, Unavailable
from tests.identity_parts import ACCOUNT, OTHER, identity_in
from tests.oidc_issuer import OidcIssuer, rsa_key, running_issuer


@dataclass
class Login:
    """An issuer that one account believes, and who checks its tokens."""

    issuer: OidcIssuer
    verifier: OidcVerifier
    issuers: IssuerTable
    clock: ManualClock

    def claims(self, **more: Any) -> dict[str, Any]:
        now = self.clock.now()
        usual = {
            "iss": self.issuer.url, "aud": "lake", "sub": "ana", "iat": now, "exp": now + 300,
            "groups": ["analysts"],
        }  # fmt: skip
        return {**usual, **more}

    def refusal(self, token: str, *, account: str = ACCOUNT) -> Refused:
        with pytest.raises(Refused) as refusal:
            self.verifier.verify(token, account=account)
        # Whatever is wrong with it, it may still open something elsewhere.
        told = f"{refusal.value.what} {refusal.value.why} {refusal.value.fix}"
        assert not [part for part in token.split(".") if len(part) > 8 and part in told]
        return refusal.value


@pytest.fixture
def login(tmp_path: Path) -> Iterator[Login]:
    with running_issuer() as issuer, identity_in(tmp_path / "home") as identity:
        identity.store.issuers.add(
            Issuer(account=ACCOUNT, name="dev", url=issuer.url, audiences=("lake",))
        )
        verifier = OidcVerifier(identity.store.issuers, identity.clock, timeout_s=0.75)
        yield Login(issuer, verifier, identity.store.issuers, identity.clock)


def test_a_good_token_says_who_bears_it(login: Login) -> None:
    found = login.verifier.verify(login.issuer.token(login.claims()), account=ACCOUNT)
    assert (found.subject, found.audience, found.issuer.name) == ("ana", "lake", "dev")
    assert found.identities == (
        f"arn:aws:iam::{ACCOUNT}:saml-provider/dev:group/analysts",
        f"arn:aws:iam::{ACCOUNT}:saml-provider/dev:user/ana",
    )


@pytest.mark.parametrize(
    "key",
    [
        ECKey.generate_key("P-256", {"kid": "ec"}),
        OKPKey.generate_key("Ed25519", {"kid": "okp"}),
        rsa_key("rsa", 3072),
    ],
    ids=["ES256", "EdDSA", "RS256"],
)
def test_each_algorithm_that_is_accepted_is(login: Login, key: Any) -> None:
    login.issuer.keys = [key]
    token = login.issuer.token(login.claims())
    assert login.verifier.verify(token, account=ACCOUNT).subject == "ana"


def test_the_older_name_of_an_algorithm_is_as_good(login: Login) -> None:
    login.issuer.keys = [OKPKey.generate_key("Ed25519", {"kid": "okp"})]
    claims = login.claims()
    with pytest.warns(SecurityWarning, match="RFC 9864"):
        token = login.issuer.token(claims, header={"alg": "EdDSA"})
    assert login.verifier.verify(token, account=ACCOUNT).subject == "ana"


def test_keys_are_read_once_for_many_tokens(login: Login) -> None:
    for _ in range(5):
        login.verifier.verify(login.issuer.token(login.claims()), account=ACCOUNT)
    assert login.issuer.reads == 1


# --- tokens that are not good ----------------------------------------------------------------


def test_another_issuers_token_is_refused(login: Login) -> None:
    with running_issuer() as mallory:
        mallory.keys = [rsa_key("first")]
        assert login.refusal(mallory.token(login.claims(iss=mallory.url))).code == "invalid_token"
        # Or one that says it is ours, signed with a key of the same name.
        assert login.refusal(mallory.token(login.claims())).code == "invalid_token"


def test_an_issuer_of_another_account_is_nobody_here(login: Login) -> None:
    token = login.issuer.token(login.claims())
    assert login.refusal(token, account=OTHER).code == "invalid_token"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"aud": "another"}, "invalid_token"),
        ({"aud": None}, "invalid_token"),
        ({"iss": ["x"]}, "invalid_token"),
        ({"exp": 1}, "token_expired"),
        ({"exp": None}, "invalid_token"),
        ({"nbf": 2**40}, "invalid_token"),
        ({"iat": 2**40}, "invalid_token"),
        ({"sub": None}, "invalid_token"),
    ],
)
def test_a_signed_token_with_a_wrong_claim_is_refused(
    login: Login, change: dict[str, Any], code: str
) -> None:
    assert login.refusal(login.issuer.token(login.claims(**change))).code == code


def test_a_token_expires(login: Login) -> None:
    token = login.issuer.token(login.claims())
    login.clock.sleep(329)
    login.verifier.verify(token, account=ACCOUNT)
    login.clock.sleep(1)
    assert login.refusal(token).code == "token_expired"


def test_a_token_without_a_signature_is_refused(login: Login) -> None:
    assert "RS256" in login.refusal(login.issuer.unsigned_token(login.claims())).why


def test_a_published_key_is_no_shared_secret(login: Login) -> None:
    assert "RS256" in login.refusal(login.issuer.shared_secret_token(login.claims())).why


def test_an_issuer_that_publishes_a_shared_secret_is_not_believed(login: Login) -> None:
    secret = OctKey.generate_key(256, {"kid": "oct"})
    login.issuer.published = [secret.as_dict(private=True)]
    token = login.issuer.token(login.claims(), header={"kid": "oct"})
    assert "does not publish" in login.refusal(token).why


@pytest.mark.parametrize("algorithm", ["PS256", "RS512"])
def test_other_algorithms_are_refused_even_with_a_good_signature(
    login: Login, algorithm: str
) -> None:
    from joserfc import jwt

    key = login.issuer.keys[0]
    token = jwt.encode(
        {"alg": algorithm, "kid": key.kid}, login.claims(), key, algorithms=[algorithm]
    )
    assert "RS256" in login.refusal(token).why


def test_a_key_of_one_kind_checks_no_signature_of_another(login: Login) -> None:
    elliptic = ECKey.generate_key("P-256", {"kid": "first"})
    assert "another kind" in login.refusal(login.issuer.token(login.claims(), key=elliptic)).why


def test_keys_that_are_too_weak_or_not_for_signatures_are_not_used(login: Login) -> None:
    with pytest.warns(SecurityWarning, match="2048"):
        weak = rsa_key("weak", 1024)
    login.issuer.published = [
        weak.as_dict(private=False),
        {**rsa_key("encrypts").as_dict(private=False), "use": "enc"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        {"kty": "RSA", "kid": "broken", "n": 7, "e": "AQAB"},
        {"kty": "EC", "kid": "broken", "crv": "P-256"},
        {"kty": "FUTURE", "kid": "future"},
        {**rsa_key("wraps").as_dict(private=False), "alg": "RSA-OAEP"},
        "nonsense",
    ]
    weakly = login.issuer.token(login.claims(), key=weak)
    assert "does not publish" in login.refusal(weakly).why
    for key_id in ("encrypts", "wraps", "broken", "future"):
        login.clock.sleep(LOOK_AGAIN_S)
        token = login.issuer.token(login.claims(), header={"kid": key_id})
        assert "does not publish" in login.refusal(token).why
    # The others are as good as ever.
    login.verifier.verify(login.issuer.token(login.claims()), account=ACCOUNT)


def test_a_token_that_names_no_key_or_asks_for_more_is_refused(login: Login) -> None:
    for header in ({"kid": ""}, {"crit": ["b64"], "b64": True}):
        assert login.refusal(login.issuer.token(login.claims(), header=header)).code == (
            "invalid_token"
        )


def test_a_changed_token_is_refused(login: Login) -> None:
    head, body, signature = login.issuer.token(login.claims()).split(".")
    other = login.issuer.token(login.claims(sub="bob")).split(".")[1]
    assert login.refusal(f"{head}.{other}.{signature}").code == "invalid_token"
    assert login.refusal(f"{head}.{body}.{signature[:-8]}AAAAAAAA").code == "invalid_token"
    assert login.refusal(f"{head}.{body}.").code == "invalid_token"


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b.c", "....", "\u00e4.\u00f6.x", "x" * 30_000, "e30.e30.e30", "bnVsbA.bnVsbA.x"],
)
def test_what_is_no_token_is_refused(login: Login, token: str) -> None:
    assert login.refusal(token).code == "invalid_token"


# --- keys that change, issuers that fail --------------------------------------------------------


def test_a_rotated_key_is_good_at_once_and_the_old_one_no_longer(login: Login) -> None:
    old = login.issuer.token(login.claims())
    login.verifier.verify(old, account=ACCOUNT)
    login.issuer.keys = [rsa_key("second")]
    login.clock.sleep(LOOK_AGAIN_S)
    login.verifier.verify(login.issuer.token(login.claims()), account=ACCOUNT)
    assert "does not publish" in login.refusal(old).why


def test_unknown_keys_make_us_ask_the_issuer_only_so_often(login: Login) -> None:
    token = login.issuer.token(login.claims(), header={"kid": "unknown"})
    for _ in range(5):
        login.refusal(token)
    assert login.issuer.reads == 1
    login.clock.sleep(LOOK_AGAIN_S)
    login.refusal(token)
    assert login.issuer.reads == 2


def test_a_withdrawn_key_is_forgotten_within_the_hour(login: Login) -> None:
    token = login.issuer.token(login.claims(exp=login.clock.now() + 2 * KEEP_S))
    login.verifier.verify(token, account=ACCOUNT)
    login.issuer.keys = [rsa_key("second")]
    login.clock.sleep(KEEP_S)
    assert "does not publish" in login.refusal(token).why


@pytest.mark.parametrize("behaviour", ["down", "redirect", "large", "garbage", "slow"])
def test_an_issuer_that_does_not_answer_as_it_should_lets_nobody_in(
    login: Login, behaviour: str
) -> None:
    login.issuer.behaviour = behaviour
    token = login.issuer.token(login.claims())
    began = time.monotonic()
    with pytest.raises(Unavailable) as refusal:
        login.verifier.verify(token, account=ACCOUNT)
    assert time.monotonic() - began < 1.4
    assert refusal.value.code == "issuer_unavailable"
    # Nor do those that come after wait for it again.
    with pytest.raises(Unavailable):
        login.verifier.verify(token, account=ACCOUNT)
    login.issuer.behaviour = ""
    login.clock.sleep(LOOK_AGAIN_S)
    login.verifier.verify(token, account=ACCOUNT)


def test_keys_that_are_known_outlast_an_outage_but_not_their_hour(login: Login) -> None:
    token = login.issuer.token(login.claims(exp=login.clock.now() + 2 * KEEP_S))
    login.verifier.verify(token, account=ACCOUNT)
    login.issuer.behaviour = "down"
    login.clock.sleep(KEEP_S - 1)
    login.verifier.verify(token, account=ACCOUNT)
    login.clock.sleep(1)
    with pytest.raises(Unavailable):
        login.verifier.verify(token, account=ACCOUNT)


def test_nobody_listening_is_an_issuer_that_does_not_answer(login: Login) -> None:
    login.issuers.add(
        Issuer(account=ACCOUNT, name="gone", url="http://127.0.0.1:1", audiences=("lake",))
    )
    token = login.issuer.token(login.claims(iss="http://127.0.0.1:1"))
    with pytest.raises(Unavailable):
        login.verifier.verify(token, account=ACCOUNT)


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"jwks_uri": "http://keys.example.com/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": None},
    ],
)
def test_a_discovery_document_that_leads_elsewhere_is_not_followed(
    login: Login, discovery: dict[str, Any]
) -> None:
    login.issuer.discovery = discovery
    with pytest.raises(Unavailable):
        login.verifier.verify(login.issuer.token(login.claims()), account=ACCOUNT)


def test_two_keys_of_one_name_are_none(login: Login) -> None:
    login.issuer.published = [rsa_key("first").as_dict(private=False)]
    with pytest.raises(Unavailable):
        login.verifier.verify(login.issuer.token(login.claims()), account=ACCOUNT)


def test_an_issuer_that_was_removed_is_not_believed(login: Login) -> None:
    token = login.issuer.token(login.claims())
    login.verifier.verify(token, account=ACCOUNT)
    login.issuers.remove(ACCOUNT, "dev")
    assert login.refusal(token).code == "invalid_token"
