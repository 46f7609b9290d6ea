"""Pure: a node's JSON as values. What is not in form is nonsense from the node: Unavailable."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from relayer.chains.evm.rpc import NodeRefused
from relayer.chains.gateway.events import GatewayLog, skipped_of
from relayer.domain.errors import Unavailable
from relayer.domain.transfer import TransferId

_HASH: Final = re.compile("0x[0-9a-f]{64}")
_TOO_WIDE: Final = (
    "range",
    "more than",
    "too many",
    "limit exceeded",
    "response size",
    "too large",
    "query timeout",
)
_PRUNED: Final = ("pruned", "missing trie node", "history not available", "4444")
_PRUNED_CODE = 4444
_LIMIT_CODE = -32005


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A block's height, hash, and chain time in seconds."""

    height: int
    hash: str
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RawLog:
    """A log as the node gave it, in the block of ``block_hash``; ``index`` is the block's."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    tx: str
    index: int
    height: int
    block_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MinedTx:
    """A transaction in a block: whether it succeeded, and its logs."""

    tx: str
    height: int
    block_hash: str
    succeeded: bool
    gas_used: int
    logs: Sequence[RawLog]


@contextmanager
def in_form(what: str) -> Iterator[None]:
    """Turn what a malformed answer raises while it is read into Unavailable."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unavailable(f"the node's {what} is not in form: {error!r}") from error


def is_hash(text: str) -> bool:
    """Whether a text is a transaction hash as nodes write it."""
    return _HASH.fullmatch(text) is not None


def quantity(text: str) -> int:
    """A JSON-RPC quantity."""
    return int(text, 16)


def data_of(text: str) -> bytes:
    """JSON-RPC data."""
    if not text.startswith("0x"):
        raise ValueError("data without 0x")
    return bytes.fromhex(text[2:])


def hex_of(data: bytes) -> str:
    """Bytes as JSON-RPC data."""
    return "0x" + data.hex()


def read_quantity(answer: object, what: str) -> int:
    """The number in an answer; Unavailable if it is none."""
    with in_form(what):
        return quantity(answer)  # type: ignore[arg-type]  # in_form turns a wrong type into Unavailable


def read_data(answer: object, what: str) -> bytes:
    """The bytes in an answer; Unavailable if it is none."""
    with in_form(what):
        return data_of(answer)  # type: ignore[arg-type]  # in_form turns a wrong type into Unavailable


def read_header(answer: Mapping[str, Any]) -> Header:
    """A block's header from eth_getBlockByNumber."""
    with in_form("block"):
        return Header(
            height=quantity(answer["number"]),
            hash=str(answer["hash"]),
            time=quantity(answer["timestamp"]),
        )


def read_log(raw: Mapping[str, Any]) -> RawLog:
    """One log of eth_getLogs or of a receipt; Unavailable for one that a reorg removed."""
    with in_form("log"):
        if raw.get("removed"):
            raise ValueError("a removed log in a final range")
        return RawLog(
            address=data_of(raw["address"]),
            topics=tuple(data_of(topic) for topic in raw["topics"]),
            data=data_of(raw["data"]),
            tx=str(raw["transactionHash"]),
            index=quantity(raw["logIndex"]),
            height=quantity(raw["blockNumber"]),
            block_hash=str(raw["blockHash"]),
        )


def read_receipt(answer: Mapping[str, Any]) -> MinedTx:
    """A transaction's receipt."""
    with in_form("receipt"):
        return MinedTx(
            tx=str(answer["transactionHash"]),
            height=quantity(answer["blockNumber"]),
            block_hash=str(answer["blockHash"]),
            succeeded=quantity(answer["status"]) == 1,
            gas_used=quantity(answer["gasUsed"]),
            logs=[read_log(log) for log in answer["logs"]],
        )


def gateway_log(log: RawLog, time: int) -> GatewayLog:
    """A log of the gateway, in a block of this chain time (seconds)."""
    return GatewayLog(
        topics=log.topics,
        data=log.data,
        tx=log.tx,
        index=log.index,
        height=log.height,
        time=time,
    )


def skipped_items(mined: MinedTx, gateway: bytes) -> dict[TransferId, str]:
    """Items that the gateway (20 bytes) skipped in a transaction, with its word for why."""
    logs = [gateway_log(log, 0) for log in mined.logs if log.address == gateway]
    return dict(item for log in logs if (item := skipped_of(log)) is not None)


def is_too_wide(fault: NodeRefused) -> bool:
    """Whether a node refused a range because of its size, in any of the words nodes use."""
    words = fault.words.lower()
    return fault.code == _LIMIT_CODE or any(part in words for part in _TOO_WIDE)


def is_pruned(fault: NodeRefused) -> bool:
    """Whether a node refused because it no longer holds the blocks asked for."""
    words = fault.words.lower()
    return fault.code == _PRUNED_CODE or any(part in words for part in _PRUNED)
