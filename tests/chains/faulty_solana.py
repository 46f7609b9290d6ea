"""A little Solana cluster in memory, behind an endpoint that fails as a script says."""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from solders.signature import Signature
from solders.transaction import VersionedTransaction

from relayer.chains.solana.accounts import key_text
from relayer.chains.solana.programs import TOKEN
from relayer.chains.solana.reader import SolanaReader
from relayer.chains.solana.rpc import SolanaRpc
from tests.chains.faulty import Fault, Script, World
from tests.chains.solana_recorded import CONFIG, TRANSACTIONS

LAST = 60
CONFIGURED = replace(CONFIG, first_height=1, page=10, batch_calls=8)


class Refusal(Exception):
    """An error object in place of a result."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Cluster(SolanaRpc):
    """A true little cluster with a deposit in each of ``slots``, behind a script of faults."""

    def __init__(
        self, slots: list[int], script: Script, *, page: int = 1_000, accounts: int = 100
    ) -> None:
        """Connect to nothing; the plan allows ``page`` signatures and ``accounts`` per call."""
        super().__init__(CONFIGURED.url)
        self.script, self._page, self._most_accounts = script, page, accounts
        self._entries = _entries(sorted(slots))
        self._slots = {entry["signature"]: entry["slot"] for entry in self._entries}
        self.receipts: set[str] = set()

    async def _send(self, data: bytes) -> tuple[int, bytes]:
        return self.script.answer(data, self._reply)

    def _reply(self, call: Any, fault: Fault, place: int) -> Any:
        head = LAST - 7 if fault is Fault.LAGS else LAST
        oldest = LAST // 2 if fault is Fault.PURGED else 0
        try:
            if fault is Fault.BUSY and place % 2:
                raise Refusal(-32005, "Node is unhealthy")
            result = self._result(call["method"], call["params"], head, oldest)
        except Refusal as error:
            told = {"code": error.code, "message": str(error)}
            return {"jsonrpc": "2.0", "id": call["id"], "error": told}
        return {"jsonrpc": "2.0", "id": call["id"], "result": result}

    def _result(self, method: str, params: Sequence[Any], head: int, oldest: int) -> Any:
        match method:
            case "getFirstAvailableBlock":
                return oldest
            case "getAccountInfo":
                data = struct.pack("<QqQQq", head, 0, 0, 0, 1_000 + head)
                return {"value": _account(data, "Sysvar1111111111111111111111111111111111111")}
            case "getSignaturesForAddress":
                return self._signatures(*params, held=range(oldest, head + 1))
            case "getTransaction":
                slot = self._slots[params[0]]
                return _transaction(params[0], slot) if oldest <= slot <= head else None
            case "getMultipleAccounts":
                return self._accounts(params[0])
            case _:
                raise AssertionError(method)

    def _signatures(self, address: str, options: Any, *, held: range) -> list[Any]:
        """Newest first; a backend that purged ``before`` says that there is nothing before it."""
        if options["minContextSlot"] > held[-1]:
            raise Refusal(-32016, "Minimum context slot has not been reached")
        if options["limit"] > self._page:
            raise Refusal(-32602, f"Invalid limit; max {self._page}")
        known = [one for one in self._entries if one["slot"] in held]
        if address != key_text(CONFIG.beacon):
            known = known[::2]
        names = [one["signature"] for one in known]
        if (until := options.get("until")) is not None:
            if until not in names:
                raise Refusal(-32020, f"Transaction {until} not found")
            known = known[names.index(until) + 1 :]
        if (before := options.get("before")) is not None:
            names = [one["signature"] for one in known]
            known = known[: names.index(before)] if before in names else []
        return known[::-1][: options["limit"]]

    def _accounts(self, keys: Sequence[str]) -> Any:
        if len(keys) > self._most_accounts:
            raise Refusal(-32615, f"too many accounts, your plan allows {self._most_accounts}")
        frozen = bytes(CONFIG.receipt_mint) + bytes(76) + b"\x02" + bytes(56)
        return {
            "value": [
                _account(frozen, str(TOKEN)) if one in self.receipts else None for one in keys
            ]
        }


def _account(data: bytes, owner: str) -> Any:
    return {"owner": owner, "data": [b64encode(data).decode(), "base64"]}


def _entries(slots: Sequence[int]) -> list[dict[str, Any]]:
    """What the signatures of deposits in these slots are listed with, oldest first."""
    seen: Counter[int] = Counter()
    entries = []
    for place, slot in enumerate(slots):
        signature = str(Signature(bytes([place + 1]) * 64))
        entries.append(
            {"signature": signature, "slot": slot, "err": None, "transactionIndex": seen[slot]}
        )
        seen[slot] += 1
    return entries


def _transaction(signature: str, slot: int) -> Any:
    """A recorded deposit under another signature: its name is no part of what it does."""
    recorded = TRANSACTIONS["deposit-TSLAx"]
    made = VersionedTransaction.from_bytes(b64decode(recorded["transaction"][0]))
    others = made.signatures[1:]
    signed = VersionedTransaction.populate(
        made.message, [Signature.from_string(signature), *others]
    )
    text = b64encode(bytes(signed)).decode()
    return {**recorded, "transaction": [text, "base64"], "slot": slot}


SOLANA_WORLD = World(
    name="solana",
    last=LAST,
    open=lambda heights, script, narrow: SolanaReader(
        CONFIGURED, Cluster(heights, script, page=narrow)
    ),
    listed=lambda heights: [(one["slot"], one["signature"]) for one in _entries(sorted(heights))],
    named=lambda deposit: (deposit.height, deposit.location.tx),
)
