"""Submits attested acts from one payer to the gateway of an EVM chain.

Gas is what the gateway itself demands (each item gets exactly ``itemGas``), so no estimate is
needed and none can be fooled. A transaction is signed here, and its hash known before it is sent.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from relayer.chains.evm.codec import (
    MinedTx,
    hex_of,
    read_data,
    read_header,
    read_quantity,
    read_receipt,
    skipped_items,
)
from relayer.chains.evm.config import EvmConfig
from relayer.chains.evm.reader import FINALIZED
from relayer.chains.evm.rpc import EvmRpc, NodeRefused, good
from relayer.chains.evm.transaction import Transaction, read_transaction, sign
from relayer.chains.gateway.acts import calldata, item_calldata
from relayer.chains.gateway.place import evm_chain_id
from relayer.chains.gateway.reads import ITEM_GAS_CALL
from relayer.chains.gateway.revert import revert_text
from relayer.chains.gateway.words import number_at
from relayer.domain.address import Account, ChainId, account_from_evm
from relayer.domain.draft import PENDING, Act, Landing, LandingKind, Landings, Submission, Unwanted
from relayer.domain.errors import FeeCapped, PayerEmpty, Refused, Unavailable
from relayer.domain.submission import Bids, dearer
from relayer.domain.transfer import TransferId
from relayer.ports.signer import Signer

_KNOWN: Final = ("already known", "known transaction", "already imported", "already exists")
_USED: Final = ("nonce too low", "nonce is too low")
_POOR: Final = ("insufficient funds", "insufficient balance", "exceeds balance")
_NEVER: Final = (
    "intrinsic gas",
    "exceeds block gas limit",
    "gas limit too high",
    "transaction gas limit",
    "invalid sender",
    "chain id",
    "chainid",
    "oversized data",
    "rlp",
    "decode",
    "transaction type not supported",
)
_PLAIN_GAS: Final = 21_000
_RECEIPTS: Final = 90
"""Receipts asked for in one request, beside the finality that they are judged by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the chain says before a transaction is built; wei and gas units."""

    gas_price: int
    nonce: int
    balance: int
    item_gas: int
    outer: object
    first: object


class EvmWriter:
    """ChainWriter for one payer over one endpoint."""

    def __init__(self, config: EvmConfig, rpc: EvmRpc, payer: Signer) -> None:
        """Write to the gateway of ``config``; ``payer`` is a secp256k1 key that pays the gas."""
        self._config = config
        self._place = config.place
        self._rpc = rpc
        self._payer = payer

    @property
    def chain(self) -> ChainId:
        """The chain that is written."""
        return self._config.chain

    @property
    def payer(self) -> Account:
        """The account that pays the gas."""
        return account_from_evm(self._payer.public)

    @property
    def ordered(self) -> bool:
        """The payer's transactions are ordered by nonces."""
        return True

    @property
    def batch(self) -> int:
        """How many acts one transaction can carry."""
        return self._config.batch

    async def seal(self, acts: Sequence[Act], *, nonce: int | None) -> Submission:
        """A signed transaction for acts of one kind; nothing is sent.

        The nonce is the lowest free one of the payer that is not below ``nonce``. PayerEmpty
        names the missing wei; Unwanted has the gateway's word where no act would be executed;
        ValueError for acts of several kinds.
        """
        data = calldata(self._place, acts)
        asked = await self._ask(acts, data, nonce)
        await self._check_wanted(acts, asked)
        gas = self._gas(data, len(acts), asked.item_gas)
        body = Transaction(
            chain_id=evm_chain_id(self.chain),
            nonce=max(asked.nonce, nonce or 0),
            gas_price=self._bid(None, asked.gas_price),
            gas=gas,
            to=self._place.address,
            value=0,
            data=data,
        )
        self._check_purse(body, asked.balance)
        return await self._submission(
            body,
            ids=tuple(act.deposit.id for act in acts),
            useful_until=max(act.draft.dies_at for act in acts),
        )

    async def broadcast(self, submission: Submission) -> None:
        """Send the signed bytes; again is harmless, mined or pending.

        Refused for bytes that no node can ever take; PayerEmpty; Unavailable for all else.
        """
        try:
            told = await self._rpc.call("eth_sendRawTransaction", [hex_of(submission.raw)])
        except NodeRefused as fault:
            _judge(fault)
            return
        if told != submission.tx:
            raise Unavailable(f"the node calls {submission.tx} {told!r}")

    async def landings(self, submissions: Sequence[Submission]) -> Landings:
        """What became of submissions: two counts in one request, receipts for what they settle.

        Until the payer's *final* nonce is above a submission's it is pending, in a block or not:
        a reorg can still bring a rival back.
        """
        payer = hex_of(self._payer.public)
        counts = await self._rpc.batch(
            [("eth_getTransactionCount", [payer, tag]) for tag in (FINALIZED, "latest")]
        )
        final, newest = (read_quantity(good(one), "nonce") for one in counts)
        settled = [one for one in submissions if (one.nonce or 0) < final]
        found = {one.tx: PENDING for one in submissions}
        some = min(_RECEIPTS, self._rpc.room(beside=2))
        for start in range(0, len(settled), some):
            found |= await self._settled(settled[start : start + some])
        return Landings(of=found, next_nonce=newest)

    async def outbid(self, nonce: int, rivals: Sequence[Submission], *, empty: bool) -> Submission:
        """A dearer transaction for a nonce: the same call again, or nothing paid to oneself.

        FeeCapped and PayerEmpty name the wei.
        """
        asked, balance = await self._rpc.batch(
            [("eth_gasPrice", []), ("eth_getBalance", [hex_of(self._payer.public), "latest"])]
        )
        former = max((one.price for one in rivals), default=None)
        carrier = next((one for one in reversed(rivals) if one.ids and not empty), None)
        price = self._bid(former, read_quantity(good(asked), "gas price"), empty=carrier is None)
        if carrier is None:
            body = self._nothing(nonce, price)
        else:
            body = replace(read_transaction(carrier.raw), gas_price=price)
        self._check_purse(body, read_quantity(good(balance), "balance"))
        return await self._submission(
            body,
            ids=carrier.ids if carrier else (),
            useful_until=carrier.useful_until if carrier else 0,
        )

    async def balance(self) -> float:
        """Whole coins of the payer."""
        told = await self._rpc.call("eth_getBalance", [hex_of(self._payer.public), "latest"])
        return read_quantity(told, "balance") / 10**18

    async def close(self) -> None:
        """Release connections."""
        await self._rpc.close()

    async def _ask(self, acts: Sequence[Act], data: bytes, nonce: int | None) -> _Asked:
        payer, gateway = hex_of(self._payer.public), hex_of(self._place.address)
        seen = "pending" if nonce is None else "latest"
        answers = await self._rpc.batch(
            [
                ("eth_gasPrice", []),
                ("eth_getTransactionCount", [payer, seen]),
                ("eth_getBalance", [payer, "latest"]),
                _eth_call(gateway, ITEM_GAS_CALL),
                _eth_call(gateway, data, sender=payer),
                self._simulation(acts[0]),
            ]
        )
        return _Asked(
            gas_price=read_quantity(good(answers[0]), "gas price"),
            nonce=read_quantity(good(answers[1]), "nonce"),
            balance=read_quantity(good(answers[2]), "balance"),
            item_gas=number_at(read_data(good(answers[3]), "item gas"), 0),
            outer=answers[4],
            first=answers[5],
        )

    async def _check_wanted(self, acts: Sequence[Act], asked: _Asked) -> None:
        """Unwanted if the batch would revert, or if each of its items would be skipped."""
        if (outer := _refusal(asked.outer)) is not None:
            raise Unwanted(outer)
        if (first := _refusal(asked.first)) is None:
            return
        others = await self._rpc.batch([self._simulation(act) for act in acts[1:]])
        answers = [first, *(_refusal(one) for one in others)]
        words = {a.deposit.id: w for a, w in zip(acts, answers, strict=True) if w is not None}
        if len(words) == len({act.deposit.id for act in acts}):
            raise Unwanted(", ".join(sorted(set(words.values()))), words)

    def _simulation(self, act: Act) -> tuple[str, list[Any]]:
        """The call that the gateway makes to itself for one item, asked for in its name."""
        gateway = hex_of(self._place.address)
        return _eth_call(gateway, item_calldata(self._place, act), sender=gateway)

    def _gas(self, data: bytes, items: int, item_gas: int) -> int:
        """Gas that is enough whatever the items do: the gateway's own demand for each."""
        each = item_gas + item_gas // 63 + 40_000
        wanted = 60_000 + 16 * len(data) + items * each
        if wanted > self._config.gas_cap:
            cap = self._config.gas_cap
            raise Unavailable(
                f"{items} acts may want {wanted} gas, the cap is {cap}: lower `batch`"
            )
        return wanted

    def _bid(self, former: int | None, asked: int, *, empty: bool = False) -> int:
        config = self._config
        bids = Bids(
            offer=config.fee_percent,
            step=config.fee_step_percent,
            most=config.fee_most_percent,
            cap=config.gas_price_cap,
        )
        price = dearer(former, asked, bids, empty=empty)
        if price is None:
            offered = "" if former is None else f", {former} is offered already"
            raise FeeCapped(
                f"the node asks {asked} wei for a unit of gas{offered}; "
                f"`gas_price_cap` is {bids.cap}, `fee_most_percent` {bids.most}"
            )
        return price

    def _nothing(self, nonce: int, price: int) -> Transaction:
        return Transaction(
            chain_id=evm_chain_id(self.chain),
            nonce=nonce,
            gas_price=price,
            gas=_PLAIN_GAS,
            to=self._payer.public,
            value=0,
            data=b"",
        )

    def _check_purse(self, body: Transaction, balance: int) -> None:
        missing = body.gas * body.gas_price - balance
        if missing > 0:
            raise PayerEmpty(f"{hex_of(self._payer.public)} is short of {missing} wei")

    async def _submission(
        self, body: Transaction, *, ids: tuple[TransferId, ...], useful_until: int
    ) -> Submission:
        signed = await sign(body, self._payer)
        return Submission(
            tx=signed.tx,
            chain=self.chain,
            ids=ids,
            raw=signed.raw,
            nonce=body.nonce,
            price=body.gas_price,
            useful_until=useful_until,
            made_at=time.time(),
        )

    async def _settled(self, submissions: Sequence[Submission]) -> dict[str, Landing]:
        """What became of submissions whose nonce is used up for good: landed, failed or dead.

        Receipts and the final count come from one request, so that a node which lags behind the
        one that was asked before does not make a submission look dead.
        """
        *receipts, head, used = await self._rpc.batch(
            [
                *(("eth_getTransactionReceipt", [one.tx]) for one in submissions),
                ("eth_getBlockByNumber", [FINALIZED, False]),
                ("eth_getTransactionCount", [hex_of(self._payer.public), FINALIZED]),
            ],
            together=True,
        )
        height, final = read_header(good(head) or {}).height, read_quantity(good(used), "nonce")
        mined = {
            one.tx: read_receipt(good(told))
            for one, told in zip(submissions, receipts, strict=True)
            if good(told) is not None
        }
        canonical = await self._canonical([one for one in mined.values() if one.height <= height])
        found: dict[str, Landing] = {}
        for one in submissions:
            if (told := mined.get(one.tx)) is not None:
                found[one.tx] = self._mined(told) if one.tx in canonical else PENDING
            elif (one.nonce or 0) < final:
                detail = f"another transaction has the payer's nonce {one.nonce}"
                found[one.tx] = Landing(kind=LandingKind.DEAD, skipped={}, detail=detail)
        return found

    async def _canonical(self, mined: Sequence[MinedTx]) -> frozenset[str]:
        """Those whose block is the chain's at its height."""
        heights = sorted({one.height for one in mined})
        answers = await self._rpc.batch(
            [("eth_getBlockByNumber", [hex(height), False]) for height in heights]
        )
        hashes = {
            height: read_header(good(told)).hash
            for height, told in zip(heights, answers, strict=True)
            if good(told) is not None
        }
        return frozenset(one.tx for one in mined if hashes.get(one.height) == one.block_hash)

    def _mined(self, mined: MinedTx) -> Landing:
        if not mined.succeeded:
            detail = f"reverted with {mined.gas_used} gas used"
            return Landing(kind=LandingKind.FAILED, height=mined.height, skipped={}, detail=detail)
        skipped = skipped_items(mined, self._place.address)
        return Landing(kind=LandingKind.LANDED, height=mined.height, skipped=skipped)


def _eth_call(to: str, data: bytes, sender: str | None = None) -> tuple[str, list[Any]]:
    call = {"to": to, "data": hex_of(data)}
    if sender is not None:
        call["from"] = sender
    return "eth_call", [call, "latest"]


def _refusal(result: object) -> str | None:
    """The contract's word for a simulated revert; None if it ran, or the node can not tell."""
    if isinstance(result, NodeRefused) and result.data is not None:
        return revert_text(result.data)
    return None


def _judge(fault: NodeRefused) -> None:
    """Raise what a node's refusal of signed bytes means; return if they are known or mined."""
    words = fault.words.lower()
    if any(part in words for part in (*_KNOWN, *_USED)):
        return
    if any(part in words for part in _POOR):
        raise PayerEmpty(fault.words) from fault
    if any(part in words for part in _NEVER):
        raise Refused(fault.words) from fault
    raise fault
