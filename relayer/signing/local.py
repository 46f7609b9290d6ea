"""Keys in this process: from bytes, or from a file that nobody else may read.

Private bytes show in no repr and in no error.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Final

import base58
import coincurve
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from eth_hash.auto import keccak

from relayer.domain.errors import SettingRefused

_KEY_BYTES: Final = 32
_HEX_KEY = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")


class Secp256k1Signer:
    """A key of EVM and Tron chains."""

    __slots__ = ("_key", "_public")

    def __init__(self, secret: bytes) -> None:
        """Take a 32-byte private key; SettingRefused if it is none."""
        try:
            self._key = coincurve.PrivateKey(_exactly(secret, (_KEY_BYTES,)))
        except ValueError:
            raise SettingRefused("the secp256k1 key is not a number below the order") from None
        self._public = keccak(self._key.public_key.format(compressed=False)[1:])[12:]

    @property
    def public(self) -> bytes:
        """The 20-byte address."""
        return self._public

    async def sign(self, payload: bytes) -> bytes:
        """65 bytes r ‖ s ‖ v (27/28) over keccak256 of the payload; deterministic, s is low."""
        return self._sign(keccak(payload))

    async def sign_digest(self, digest: bytes) -> bytes:
        """65 bytes r ‖ s ‖ v (27/28) over a 32-byte digest; ValueError for another length."""
        return self._sign(digest)

    def _sign(self, digest: bytes) -> bytes:
        compact = self._key.sign_recoverable(digest, hasher=None)
        return compact[:64] + bytes([compact[64] + 27])

    def __repr__(self) -> str:
        return f"Secp256k1Signer(0x{self._public.hex()})"


class Ed25519Signer:
    """A key of Solana, or of a monitor or operator."""

    __slots__ = ("_key", "_public")

    def __init__(self, secret: bytes) -> None:
        """Take a 32-byte seed, or Solana's 64 bytes (seed and public key); else SettingRefused."""
        seed = _exactly(secret, (_KEY_BYTES, 2 * _KEY_BYTES))[:_KEY_BYTES]
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        if len(secret) > _KEY_BYTES and secret[_KEY_BYTES:] != self._public:
            raise SettingRefused("the second half of the Ed25519 key is not its public key")

    @property
    def public(self) -> bytes:
        """The 32-byte key."""
        return self._public

    async def sign(self, payload: bytes) -> bytes:
        """64 bytes over the payload."""
        return self._key.sign(payload)

    async def sign_digest(self, digest: bytes) -> bytes:  # noqa: ARG002 - Ed25519 hashes by itself
        """Not possible with this curve: ValueError."""
        raise ValueError("Ed25519 signs payloads, not digests")

    def __repr__(self) -> str:
        return f"Ed25519Signer({base58.b58encode(self._public).decode()})"


def read_secret(path: Path) -> bytes:
    """The private key in a file: hex, base58, or Solana's JSON list of numbers.

    SettingRefused if the file cannot be read, others may read it, or it holds no key.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingRefused(f"the key file {path} cannot be read: {_why(error)}") from None
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise SettingRefused(f"the key file {path} is open to everyone: chmod 600 {path}")
    return parse_secret(text, str(path))


def parse_secret(text: str, name: str) -> bytes:
    """The private key in a text: hex, base58, or a JSON list of numbers; SettingRefused otherwise.

    ``name`` says in errors where the text came from; the text itself is never shown.
    """
    stripped = text.strip()
    if match := _HEX_KEY.fullmatch(stripped):
        return bytes.fromhex(match.group(1))
    try:
        if stripped.startswith("["):
            secret = bytes(int(part) for part in stripped.strip("[]").split(","))
        else:
            secret = base58.b58decode(stripped)
    except ValueError:
        secret = b""
    if len(secret) not in (_KEY_BYTES, 2 * _KEY_BYTES):
        wanted = "32 bytes in hex, or 32 or 64 bytes in base58 or as a JSON list"
        raise SettingRefused(f"{name} holds no private key: {wanted}")
    return secret


def _exactly(secret: bytes, lengths: tuple[int, ...]) -> bytes:
    if len(secret) not in lengths:
        wanted = " or ".join(map(str, lengths))
        raise SettingRefused(f"a private key has {wanted} bytes, not {len(secret)}")
    return secret


def _why(error: OSError | UnicodeDecodeError) -> str:
    return "it is not text" if isinstance(error, UnicodeDecodeError) else str(error.strerror)
