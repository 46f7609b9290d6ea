"""ChainReader of Solana: final facts of one cluster through one endpoint.

A height is a slot. Everything is read at ``finalized``; a subscription only wakes the caller up.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final

from relayer.chains.solana.accounts import account_data, read_clock, read_token_account
from relayer.chains.solana.acts import receipt_account
from relayer.chains.solana.codec import Codec
from relayer.chains.solana.config import SolanaConfig
from relayer.chains.solana.programs import CLOCK
from relayer.chains.solana.rpc import Call, NodeError, SolanaRpc, is_too_much, understood
from relayer.chains.solana.signatures import SignatureIndex
from relayer.chains.solana.supply import SupplyReader
from relayer.chains.solana.transaction import is_signature, read_transaction
from relayer.chains.wakeups import Broke, Paces, ticks, unheard
from relayer.chains.width import Width
from relayer.domain.address import ChainId
from relayer.domain.errors import HistoryPruned, Unavailable
from relayer.domain.supply import SupplySnapshot
from relayer.domain.transfer import (
    FAR_AHEAD,
    ChainFact,
    Deposit,
    Location,
    Receipt,
    ReceiptKind,
    TransferId,
)
from relayer.ports.chain import Head

_FINAL: Final = {"commitment": "finalized", "encoding": "base64"}
_TRANSACTION: Final = {**_FINAL, "maxSupportedTransactionVersion": 0}
_ACCOUNTS_AT_ONCE: Final = 100


class SolanaReader:
    """Final facts of one cluster."""

    def __init__(self, config: SolanaConfig, rpc: SolanaRpc, stream_broke: Broke = unheard) -> None:
        """Read ``config.chain`` through ``rpc``; ``stream_broke`` hears of its stream."""
        self._stream_broke = stream_broke
        self._config = config
        self._rpc = rpc
        self._codec = Codec(config)
        self._supply = SupplyReader(config)
        watched = dict.fromkeys(
            map(bytes, (config.beacon, *config.multisigs, *config.vaults.values()))
        )
        self._watched = tuple(watched)
        self._index = SignatureIndex(
            rpc, self._watched, page=config.page, kept=config.kept_signatures
        )
        self._facts: OrderedDict[str, tuple[ChainFact, ...]] = OrderedDict()
        self._reading = asyncio.Lock()
        self._accounts = Width(_ACCOUNTS_AT_ONCE)
        self._final = -1

    @property
    def chain(self) -> ChainId:
        """The cluster that is read."""
        return self._config.chain

    @property
    def first_height(self) -> int:
        """The slot before which the bridge did not exist here."""
        return self._config.first_height

    async def final_head(self) -> Head:
        """The newest finalized slot and its time, both from the clock sysvar."""
        answer = await self._rpc.call("getAccountInfo", str(CLOCK), _FINAL)
        with understood("clock"):
            clock = read_clock(answer["value"])
        self._final = clock.slot
        return Head(height=clock.slot, time=clock.time)

    async def history(self, first: int, last: int) -> Sequence[ChainFact]:
        """Every fact in the slots [first, last], in chain order, none missed."""
        if last > self._final and last > (await self.final_head()).height:
            raise Unavailable(f"slot {last} is not final on this endpoint")
        places = await self._index.between(first, last, self._final)
        async with self._reading:  # sweeps begin together: what one reads the others then know
            facts = await self._read([place.signature for place in places])
        return [fact for told in facts for fact in told]

    async def deposit_at(self, location: Location, height: int) -> Sequence[Deposit]:
        """The final deposits at a location: none or one."""
        if not is_signature(location.tx):
            return []
        facts = self._facts.get(location.tx)
        if facts is None:
            answer = await self._rpc.call("getTransaction", location.tx, _TRANSACTION)
            if answer is None:
                answer = await self._absent(location.tx, max(height, self.first_height))
            facts = () if answer is None else self._decode(location.tx, answer)
        return [fact for fact in facts if isinstance(fact, Deposit) and fact.location == location]

    async def receipts(self, ids: Sequence[TransferId]) -> Mapping[TransferId, Receipt]:
        """The final receipts of those ids that have one: frozen accounts of the receipt mint.

        DELIVERED also stands for a refund where the id's deposit was made on this chain.
        """
        accounts = [str(receipt_account(self._config, one)) for one in ids]
        found: dict[TransferId, Receipt] = {}
        values = await self._values(accounts)
        with understood("receipts"):
            for one, value in zip(ids, values, strict=True):
                receipt = self._receipt(value)
                if receipt is not None:
                    found[one] = receipt
        return found

    async def _values(self, accounts: Sequence[str]) -> list[Any]:
        """What accounts hold, in as many calls as the node wants: plans allow five to a hundred."""
        while True:
            size = self._accounts.now
            parts = [accounts[at : at + size] for at in range(0, len(accounts), size)]
            answers = await self._rpc.try_each(
                [Call("getMultipleAccounts", (part, _FINAL)) for part in parts]
            )
            refusal = next((one for one in answers if isinstance(one, NodeError)), None)
            if refusal is None:
                self._accounts.took(min(size, len(accounts)))
                with understood("getMultipleAccounts"):
                    return [
                        one for pair in zip(parts, answers, strict=True) for one in _each(*pair)
                    ]
            if not is_too_much(refusal) or not self._accounts.refused(len(parts[0])):
                raise refusal

    async def refunded(self, ids: Sequence[TransferId]) -> frozenset[TransferId]:
        """Those ids of deposits made here that are refunded: their receipt here is done."""
        found = await self.receipts(ids)
        return frozenset(one for one in found if found[one].kind is ReceiptKind.DELIVERED)

    async def snapshots(self, height: int | None = None) -> Sequence[SupplySnapshot]:  # noqa: ARG002 - a node answers for its newest height alone
        """One snapshot per asset, all from one read of all mints and vaults at one final slot.

        Unavailable if an authority is not who the configuration says it is: no snapshot, no
        lease, no delivery.
        """
        options = {**_FINAL, "minContextSlot": max(self._final, 0)}
        answer = await self._rpc.call("getMultipleAccounts", self._supply.accounts, options)
        with understood("supply"):
            return self._supply.snapshots(answer["value"])

    def wakeups(self) -> AsyncGenerator[None, None]:
        """A tick when the node announces something about a watched account, and every poll."""
        poll = self._config.poll_seconds
        listen = self._listen if self._rpc.has_stream else None
        return ticks(listen, Paces(poll=poll, quiet=poll), self._stream_broke)

    async def close(self) -> None:
        """Close the connection."""
        await self._rpc.close()

    def _listen(self) -> AsyncGenerator[None, None]:
        return self._rpc.listen(
            [
                Call("logsSubscribe", ({"mentions": [key]}, {"commitment": "finalized"}))
                for key in self._supply.keys(self._watched)
            ]
        )

    async def _absent(self, signature: str, slot: int) -> Mapping[str, Any] | None:
        """None where absence is proven; the three answers of one request are of one backend."""
        answer, clock, oldest = await self._rpc.batch(
            [
                Call("getTransaction", (signature, _TRANSACTION)),
                Call("getAccountInfo", (str(CLOCK), _FINAL)),
                Call("getFirstAvailableBlock"),
            ]
        )
        if answer is None:
            with understood("clock"):
                final = read_clock(clock["value"]).slot
            _require_absent(signature, slot, final, oldest)
            return None
        found: Mapping[str, Any] = answer
        return found

    async def _read(self, signatures: Sequence[str]) -> list[tuple[ChainFact, ...]]:
        read = {known: self._facts[known] for known in signatures if known in self._facts}
        wanted = [signature for signature in signatures if signature not in read]
        size = self._config.batch_calls
        for at in range(0, len(wanted), size):
            part = wanted[at : at + size]
            answers = await self._rpc.try_each(
                [Call("getTransaction", (signature, _TRANSACTION)) for signature in part]
            )
            for signature, answer in zip(part, answers, strict=True):
                if isinstance(answer, Mapping):  # kept, whatever became of the others
                    read[signature] = self._decode(signature, answer)
            _require_read(part, answers)
        return [read[signature] for signature in signatures]

    def _decode(self, signature: str, answer: Mapping[str, Any]) -> tuple[ChainFact, ...]:
        with understood(signature):
            executed = read_transaction(signature, answer)
            facts = () if executed is None else self._codec.facts(executed)
        self._facts[signature] = facts
        while len(self._facts) > self._config.kept_transactions:
            self._facts.popitem(last=False)
        return facts

    def _receipt(self, value: Mapping[str, Any] | None) -> Receipt | None:
        account = read_token_account(account_data(value))
        if account is None or not account.frozen or account.mint != self._config.receipt_mint:
            return None
        voided = account.amount > 0
        return Receipt(kind=ReceiptKind.VOIDED if voided else ReceiptKind.DELIVERED)


def _each(accounts: Sequence[str], answer: Mapping[str, Any]) -> Sequence[Any]:
    values: Sequence[Any] = answer["value"]
    if len(values) != len(accounts):
        raise ValueError(f"{len(values)} values for {len(accounts)} accounts")
    return values


def _require_read(signatures: Sequence[str], answers: Sequence[Any]) -> None:
    for signature, answer in zip(signatures, answers, strict=True):
        if isinstance(answer, NodeError):
            raise answer
        if not isinstance(answer, Mapping):
            raise Unavailable(f"the endpoint lists {signature} and does not have it")


def _require_absent(signature: str, slot: int, final: int, oldest: Any) -> None:
    """Raise unless an endpoint that does not know a transaction would know it in that slot."""
    if slot > final + FAR_AHEAD:
        return
    if slot > final:
        raise Unavailable(f"{signature} is said to be in slot {slot}, the final one is {final}")
    with understood("getFirstAvailableBlock"):
        if oldest > slot:
            raise HistoryPruned(f"the endpoint holds blocks from {oldest} on, not {slot}")
