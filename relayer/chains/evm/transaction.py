"""EIP-1559 transactions, built and signed here: a node's bytes are never signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_hash.auto import keccak

from relayer.ports.signer import Signer

_TYPE = b"\x02"

Item = bytes | int | Sequence["Item"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What a payer signs: fees in wei per gas unit, ``value`` in wei.

    ``to`` is 20 bytes, or empty to create a contract. Both fees are equal to ``gas_price``,
    which is what a chain with base fee 0 wants and what every other one takes.
    """

    chain_id: int
    nonce: int
    gas_price: int
    gas: int
    to: bytes
    value: int
    data: bytes

    def fields(self) -> list[Item]:
        """The fields in the order of EIP-1559, the access list empty."""
        price = self.gas_price
        return [
            self.chain_id,
            self.nonce,
            price,
            price,
            self.gas,
            self.to,
            self.value,
            self.data,
            [],
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """The bytes to send, and the hash by which the chain will know them."""

    tx: str
    raw: bytes


async def sign(transaction: Transaction, signer: Signer) -> Signed:
    """Sign a transaction with the payer's key."""
    fields = transaction.fields()
    signature = await signer.sign(_TYPE + rlp(fields))
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    raw = _TYPE + rlp([*fields, signature[64] - 27, r, s])
    return Signed(tx="0x" + keccak(raw).hex(), raw=raw)


def rlp(item: Item) -> bytes:
    """The RLP encoding of bytes, of a number (without leading zeros), or of a list."""
    if isinstance(item, int):
        item = item.to_bytes((item.bit_length() + 7) // 8, "big")
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _head(len(item), 0x80) + item
    body = b"".join(rlp(part) for part in item)
    return _head(len(body), 0xC0) + body


def _head(length: int, offset: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(size)]) + size
