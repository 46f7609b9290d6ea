"""Pure: what java-tron's answers say, and where the gateway's logs stand in them.

Zero fields are omitted everywhere; log addresses have 20 bytes without ``41``; a call that
failed stands in a block like any other. Functions raise KeyError, TypeError or ValueError for
answers outside the node's form; the edge turns those into Unavailable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from relayer.chains.gateway.revert import revert_text
from relayer.domain.address import TRON_PREFIX, word_of

SUCCESS: Final = "SUCCESS"
OUT_OF_TIME: Final = "OUT_OF_TIME"
"""How the outcome of a call begins that the node gave no more time: made again it may succeed."""
_NO_TRANSACTIONS: Final = "0" * 64
_HEX: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block's header. ``time_ms`` is its slot; ``empty`` says that it has no transactions."""

    number: int
    id: bytes
    time_ms: int
    empty: bool

    @property
    def time(self) -> int:
        """Chain time in seconds; slots are whole multiples of 3 seconds."""
        return self.time_ms // 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class TxInfo:
    """What became of a transaction that stands in a block.

    ``succeeded`` only if the contract call did; ``outcome`` is the node's word and, where a
    contract reverted, its reason. ``logs`` are as the node wrote them.
    """

    tx: str
    height: int
    time: int
    succeeded: bool
    outcome: str
    logs: Sequence[Mapping[str, Any]]
    sun: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantResult:
    """What a constant call answered. ``reverted`` is the reason, None if it did not revert."""

    data: bytes
    energy: int
    logs: Sequence[Mapping[str, Any]]
    reverted: str | None


def tron_address(account: bytes) -> bytes:
    """The 21 bytes of an account (32-byte form or a 20-byte word) as transactions carry it."""
    return bytes([TRON_PREFIX]) + word_of(account)


def block_from(answer: Mapping[str, Any]) -> Block:
    """The header in an answer of ``getblock`` or ``getnowblock``."""
    raw = answer["block_header"]["raw_data"]
    identity = bytes.fromhex(answer["blockID"])
    number = int(raw.get("number", 0))
    if len(identity) != 32 or int.from_bytes(identity[:8], "big") != number:
        msg = f"block {number} has the id {identity.hex()}"
        raise ValueError(msg)
    return Block(
        number=number,
        id=identity,
        time_ms=int(raw.get("timestamp", 0)),
        empty=raw["txTrieRoot"] == _NO_TRANSACTIONS,
    )


def tx_info_from(answer: Mapping[str, Any]) -> TxInfo:
    """The outcome in an answer of ``gettransactioninfobyid``."""
    word = str(answer.get("receipt", {}).get("result", ""))
    failed = answer.get("result") == "FAILED"
    return TxInfo(
        tx=str(answer["id"]),
        height=int(answer["blockNumber"]),
        time=int(answer["blockTimeStamp"]) // 1000,
        succeeded=not failed and word == SUCCESS,
        outcome=_failure(word, answer) if failed or word != SUCCESS else SUCCESS,
        logs=answer.get("log", ()),
        sun=int(answer.get("fee", 0)),
    )


def infos_from(answer: object, number: int) -> tuple[TxInfo, ...]:
    """The outcomes in an answer of ``gettransactioninfobyblocknum`` for this block."""
    if not isinstance(answer, list):
        msg = f"no list of outcomes for block {number}"
        raise TypeError(msg)
    infos = tuple(map(tx_info_from, answer))
    if any(info.height != number for info in infos):
        msg = f"asked for block {number}, told of another"
        raise ValueError(msg)
    return infos


def refusal_in(answer: Mapping[str, Any]) -> str | None:
    """Why a node did not run a constant call; None if it ran, even if it reverted."""
    result = answer["result"]
    if result.get("result") is True:
        return None
    return f"{result.get('code')}: {_text_of_hex(result.get('message', ''))}"


def constant_result_from(answer: Mapping[str, Any]) -> ConstantResult:
    """The outcome in an answer of ``triggerconstantcontract`` that has no refusal."""
    data = bytes.fromhex(answer["constant_result"][0])
    return ConstantResult(
        data=data,
        energy=int(answer.get("energy_used", 0)),
        logs=answer.get("logs", ()),
        reverted=revert_text(data) if "message" in answer["result"] else None,
    )


def logs_at(
    logs: Sequence[Mapping[str, Any]], address: bytes
) -> Iterator[tuple[int, tuple[bytes, ...], bytes]]:
    """Place, topics and data of the logs that a contract (20 bytes) wrote, in order."""
    wanted = address.hex()
    for place, log in enumerate(logs):
        if log["address"] == wanted:
            topics = tuple(map(bytes.fromhex, log.get("topics", ())))
            yield place, topics, bytes.fromhex(log.get("data", ""))


def _failure(word: str, answer: Mapping[str, Any]) -> str:
    data = bytes.fromhex((answer.get("contractResult") or [""])[0])
    detail = revert_text(data) if data else _text_of_hex(answer.get("resMessage", ""))
    return f"{word or 'not a contract call'}: {detail}" if detail else word


def _text_of_hex(text: str) -> str:
    return bytes.fromhex(text).decode("utf-8", "replace")[:200]


def is_txid(text: str) -> bool:
    """Whether a text can name a transaction: 64 lower-case hex digits."""
    return len(text) == 64 and set(text) <= _HEX
