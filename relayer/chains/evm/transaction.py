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


def read_transaction(raw: bytes) -> Transaction:
    """What signed bytes say, as `sign` made them; ValueError for any others."""
    if raw[:1] != _TYPE:
        raise ValueError("not a transaction of type 2")
    fields, rest = _read(raw[1:])
    if rest or not isinstance(fields, list) or len(fields) != 12:
        raise ValueError("not the list of a signed transaction")
    flat = [one for one in fields if isinstance(one, bytes)]
    if len(flat) != 11 or fields[8] != [] or flat[2] != flat[3]:
        raise ValueError("not a transaction of ours")
    chain_id, nonce, price, _, gas = (int.from_bytes(one, "big") for one in flat[:5])
    return Transaction(
        chain_id=chain_id,
        nonce=nonce,
        gas_price=price,
        gas=gas,
        to=flat[5],
        value=int.from_bytes(flat[6], "big"),
        data=flat[7],
    )


def _read(text: bytes) -> tuple[bytes | list[object], bytes]:
    """The first RLP item of a text, and what follows it; ValueError if it is cut off."""
    if not text:
        raise ValueError("RLP is cut off")
    first = text[0]
    if first < 0x80:
        return text[:1], text[1:]
    offset = 0x80 if first < 0xC0 else 0xC0
    body, rest = _body(text, first - offset)
    if offset == 0x80:
        return body, rest
    items: list[object] = []
    while body:
        item, body = _read(body)
        items.append(item)
    return items, rest


def _body(text: bytes, length: int) -> tuple[bytes, bytes]:
    start = 1
    if length > 55:
        start += length - 55
        length = int.from_bytes(text[1:start], "big")
    if len(text) < start + length:
        raise ValueError("RLP is cut off")
    return text[start : start + length], text[start + length :]


def _head(length: int, offset: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(size)]) + size
