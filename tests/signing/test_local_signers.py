"""Local keys keep the promises of ports/signer.py, and show their private bytes nowhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import base58
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from eth_account import Account
from eth_account.messages import SignableMessage
from eth_hash.auto import keccak
from eth_keys.datatypes import Signature
from hypothesis import given
from hypothesis import strategies as st

from relayer.domain.errors import SettingRefused
from relayer.ports.signer import Signer
from relayer.signing.local import Ed25519Signer, Secp256k1Signer, parse_secret, read_secret

SECRET = bytes(range(1, 33))
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
MAKERS: list[Callable[[bytes], Signer]] = [Secp256k1Signer, Ed25519Signer]


def recovered(digest: bytes, signature: bytes) -> bytes:
    """The address behind a signature, as eth_keys finds it."""
    compact = signature[:64] + bytes([signature[64] - 27])
    key = Signature(compact).recover_public_key_from_msg_hash(digest)
    return key.to_canonical_address()


@given(st.binary(max_size=300))
async def test_a_secp256k1_signature_is_over_the_payloads_keccak(payload: bytes) -> None:
    """Another library recovers the signer, and the signature is the canonical one."""
    signer = Secp256k1Signer(SECRET)
    signature = await signer.sign(payload)
    assert recovered(keccak(payload), signature) == signer.public
    assert len(signature) == 65
    assert signature[64] in (27, 28)
    assert int.from_bytes(signature[32:64], "big") <= ORDER // 2
    assert signature == await signer.sign(payload)


async def test_a_bare_digest_is_signed_as_it_is() -> None:
    """Tron's sha256 is not hashed again; what is no digest is refused."""
    signer = Secp256k1Signer(SECRET)
    digest = hashlib.sha256(b"a transaction").digest()
    assert recovered(digest, await signer.sign_digest(digest)) == signer.public
    with pytest.raises(ValueError, match="32"):
        await signer.sign_digest(b"short")


async def test_eip712_signatures_are_those_of_eth_account() -> None:
    """A payload 0x1901, domain, struct gives the very bytes that wallets give."""
    domain, struct = b"\x01" * 32, b"\x02" * 32
    signable = SignableMessage(version=b"\x01", header=domain, body=struct)
    expected = Account.from_key(SECRET).sign_message(signable).signature
    assert await Secp256k1Signer(SECRET).sign(b"\x19\x01" + domain + struct) == bytes(expected)


@given(st.binary(max_size=300))
async def test_an_ed25519_signature_is_over_the_payload(payload: bytes) -> None:
    """The public key verifies it."""
    signer = Ed25519Signer(SECRET)
    signature = await signer.sign(payload)
    Ed25519PublicKey.from_public_bytes(signer.public).verify(signature, payload)
    assert len(signature) == 64


async def test_ed25519_signs_no_digest() -> None:
    """What the curve does not have is refused, not imitated."""
    with pytest.raises(ValueError, match="digest"):
        await Ed25519Signer(SECRET).sign_digest(bytes(32))


@pytest.mark.parametrize("make", MAKERS)
def test_a_signer_shows_its_public_key_only(make: Callable[[bytes], Signer]) -> None:
    """No form of the private key stands in what is printed or kept in attributes by name."""
    shown = repr(make(SECRET)) + str(make(SECRET))
    assert SECRET.hex() not in shown
    assert base58.b58encode(SECRET).decode() not in shown
    assert not hasattr(make(SECRET), "__dict__")


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("length", [0, 31, 33, 63])
def test_a_key_of_another_length_is_refused(make: Callable[[bytes], Signer], length: int) -> None:
    """The error says the length, never the bytes."""
    with pytest.raises(SettingRefused) as refused:
        make(b"\x7a" * length)
    assert "7a7a" not in str(refused.value)


def test_numbers_that_are_no_key_are_refused() -> None:
    """Zero and the order of the curve are no private keys."""
    for number in (0, ORDER):
        with pytest.raises(SettingRefused):
            Secp256k1Signer(number.to_bytes(32, "big"))


def test_a_key_pair_that_does_not_belong_together_is_refused() -> None:
    """Solana's 64 bytes are checked before they are used."""
    public = Ed25519Signer(SECRET).public
    assert Ed25519Signer(SECRET + public).public == public
    with pytest.raises(SettingRefused):
        Ed25519Signer(SECRET + bytes(32))


@pytest.mark.parametrize(
    "text",
    [
        SECRET.hex(),
        "0x" + SECRET.hex().upper(),
        f"  {SECRET.hex()}\n",
        base58.b58encode(SECRET).decode(),
        json.dumps(list(SECRET)),
    ],
)
def test_keys_are_read_in_the_forms_people_have(tmp_path: Path, text: str) -> None:
    """Hex, base58 and a JSON list name the same key."""
    file = tmp_path / "key"
    file.write_text(text, encoding="ascii")
    file.chmod(0o600)
    assert read_secret(file) == SECRET


@pytest.mark.parametrize("text", ["", "hunter2-secret", "[1, 2, 999]", "0x12", "ä" * 10])
def test_what_is_no_key_is_refused_unseen(tmp_path: Path, text: str) -> None:
    """The error names the file and never its content."""
    file = tmp_path / "key"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    with pytest.raises(SettingRefused) as refused:
        read_secret(file)
    assert str(file) in str(refused.value)
    assert not text or text not in str(refused.value).replace(str(file), "")


def test_a_key_file_open_to_everyone_is_refused(tmp_path: Path) -> None:
    """A key that all may read is taken for a lost one."""
    file = tmp_path / "key"
    file.write_text(SECRET.hex(), encoding="ascii")
    file.chmod(0o644)
    with pytest.raises(SettingRefused, match="chmod 600"):
        read_secret(file)


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    """The error says which file cannot be read."""
    with pytest.raises(SettingRefused, match="no-such-key"):
        read_secret(tmp_path / "no-such-key")


def test_the_error_of_a_bad_key_carries_no_cause_with_its_bytes() -> None:
    """Nothing that a traceback prints holds the text."""
    with pytest.raises(SettingRefused) as refused:
        parse_secret("not-a-key-but-secret", "the setting")
    assert refused.value.__cause__ is None
    assert "not-a-key" not in str(refused.value)
