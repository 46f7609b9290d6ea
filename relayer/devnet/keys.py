"""The keys of a local world, made from names so that every start has the same ones.

They are published on purpose and guard nothing: never use them on a public chain.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from relayer.ports.signer import Signer
from relayer.signing.local import Ed25519Signer, Secp256k1Signer

ATTESTERS: Final = ("one", "two", "three")
QUORUM: Final = 2


def secret(name: str) -> bytes:
    """The 32 secret bytes of a name."""
    return hashlib.sha256(f"xstocks-relayer devnet key: {name}".encode()).digest()


def evm(name: str) -> Signer:
    """The EVM and Tron key of a name."""
    return Secp256k1Signer(secret(name))


def ed25519(name: str) -> Signer:
    """The Solana, monitor or operator key of a name."""
    return Ed25519Signer(secret(name))


@dataclass(frozen=True, slots=True)
class User:
    """A user of the local world, with one key per family."""

    number: int

    @property
    def evm_secret(self) -> bytes:
        """The key on BNB Chain and Tron."""
        return secret(f"user {self.number} evm")

    @property
    def evm_signer(self) -> Signer:
        """That key as a signer."""
        return Secp256k1Signer(self.evm_secret)

    @property
    def solana_secret(self) -> bytes:
        """The key on Solana."""
        return secret(f"user {self.number} solana")
