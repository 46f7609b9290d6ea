"""The history of a Solana cluster, read through an endpoint that fails at random."""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from relayer.chains.solana.accounts import key_text
from relayer.chains.solana.acts import receipt_account
from relayer.chains.solana.programs import TOKEN
from relayer.chains.solana.reader import SolanaReader
from relayer.chains.solana.rpc import SolanaRpc
from relayer.domain.errors import Transient
from relayer.domain.transfer import Deposit, TransferId
from tests.chains.faulty import (
    MOST_TRIES,
    SCRIPTS,
    Fault,
    Script,
    cuts,
    heights_up_to,
    one_at_each_request,
    told_in,
)
from tests.chains.solana_recorded import CONFIG, TRANSACTIONS
from tests.ports.virtual import run

FIRST, LAST = 1, 60
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

    async def _send(self, method: str, data: bytes) -> tuple[int, bytes]:
        del method
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


@pytest.mark.parametrize("fault", Fault)
def test_one_failure_at_any_request_loses_nothing(fault: Fault) -> None:
    """Also where the answers before and after it come from sound backends."""
    for faults in one_at_each_request(fault):
        cluster = Cluster(list(range(FIRST, LAST + 1)), Script(faults))
        told = run(told_in(SolanaReader(CONFIGURED, cluster), [(FIRST, LAST)]))
        assert [fact.height for fact in told] == list(range(FIRST, LAST + 1))


@settings(max_examples=250, deadline=None)
@given(
    slots=heights_up_to(LAST),
    ranges=cuts(1, LAST),
    faults=SCRIPTS,
    page=st.integers(1, 6),
    most_calls=st.integers(2, 10),
)
def test_every_fact_is_told_once_and_in_order(
    slots: list[int],
    ranges: list[tuple[int, int]],
    faults: list[Fault],
    page: int,
    most_calls: int,
) -> None:
    """Whatever fails, and however the range is cut: nothing is missed, and nothing comes twice."""
    cluster = Cluster(slots, Script(faults, most_calls), page=page)

    told = run(told_in(SolanaReader(CONFIGURED, cluster), ranges))

    assert [(fact.height, fact.location.tx) for fact in told if isinstance(fact, Deposit)] == [
        (entry["slot"], entry["signature"]) for entry in _entries(sorted(slots))
    ]
    assert len(told) == len(slots)


@settings(max_examples=50, deadline=None)
@given(
    done=st.lists(st.booleans(), max_size=40),
    faults=SCRIPTS,
    accounts=st.integers(1, 40),
    most_calls=st.integers(1, 10),
)
def test_receipts_are_told_of_the_ids_that_have_one(
    done: list[bool], faults: list[Fault], accounts: int, most_calls: int
) -> None:
    """However few accounts a call may ask for, each id gets its own answer."""
    ids = [TransferId(bytes([place]) * 32) for place in range(len(done))]
    with_one = {one for one, has in zip(ids, done, strict=True) if has}
    cluster = Cluster([], Script(faults, most_calls), accounts=accounts)
    cluster.receipts = {str(receipt_account(CONFIG, one)) for one in with_one}

    assert run(_receipts(SolanaReader(CONFIGURED, cluster), ids)) == with_one


async def _receipts(reader: SolanaReader, ids: Sequence[TransferId]) -> set[TransferId]:
    for _ in range(MOST_TRIES):
        try:
            return set(await reader.receipts(ids))
        except Transient:
            continue
    raise AssertionError("no receipts")


def test_a_plans_limits_are_learned() -> None:
    """After a first round of refusals hardly any request is too large."""
    script = Script(most_calls=5)
    reader = SolanaReader(CONFIGURED, Cluster(list(range(1, LAST + 1)), script))
    run(told_in(reader, [(1, LAST)]))
    assert sum(calls > 5 for calls in script.calls) < len(script.calls) // 2
