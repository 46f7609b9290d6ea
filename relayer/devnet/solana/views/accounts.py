"""Accounts in answers: encodings, slices and the parsed forms."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relayer.devnet.solana.programs import SYSVAR_OWNER
from relayer.devnet.solana.rpcerror import invalid_request
from relayer.devnet.solana.views.parsed_accounts import parsed_account
from relayer.devnet.solana.wire import base58

if TYPE_CHECKING:
    from solders.account import Account
    from solders.pubkey import Pubkey

    from relayer.devnet.solana.node import Node

_MAX_BASE58_BYTES = 128
_RENT_EXEMPT_EPOCH = 2**64 - 1
_ZSTD_MAGIC = bytes.fromhex("28b52ffd")
_ZSTD_BLOCK = 128 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """An account encoding by the node's name, and the (offset, length) of data asked for."""

    name: str = "base64"
    window: tuple[int, int] | None = None


def zstd_stored(data: bytes) -> bytes:
    """Return `data` as a zstd frame of stored blocks: valid for every reader, never smaller."""
    blocks = [data[at : at + _ZSTD_BLOCK] for at in range(0, len(data), _ZSTD_BLOCK)] or [b""]
    # Frame header: magic, then descriptor 0 (no size, no checksum) and a window of 128 KiB.
    frame = _ZSTD_MAGIC + b"\x00" + bytes([7 << 3])
    for index, block in enumerate(blocks):
        last = index == len(blocks) - 1
        frame += (len(block) << 3 | int(last)).to_bytes(3, "little") + block
    return frame


def data_view(data: bytes, encoding: Encoding) -> Any:
    """Return account data in a binary encoding; refuses base58 over 128 bytes (-32600)."""
    if encoding.window is not None:
        offset, length = encoding.window
        data = data[offset : offset + length]
    match encoding.name:
        case "binary" | "base58":
            if len(data) > _MAX_BASE58_BYTES:
                text = (
                    "Encoded binary (base 58) data should be less than 128 bytes, "
                    "please use Base64 encoding."
                )
                raise invalid_request(text)
            text = base58(data)
            return text if encoding.name == "binary" else [text, "base58"]
        case "base64+zstd":
            return [base64.b64encode(zstd_stored(data)).decode(), "base64+zstd"]
        case _:
            return [base64.b64encode(data).decode(), "base64"]


def render_account(
    node: Node, key: Pubkey, account: Account, height: int, encoding: Encoding
) -> dict[str, Any]:
    """Return `account` as the node writes it; what has no parsed form comes as base64."""
    data: Any = None
    if encoding.name == "jsonParsed":
        data = parsed_account(node, key, account, height)
    return {
        "data": data_view(account.data, encoding) if data is None else data,
        "executable": account.executable,
        "lamports": account.lamports,
        "owner": str(account.owner),
        "rentEpoch": 0 if account.owner == SYSVAR_OWNER else _RENT_EXEMPT_EPOCH,
        "space": len(account.data),
    }


def account_view(node: Node, key: Pubkey, height: int, encoding: Encoding) -> Any:
    """Return the account at `key` as of `height`, or None."""
    account = node.bank.read(key, height)
    return None if account is None else render_account(node, key, account, height, encoding)
