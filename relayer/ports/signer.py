"""Keys behind a seam: a file today, a KMS tomorrow. Private bytes never leave an implementation."""

from __future__ import annotations

from typing import Protocol


class Signer(Protocol):
    """Signs payloads with one key."""

    @property
    def public(self) -> bytes:
        """The public key as chains and records know it.

        secp256k1: the 20-byte address. Ed25519: the 32-byte key.
        """

    async def sign(self, payload: bytes) -> bytes:
        """The signature over a payload.

        secp256k1: 65 bytes r ‖ s ‖ v (27/28) over keccak256 of the payload. Ed25519: 64 bytes.
        Raises Unavailable when the key cannot be reached.
        """

    async def sign_digest(self, digest: bytes) -> bytes:
        """The signature over 32 bytes as they are, for chains that hash otherwise (Tron: sha256).

        secp256k1: 65 bytes r ‖ s ‖ v (27/28). Ed25519 has no such thing: ValueError.
        Raises Unavailable when the key cannot be reached.
        """
