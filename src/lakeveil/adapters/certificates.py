"""Certificates for mutual TLS between SeaweedFS's parts, made per installation.

    DIR/ca.crt                   whom the parts trust: nobody but the two below
    DIR/store.crt, store.key     the store's own parts, among each other
    DIR/client.crt, client.key   ours: the event bridge, and an operator's `weed shell`

The authority's private key is thrown away once it has signed, so nobody can join later.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lakeveil.adapters.credentials import private_directory, write_private

VALID_DAYS = 3650
RENEW_DAYS = 365
"""Certificates that expire sooner are replaced at the next start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Paths of a certificate and its private key, both PEM."""

    cert: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCertificates:
    """What mutual TLS needs; see the module's text."""

    ca: Path
    store: Pair
    client: Pair


def certificate_paths(directory: Path) -> StoreCertificates:
    """Where the certificates of `directory` lie, whether or not they are there yet."""
    return StoreCertificates(
        ca=directory / "ca.crt",
        store=Pair(cert=directory / "store.crt", key=directory / "store.key"),
        client=Pair(cert=directory / "client.crt", key=directory / "client.key"),
    )


def ensure_certificates(directory: Path, *, now: float) -> StoreCertificates:
    """Load the certificates in `directory`, or make them when absent or soon to expire.

    Call it only while the store is stopped: all files are replaced together.
    """
    paths = certificate_paths(private_directory(directory))
    at = dt.datetime.fromtimestamp(now, dt.UTC)
    if not _good(paths, at):
        _make(paths, at)
    return paths


def _good(paths: StoreCertificates, at: dt.datetime) -> bool:
    try:
        ca = x509.load_pem_x509_certificate(paths.ca.read_bytes())
        for pair in (paths.store, paths.client):
            cert = x509.load_pem_x509_certificate(pair.cert.read_bytes())
            cert.verify_directly_issued_by(ca)
            key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
            if key.public_key() != cert.public_key():
                return False
            if cert.not_valid_after_utc < at + dt.timedelta(days=RENEW_DAYS):
                return False
    except Exception:  # noqa: BLE001 - whatever is wrong with them, the cure is new ones
        return False
    return True


def _make(paths: StoreCertificates, at: dt.datetime) -> None:
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("Lakeveil embedded store")
    ca = (
        _builder(ca_name, ca_name, ca_key.public_key(), at)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    for name, pair in (("store", paths.store), ("client", paths.client)):
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if name == "store":
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
        cert = (
            _builder(_name(f"lakeveil-{name}"), ca_name, key.public_key(), at)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(
                x509.SubjectAlternativeName(
                    [
                        x509.DNSName("localhost"),
                        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                    ]
                ),
                critical=False,
            )
            .sign(ca_key, hashes.SHA256())
        )
        write_private(pair.cert, cert.public_bytes(serialization.Encoding.PEM))
        write_private(
            pair.key,
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )
    # Last: a start that died in between leaves files that do not verify, and they are made anew.
    write_private(paths.ca, ca.public_bytes(serialization.Encoding.PEM))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, at: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # A day back, for clocks that are set right after the first start.
        .not_valid_before(at - dt.timedelta(days=1))
        .not_valid_after(at + dt.timedelta(days=VALID_DAYS))
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
