from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import base58
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from eth_account import Account as EthAccount
from eth_hash.auto import keccak
from eth_keys.datatypes import Signature
from hypothesis import given
from hypothesis import strategies as st

from relayer.domain.errors import SettingRefused
from relayer.ports.signer import Signer
from relayer.signing.local import Ed25519Signer, Secp256k1Signer, parse_secret, read_secret

SECRETS = st.binary(min_size=32, max_size=32).filter(
    lambda b: 0 < int.from_bytes(b, "big") < 2**255
)
KINDS: list[Callable[[bytes], Signer]] = [Secp256k1Signer, Ed25519Signer]


@pytest.mark.parametrize("kind", KINDS)
@given(secret=SECRETS)
def test_a_key_never_shows_its_secret(kind: Callable[[bytes], Signer], secret: bytes) -> None:
    """Neither repr nor str of a signer holds the private bytes in any usual form."""
    shown = repr(kind(secret)) + str(kind(secret))

    assert secret.hex() not in shown.lower()
    assert base58.b58encode(secret).decode() not in shown


@given(secret=SECRETS, payload=st.binary(max_size=200))
async def test_secp256k1_signs_as_ethereum_does(secret: bytes, payload: bytes) -> None:
    """65 bytes r, s, v over keccak256, recoverable to the address that eth-account derives."""
    signer = Secp256k1Signer(secret)

    signature = await signer.sign(payload)

    assert signer.public.hex() == EthAccount.from_key(secret).address[2:].lower()
    assert signature[64] in (27, 28)
    plain = Signature(signature[:64] + bytes([signature[64] - 27]))
    recovered = plain.recover_public_key_from_msg_hash(keccak(payload)).to_canonical_address()
    assert recovered == signer.public
    assert await signer.sign_digest(keccak(payload)) == signature


@given(secret=SECRETS, payload=st.binary(max_size=200))
async def test_ed25519_signs_the_payload_itself(secret: bytes, payload: bytes) -> None:
    """64 bytes that the public key verifies."""
    signer = Ed25519Signer(secret)

    Ed25519PublicKey.from_public_bytes(signer.public).verify(await signer.sign(payload), payload)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("secret", [b"", b"\1" * 31, b"\1" * 33])
def test_a_key_of_the_wrong_length_is_refused(
    kind: Callable[[bytes], Signer], secret: bytes
) -> None:
    """Half a key signs nothing."""
    with pytest.raises(SettingRefused):
        kind(secret)


def test_a_number_that_is_no_secp256k1_key_is_refused() -> None:
    """Zero, and what is above the order of the curve."""
    for secret in (bytes(32), b"\xff" * 32):
        with pytest.raises(SettingRefused):
            Secp256k1Signer(secret)


@given(SECRETS)
def test_every_usual_form_of_a_key_is_read(secret: bytes) -> None:
    """Hex with and without 0x, base58, and Solana's JSON list with both halves."""
    whole = secret + Ed25519Signer(secret).public

    assert parse_secret(secret.hex(), "k") == secret
    assert parse_secret("0x" + secret.hex(), "k") == secret
    assert parse_secret(base58.b58encode(whole).decode(), "k") == whole
    assert Ed25519Signer(parse_secret(str(list(whole)), "k")).public == whole[32:]


def test_halves_that_do_not_belong_together_are_refused() -> None:
    """A 64-byte key whose second half is another key's is a mistake, not a key."""
    with pytest.raises(SettingRefused, match="second half"):
        Ed25519Signer(b"\1" * 32 + b"\2" * 32)


def test_a_key_file_open_to_everyone_is_refused(tmp_path: Path) -> None:
    """With the way to close it; closed, it is read."""
    file = tmp_path / "key"
    file.write_text("11" * 32)
    file.chmod(0o644)
    with pytest.raises(SettingRefused, match="chmod 600"):
        read_secret(file)

    file.chmod(0o600)
    assert read_secret(file) == b"\x11" * 32


def test_what_is_no_key_is_refused_without_being_shown(tmp_path: Path) -> None:
    """A wrong file is named; its content is not."""
    file = tmp_path / "key"
    file.write_text("hunter2-hunter2")
    file.chmod(0o600)

    with pytest.raises(SettingRefused) as refused:
        read_secret(file)

    assert str(file) in str(refused.value)
    assert "hunter2" not in str(refused.value)
