"""Tron transactions built here, byte for byte, and never taken from a node.

tronpy's protobuf messages serve; its builder does not, because it signs the id that a node
names and drops fields from the id of an offline transaction. tronpy has no message for
``CreateSmartContract``, which only deploying needs, so its few fields are written by hand.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from eth_hash.auto import keccak
from google.protobuf.any_pb2 import Any as Packed
from tronpy.proto import tron_pb2

from relayer.chains.tron.codec import Block, tron_address
from relayer.ports.signer import Signer

_URL: Final = "type.googleapis.com/protocol."
_CREATE: Final = "CreateSmartContract"
_TRANSFER: Final = "TransferContract"
_TRIGGER: Final = "TriggerSmartContract"
_RESULT_BYTES: Final = 64
"""Bandwidth that the chain charges for the outcome which it appends to a transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What every transaction needs beside its call.

    ``reference`` is a solid block: a reference that vanishes in a reorg would make the signed
    bytes worthless for ever. ``expiration_ms`` is chain time; ``fee_limit`` is sun.
    """

    reference: Block
    expiration_ms: int
    timestamp_ms: int
    fee_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A signed transaction: its id (known before it is sent) and its bytes."""

    tx: str
    raw: bytes


async def seal_call(
    signer: Signer, contract: bytes, data: bytes, frame: Frame, *, sun: int = 0
) -> Sealed:
    """A signed call of a contract (21 bytes) by the signer, with ``sun`` attached."""
    owner = tron_address(signer.public)
    call = tron_pb2.TriggerSmartContract(
        owner_address=owner, contract_address=contract, call_value=sun, data=data
    )
    return await _seal(signer, _TRIGGER, call.SerializeToString(), frame)


async def seal_gift(signer: Signer, to: bytes, sun: int, frame: Frame) -> Sealed:
    """A signed transfer of sun to an account (21 bytes), which begins to exist with it."""
    gift = tron_pb2.TransferContract(
        owner_address=tron_address(signer.public), to_address=to, amount=sun
    )
    return await _seal(signer, _TRANSFER, gift.SerializeToString(), frame)


async def seal_create(
    signer: Signer, name: str, bytecode: bytes, frame: Frame, *, origin_energy: int
) -> tuple[Sealed, bytes]:
    """A signed deployment and the 21-byte address that the contract will have.

    Callers pay all energy of calls (``consume_user_resource_percent`` 100), so ``origin_energy``
    is only the form that the chain asks for.
    """
    owner = tron_address(signer.public)
    contract = b"".join(
        (
            _bytes_field(1, owner),
            _bytes_field(4, bytecode),
            _int_field(6, 100),
            _bytes_field(7, name.encode()),
            _int_field(8, origin_energy),
        )
    )
    message = _bytes_field(1, owner) + _bytes_field(2, contract)
    sealed = await _seal(signer, _CREATE, message, frame)
    return sealed, tron_address(keccak(bytes.fromhex(sealed.tx) + owner)[-20:])


def bandwidth_of(raw: bytes) -> int:
    """Bytes that the chain charges for a signed transaction."""
    return len(raw) + _RESULT_BYTES


async def _seal(signer: Signer, kind: str, message: bytes, frame: Frame) -> Sealed:
    raw_data = _raw_data(kind, message, frame)
    digest = hashlib.sha256(raw_data.SerializeToString()).digest()
    signature = await signer.sign_digest(digest)
    signed = tron_pb2.Transaction(raw_data=raw_data, signature=[signature])
    return Sealed(tx=digest.hex(), raw=signed.SerializeToString())


def _raw_data(kind: str, message: bytes, frame: Frame) -> Any:
    contract = tron_pb2.Transaction.Contract(
        type=tron_pb2.Transaction.Contract.ContractType.Value(kind),
        parameter=Packed(type_url=_URL + kind, value=message),
    )
    return tron_pb2.Transaction.raw(
        ref_block_bytes=frame.reference.id[6:8],
        ref_block_hash=frame.reference.id[8:16],
        expiration=frame.expiration_ms,
        timestamp=frame.timestamp_ms,
        contract=[contract],
        fee_limit=frame.fee_limit,
    )


def _bytes_field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _int_field(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
