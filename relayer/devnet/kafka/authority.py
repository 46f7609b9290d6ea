"""Certificates of a local cluster: an authority made on the spot, and what it vouches for."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

LIFE: Final = timedelta(days=1)
HOSTS: Final = ("127.0.0.1", "localhost")
"""Where a local broker is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A certificate and its key, each a PEM file."""

    certificate: Path
    key: Path

    def bundle(self) -> Path:
        """Return a file of both, as a broker takes them."""
        path = self.key.with_suffix(".both.pem")
        path.touch(mode=0o600)
        path.write_bytes(self.key.read_bytes() + self.certificate.read_bytes())
        return path


class Authority:
    """Who signs the brokers and, for mTLS, the clients; its files lie in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        """Make the authority's key, which is never written down, and its certificate."""
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = _named(f"devnet authority {folder.name}")
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "authority.pem"
        """What clients must know to trust the brokers."""
        made = self._draft(self._name, self._key.public_key(), LIFE).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def issue(self, name: str, hosts: tuple[str, ...] = HOSTS, life: timedelta = LIFE) -> Identity:
        """Vouch for a name (the common name) and its hosts; a negative life has ended already."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._draft(_named(name), key.public_key(), life).add_extension(
            x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False
        )
        identity = Identity(
            certificate=self._folder / f"{name}.pem", key=self._folder / f"{name}.key.pem"
        )
        identity.certificate.write_bytes(
            made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
        )
        identity.key.touch(mode=0o600)
        identity.key.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        return identity

    def _draft(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, life: timedelta
    ) -> x509.CertificateBuilder:
        ends = datetime.now(UTC) + life
        return x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=key,
            serial_number=x509.random_serial_number(),
            not_valid_before=min(datetime.now(UTC), ends) - LIFE,
            not_valid_after=ends,
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
