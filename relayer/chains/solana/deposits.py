"""Deposits in a transaction, and the instructions that make one.

A deposit is one top-level ``burnChecked`` that carries the beacon (burn-mint), or one top-level
``transferChecked`` into the vault (lock-release; it carries the beacon, or the transaction has a
memo of ours: the vault's own history is read, so the beacon is not needed to find it), by the
owner of the token account, with exactly one memo and the destination's fee in lamports.

What burns or locks for the bridge but breaks these rules is a deposit with a flaw. What the
issuer does as permanent delegate, and what does not address the bridge, is no deposit at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.signature import Signature

from relayer.chains.solana import programs
from relayer.chains.solana.config import SolanaConfig
from relayer.chains.solana.programs import MEMO_BYTES, SYSTEM_BYTES, TOKEN_BYTES
from relayer.chains.solana.transaction import Executed, Step
from relayer.domain.address import Account, ChainId
from relayer.domain.amount import Shares, raw_from_shares, shares_from_raw
from relayer.domain.errors import MemoRefused
from relayer.domain.memo import PREFIX, read_memo, write_memo
from relayer.domain.reasons import Reason
from relayer.domain.transfer import (
    NOWHERE,
    Deposit,
    Location,
    Mode,
    TokenPlace,
    located_id,
)

_MEMO_PREFIX = PREFIX.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """Raw units that left a token account for the bridge; ``checked`` is the proper form."""

    place: TokenPlace
    account: bytes
    authority: bytes
    raw: int
    beacon: bool
    checked: bool
    step: Step


class DepositReader:
    """Finds the deposits of one transaction under one configuration."""

    def __init__(self, config: SolanaConfig) -> None:
        """Index mints and vaults by their keys."""
        self._config = config
        self._places = {place.asset: place for place in config.tokens}
        self._burnt = {
            bytes(place.token): place for place in config.tokens if place.mode is Mode.BURN_MINT
        }
        self._vaults = {bytes(v): self._places[asset] for asset, v in config.vaults.items()}
        self._peers = frozenset(config.peers)
        self._issuers = frozenset(map(bytes, config.issuers))

    def deposits(self, executed: Executed) -> list[Deposit]:
        """The deposits of a transaction, flawed ones too, in the order in which they ran."""
        memos = [step for step in executed.steps if step.program == MEMO_BYTES]
        ours = any(step.data.startswith(_MEMO_PREFIX) for step in memos)
        gone = [
            one
            for step in executed.steps
            if step.program == TOKEN_BYTES and (one := self._gone(step)) is not None
            if one.raw and (one.beacon or (ours and one.place.mode is Mode.LOCK_RELEASE))
        ]
        deposits = []
        for one in gone:
            owner = self._owner(one, executed)
            if owner is not None:
                deposits.append(self._deposit(one, owner, executed, memos, len(gone)))
        return deposits

    def _gone(self, step: Step) -> Gone | None:
        """What an instruction burns or moves into a vault, by any form that Token-2022 knows."""
        kind, accounts, beacon = step.data[:1], step.accounts, bytes(self._config.beacon)
        match kind[0] if kind else None:
            case programs.BURN | programs.BURN_CHECKED as op:
                place, (source, _, by) = self._burnt.get(accounts[1]), accounts[:3]
                checked = op == programs.BURN_CHECKED
                amount = step.data[1:9]
            case programs.TRANSFER:
                place, (source, _, by) = self._vaults.get(accounts[1]), accounts[:3]
                checked, amount = False, step.data[1:9]
            case programs.TRANSFER_CHECKED:
                place, (source, _, _, by) = self._vaults.get(accounts[2]), accounts[:4]
                checked, amount = True, step.data[1:9]
            case programs.TRANSFER_FEE_EXTENSION if step.data[1:2] == b"\x01":
                place, (source, _, _, by) = self._vaults.get(accounts[2]), accounts[:4]
                checked, amount = False, step.data[2:10]
            case _:
                return None
        if place is None or source in self._vaults:
            return None
        return Gone(
            place=place,
            account=source,
            authority=by,
            raw=int.from_bytes(amount, "little"),
            beacon=beacon in accounts,
            checked=checked,
            step=step,
        )

    def _owner(self, one: Gone, executed: Executed) -> bytes | None:
        """Whose shares went; None if the issuer took them as permanent delegate."""
        before = executed.owners_before.get(one.account)
        after = executed.owners_after.get(one.account)
        if one.authority in (before, after):
            return one.authority
        if one.authority in self._issuers:
            return None
        return before or after or one.authority

    def _deposit(
        self, one: Gone, owner: bytes, executed: Executed, memos: list[Step], siblings: int
    ) -> Deposit:
        shares = shares_from_raw(one.raw)
        flaw, destination, recipient = self._judge(one, owner, executed, memos, siblings)
        signature = bytes(Signature.from_string(executed.signature))
        outer, inner = one.step.outer, one.step.inner
        return Deposit(
            id=located_id(self._config.chain, signature, outer, inner),
            source=self._config.chain,
            destination=destination,
            asset=one.place.asset,
            shares=shares,
            sender=Account(one.authority),
            refund_to=Account(owner),
            recipient=recipient,
            location=Location(tx=executed.signature, index=outer, inner=inner),
            height=executed.slot,
            time=executed.time,
            flaw=flaw,
        )

    def _judge(
        self, one: Gone, owner: bytes, executed: Executed, memos: list[Step], siblings: int
    ) -> tuple[Reason | None, ChainId | None, Account]:
        """The flaw of a deposit, or None with its destination and recipient."""
        flaw = _flaw_of_form(one, owner, memos, siblings)
        if flaw is not None:
            return flaw, None, NOWHERE
        try:
            destination, recipient = read_memo(memos[0].data)
        except MemoRefused:
            return Reason.MEMO_MALFORMED, None, NOWHERE
        if destination not in self._peers:
            return Reason.UNKNOWN_ROUTE, None, NOWHERE
        if shares_from_raw(one.raw) < self._config.minimum:
            return Reason.BELOW_MINIMUM, None, NOWHERE
        if self._paid(executed) < fee_of(self._config, destination, executed.slot):
            return Reason.FEE_UNDERPAID, None, NOWHERE
        return None, destination, recipient

    def _paid(self, executed: Executed) -> int:
        return sum(_lamports(executed, bytes(self._config.fee_collector)))


def fee_of(config: SolanaConfig, destination: ChainId, slot: int) -> int:
    """Lamports that a deposit to a destination pays at a slot."""
    rules = [fee for fee in config.fees if fee.destination == destination and fee.since <= slot]
    return max(rules, key=lambda fee: fee.since).lamports if rules else 0


def deposit_instructions(
    config: SolanaConfig,
    *,
    asset: str,
    shares: Shares,
    owner: bytes,
    destination: ChainId,
    recipient: Account,
    slot: int,
) -> list[Instruction]:
    """What an owner of shares signs to deposit them from the associated token account."""
    place = next(place for place in config.tokens if place.asset == asset)
    raw, mint, beacon = raw_from_shares(shares), bytes(place.token), (bytes(config.beacon),)
    source = programs.token_account(owner, mint)
    if place.mode is Mode.BURN_MINT:
        gone = programs.burn(source, mint, raw, owner, beacon)
    else:
        vault = bytes(config.vaults[asset])
        gone = programs.transfer(source, mint, vault, raw, owner, extra=beacon)
    fee = fee_of(config, destination, slot)
    paid = [programs.pay(owner, config.fee_collector, fee)] if fee else []
    return [gone, *paid, programs.memo(write_memo(destination, recipient).encode())]


def _flaw_of_form(one: Gone, owner: bytes, memos: list[Step], siblings: int) -> Reason | None:
    if one.step.inner >= 0:
        return Reason.INSIDE_CPI
    if one.authority != owner:
        return Reason.BY_DELEGATE
    if siblings > 1 or len(memos) > 1 or not one.checked:
        return Reason.MEMO_AMBIGUOUS
    if not memos or memos[0].inner >= 0:
        return Reason.MEMO_MALFORMED
    return None


def _lamports(executed: Executed, collector: bytes) -> Iterator[int]:
    transfer = programs.SYSTEM_TRANSFER.to_bytes(4, "little")
    for step in executed.steps:
        if step.program != SYSTEM_BYTES or step.inner >= 0 or step.data[:4] != transfer:
            continue
        if step.accounts[1] == collector:
            yield int.from_bytes(step.data[4:12], "little")
