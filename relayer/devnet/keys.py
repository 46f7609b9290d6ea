"""The keys of a world, made from names so that every start has the same ones.

Those of a local world are published on purpose and guard nothing: never use one on a public chain.
A world on nodes that others can reach makes its own from a secret (`Keyring.private`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Self

from relayer.ports.signer import Signer
from relayer.signing.local import Ed25519Signer, Secp256k1Signer

ATTESTERS: Final = ("one", "two", "three")
QUORUM: Final = 2


@dataclass(frozen=True, slots=True)
class Keyring:
    """All keys of one world, from some words and their names."""

    words: bytes = field(default=b"xstocks-relayer devnet key", repr=False)

    @classmethod
    def private(cls, secrets: Iterable[bytes]) -> Self:
        """The ring that only those who know ``secrets`` can make, the same each time."""
        return cls(hashlib.sha256(b"xstocks-relayer demo" + b"".join(secrets)).digest())

    def secret(self, name: str) -> bytes:
        """The 32 secret bytes of a name."""
        return hashlib.sha256(self.words + f": {name}".encode()).digest()

    def evm(self, name: str) -> Signer:
        """The EVM and Tron key of a name."""
        return Secp256k1Signer(self.secret(name))

    def ed25519(self, name: str) -> Signer:
        """The Solana, monitor or operator key of a name."""
        return Ed25519Signer(self.secret(name))

    def user(self, number: int) -> User:
        """A user's keys."""
        return User(number=number, ring=self)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user of a world, with one key per family."""

    number: int
    ring: Keyring = field(default_factory=Keyring)

    @property
    def evm_secret(self) -> bytes:
        """The key on BNB Chain and Tron."""
        return self.ring.secret(f"user {self.number} evm")

    @property
    def evm_signer(self) -> Signer:
        """That key as a signer."""
        return Secp256k1Signer(self.evm_secret)

    @property
    def solana_secret(self) -> bytes:
        """The key on Solana."""
        return self.ring.secret(f"user {self.number} solana")


PUBLISHED: Final = Keyring()
"""The keys of every local world."""

secret, evm, ed25519 = PUBLISHED.secret, PUBLISHED.evm, PUBLISHED.ed25519
