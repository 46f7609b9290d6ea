"""Submits attested acts from one payer to the gateway of an EVM chain.

Gas is what the gateway itself demands (each item gets exactly ``itemGas``), so no estimate is
needed and none can be fooled. A transaction is signed here, and its hash known before it is sent.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from relayer.chains.evm.codec import (
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
from relayer.chains.evm.transaction import Transaction, sign
from relayer.chains.gateway.acts import calldata, item_calldata
from relayer.chains.gateway.place import evm_chain_id
from relayer.chains.gateway.reads import ITEM_GAS_CALL
from relayer.chains.gateway.revert import revert_text
from relayer.chains.gateway.words import number_at
from relayer.domain.address import Account, ChainId, account_from_evm
from relayer.domain.draft import Act, Landing, LandingKind, Submission
from relayer.domain.errors import PayerEmpty, Refused, Unavailable, Unwanted
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
        price = self._price(asked.gas_price)
        if asked.balance < gas * price:
            missing = gas * price - asked.balance
            raise PayerEmpty(f"{hex_of(self._payer.public)} is short of {missing} wei")
        signed = await sign(
            Transaction(
                chain_id=evm_chain_id(self.chain),
                nonce=max(asked.nonce, nonce or 0),
                gas_price=price,
                gas=gas,
                to=self._place.address,
                value=0,
                data=data,
            ),
            self._payer,
        )
        return Submission(
            tx=signed.tx,
            chain=self.chain,
            ids=tuple(act.deposit.id for act in acts),
            raw=signed.raw,
            nonce=max(asked.nonce, nonce or 0),
            made_at=time.time(),
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

    async def landing(self, submission: Submission) -> Landing:
        """What became of a submission.

        DEAD needs the payer's *final* nonce above the submission's and, read afterwards, no
        receipt: until then a reorg can bring it back.
        """
        receipt, head, used = await self._rpc.batch(
            [
                ("eth_getTransactionReceipt", [submission.tx]),
                ("eth_getBlockByNumber", [FINALIZED, False]),
                ("eth_getTransactionCount", [hex_of(self._payer.public), FINALIZED]),
            ]
        )
        if good(receipt) is not None:
            final = read_header(good(head) or {}).height
            return await self._mined(receipt, final)
        if read_quantity(good(used), "nonce") <= (submission.nonce or 0):
            return Landing(kind=LandingKind.PENDING, skipped={})
        if await self._rpc.call("eth_getTransactionReceipt", [submission.tx]) is not None:
            return Landing(kind=LandingKind.PENDING, skipped={})
        detail = f"another transaction has the payer's nonce {submission.nonce}"
        return Landing(kind=LandingKind.DEAD, skipped={}, detail=detail)

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

    def _price(self, told: int) -> int:
        return min(max(told * self._config.fee_percent // 100, 1), self._config.gas_price_cap)

    async def _mined(self, receipt: Mapping[str, Any], final: int) -> Landing:
        mined = read_receipt(receipt)
        if mined.height > final:
            return Landing(kind=LandingKind.PENDING, height=mined.height, skipped={})
        answer = await self._rpc.call("eth_getBlockByNumber", [hex(mined.height), False])
        if answer is None or read_header(answer).hash != mined.block_hash:
            raise Unavailable(f"{mined.tx} stands in a block that is not canonical")
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
