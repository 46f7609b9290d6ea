"""Signatures over the gateway's EIP-712 types, made by eth_account for the forge tests.

`python -m tests.contracts.eip712_fixture` writes the fixture anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_utils.crypto import keccak

FIXTURE = Path(__file__).parents[2] / "contracts" / "test" / "fixtures" / "eip712.json"

CHAIN_ID = 56
GATEWAY = "0x00000000000000000000000000000000000A7E37"
TOKEN = "0x0000000000000000000000000000000000070CE2"
RECIPIENT = "0x0000000000000000000000000000000000F21E2d"
SENDER = "0x0000000000000000000000000000000000005Ed1"
DEADLINE = 1_760_000_300
EPOCH = 2  # 1 begins with the deployment, 2 with the attesters of the fixture
SHARES = 12_345_678_900_000_000_000
TAG = keccak(text="xstocks-relayer/transfer/1")
HERE = keccak(text="eip155:56")
THERE = keccak(text="tron:0x2b6653dc")
SOURCE_GATEWAY = bytes(11) + b"\x41" + bytes(18) + b"\x77\x77"
REMOTE_RECIPIENT = bytes(11) + b"\x41" + bytes(18) + b"\xbe\xef"
OWN_GATEWAY = bytes(12) + bytes.fromhex(GATEWAY[2:])

TYPES: dict[str, list[tuple[str, str]]] = {
    "Deliver": [
        ("id", "bytes32"),
        ("source", "bytes32"),
        ("token", "address"),
        ("recipient", "address"),
        ("shares", "uint256"),
        ("epoch", "uint64"),
        ("deadline", "uint64"),
    ],
    "Void": [("id", "bytes32"), ("epoch", "uint64"), ("deadline", "uint64")],
    "Refund": [
        ("id", "bytes32"),
        ("token", "address"),
        ("refundTo", "address"),
        ("shares", "uint256"),
        ("epoch", "uint64"),
        ("deadline", "uint64"),
    ],
}


def transfer_id(source: bytes, gateway: bytes, destination: bytes, nonce: int) -> bytes:
    """Compute the id of a counted transfer."""
    return keccak(TAG + source + gateway + destination + nonce.to_bytes(32, "big"))


def _typed(kind: str, message: dict[str, Any]) -> dict[str, Any]:
    return {
        "domain_data": {
            "name": "xStocks Gateway",
            "version": "1",
            "chainId": CHAIN_ID,
            "verifyingContract": GATEWAY,
        },
        "message_types": {kind: [{"name": name, "type": type_} for name, type_ in TYPES[kind]]},
        "message_data": message,
    }


def _signatures(kind: str, message: dict[str, Any]) -> list[str]:
    typed = _typed(kind, message)
    keys = sorted((bytes([n]) * 32 for n in (1, 2, 3)), key=_address)
    return [
        "0x" + bytes(Account.sign_typed_data(key, **typed).signature).hex()
        for key in (keys[0], keys[2])
    ]


def _address(key: bytes) -> int:
    return int(Account.from_key(key).address, 16)


def build() -> dict[str, Any]:
    """Make the fixture: one delivery, one void and one refund with two of three signatures."""
    delivered = transfer_id(THERE, SOURCE_GATEWAY, HERE, 7)
    voided = transfer_id(THERE, SOURCE_GATEWAY, HERE, 8)
    refunded = transfer_id(HERE, OWN_GATEWAY, THERE, 0)
    common = {"epoch": EPOCH, "deadline": DEADLINE}
    deliver = {
        "id": delivered,
        "source": THERE,
        "token": TOKEN,
        "recipient": RECIPIENT,
        "shares": SHARES,
        **common,
    }
    refund = {"id": refunded, "token": TOKEN, "refundTo": SENDER, "shares": SHARES, **common}
    return {
        "chain_id": CHAIN_ID,
        "gateway": GATEWAY,
        "token": TOKEN,
        "recipient": RECIPIENT,
        "sender": SENDER,
        "deadline": DEADLINE,
        "shares": str(SHARES),
        "source": "0x" + THERE.hex(),
        "origin": "0x" + SOURCE_GATEWAY.hex(),
        "remote_recipient": "0x" + REMOTE_RECIPIENT.hex(),
        "attesters": [Account.from_key(bytes([n]) * 32).address for n in (1, 2, 3)],
        "delivered_id": "0x" + delivered.hex(),
        "voided_id": "0x" + voided.hex(),
        "refunded_id": "0x" + refunded.hex(),
        "deliver": _signatures("Deliver", deliver),
        "void": _signatures("Void", {"id": voided, **common}),
        "refund": _signatures("Refund", refund),
    }


def text() -> str:
    """Write the fixture as the JSON text that is committed."""
    return json.dumps(build(), indent=1) + "\n"


if __name__ == "__main__":
    FIXTURE.write_text(text(), encoding="utf-8")
