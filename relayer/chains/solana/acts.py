"""Acts of the quorum: the message that is signed, and the facts that one leaves behind.

    deliver  CreateIdempotent(receipt) Freeze(receipt) CreateIdempotent(recipient) payout memo
             (without the third where the recipient is itself a token account of the asset)
    void     CreateIdempotent(receipt) MintTo(receipt, 1) Freeze(receipt) memo
    refund   as deliver, back to the owner, on the chain of the deposit

A receipt is the associated token account of the transfer id (as a wallet) under the receipt mint.
Frozen with amount 0 it says done (delivered; refunded where the id is this chain's own), frozen
with amount 1 voided. It cannot be frozen twice, so no act can happen twice.

Facts are read off the instructions that ran under the multisig. The memo only tells the id, and
counts only if the receipt of that id is the account that was frozen. A payout under the multisig
that no such act explains is told as a delivery that has no deposit: the monitor halts on it.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass

from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature

from relayer.chains.solana import programs
from relayer.chains.solana.config import SolanaConfig
from relayer.chains.solana.programs import ATA_BYTES, MEMO_BYTES, TOKEN_BYTES
from relayer.chains.solana.terms import MessageTerms, Pays
from relayer.chains.solana.transaction import Executed, Step
from relayer.domain.address import Account, ChainId
from relayer.domain.amount import Shares, raw_from_shares, shares_from_raw
from relayer.domain.errors import AmountRefused, DraftRefused
from relayer.domain.transfer import (
    NOWHERE,
    ActKind,
    Delivery,
    Deposit,
    Mode,
    Refund,
    TokenPlace,
    TransferId,
    Void,
    content_digest,
    located_id,
)

_MEMO = re.compile(
    rb"xs1:(?:(?P<void>void):(?P<void_id>[\w-]{43})"
    rb"|(?P<kind>deliver|refund):(?P<id>[\w-]{43}):(?P<chain>-|[a-z0-9-]{3,8}:[\w-]{1,32}))",
    re.ASCII,
)
_MAX_RAW = 2**64 - 1


def receipt_account(config: SolanaConfig, transfer: bytes) -> Pubkey:
    """Where the receipt of an id stands."""
    return programs.token_account(transfer, config.receipt_mint)


def id_text(transfer: bytes) -> str:
    """An id as memos write it: base64url without padding, 43 characters."""
    return urlsafe_b64encode(transfer).decode().rstrip("=")


def message(
    config: SolanaConfig, kind: ActKind, deposit: Deposit, terms: MessageTerms
) -> MessageV0:
    """The message of an act, from the deposit and the terms alone; DraftRefused if there is none."""
    budget = programs.compute_budget(terms.cu_limit, terms.cu_price)
    body = _instructions(config, kind, deposit, terms)
    return MessageV0.try_compile(Pubkey(terms.payer), [*budget, *body], [], Hash(terms.blockhash))


def payload_of(config: SolanaConfig, kind: ActKind, deposit: Deposit, terms: MessageTerms) -> bytes:
    """The bytes that attesters and payer sign."""
    return to_bytes_versioned(message(config, kind, deposit, terms))


def _instructions(
    config: SolanaConfig, kind: ActKind, deposit: Deposit, terms: MessageTerms
) -> list[Instruction]:
    mint, by, signers = config.receipt_mint, bytes(config.multisig), terms.signers
    receipt = receipt_account(config, deposit.id)
    create = programs.create_account(terms.payer, deposit.id, mint)
    seal = programs.freeze(receipt, mint, by, signers)
    if kind is ActKind.VOID:
        _must(deposit.destination == config.chain, "voids are made on the destination")
        mark = programs.mint_to(
            mint, receipt, 1, by, signers=signers, decimals=programs.RECEIPT_DECIMALS
        )
        return [create, mark, seal, programs.memo(f"xs1:void:{id_text(deposit.id)}".encode())]
    _must(kind is ActKind.DELIVER or terms.pays is Pays.WALLET, "only wallets are refunded")
    if kind is ActKind.DELIVER:
        _must(deposit.destination == config.chain, "deliveries are made on the destination")
        _must(deposit.flaw is None, "a flawed deposit is never delivered")
        _must(deposit.recipient not in config.own, "the recipient is an account of the bridge")
        wallet, other = deposit.recipient, str(deposit.source)
    else:
        _must(deposit.source == config.chain, "refunds are made on the source")
        wallet, other = deposit.refund_to, str(deposit.destination or "-")
    _must(wallet != NOWHERE, "the payout has no recipient")
    place = _place(config, deposit.asset)
    words = f"xs1:{kind.value}:{id_text(deposit.id)}:{other}"
    target = programs.token_account(wallet, place.token)
    opened = [programs.create_account(terms.payer, wallet, place.token)]
    if terms.pays is Pays.ACCOUNT:
        target, opened = Pubkey(wallet), []
    return [
        create,
        seal,
        *opened,
        _payout(config, place, target, deposit.shares, signers),
        programs.memo(words.encode()),
    ]


def _payout(
    config: SolanaConfig,
    place: TokenPlace,
    target: Pubkey,
    shares: Shares,
    signers: tuple[bytes, ...],
) -> Instruction:
    try:
        raw = raw_from_shares(shares)
    except AmountRefused as error:
        raise DraftRefused(str(error)) from error
    _must(0 < raw <= _MAX_RAW, f"{shares} shares are none, or more than an account holds")
    mint, by = bytes(place.token), bytes(config.multisig)
    if place.mode is Mode.BURN_MINT:
        return programs.mint_to(mint, target, raw, by, signers=signers)
    vault = bytes(config.vaults[place.asset])
    return programs.transfer(vault, mint, target, raw, by, signers=signers)


def _place(config: SolanaConfig, asset: str) -> TokenPlace:
    for place in config.tokens:
        if place.asset == asset:
            return place
    raise DraftRefused(f"{asset} is not served on {config.chain}")


def _must(held: bool, why: str) -> None:  # noqa: FBT001 - reads as a sentence where it is called
    if not held:
        raise DraftRefused(why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """Raw units (1e-8 share) that the quorum minted or released."""

    place: TokenPlace
    account: bytes
    raw: int
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the memo of an act says; ``chain`` is its source or destination."""

    kind: ActKind
    id: TransferId
    chain: ChainId | None


class ActReader:
    """Finds the acts of the quorum in one transaction under one configuration."""

    def __init__(self, config: SolanaConfig) -> None:
        """Index mints and vaults by their keys."""
        self._config = config
        self._multisigs = frozenset(map(bytes, config.multisigs))
        self._receipts = bytes(config.receipt_mint)
        self._minted = {bytes(place.token): place for place in config.tokens}
        places = {place.asset: place for place in config.tokens}
        self._vaults = {bytes(v): places[asset] for asset, v in config.vaults.items()}

    def acts(self, executed: Executed) -> Iterator[Delivery | Void | Refund]:
        """The deliveries, voids and refunds of a transaction."""
        tokens = [step for step in executed.steps if step.program == TOKEN_BYTES and step.data]
        payouts = [one for step in tokens if (one := self._payout(step)) is not None]
        frozen = [step.accounts[0] for step in tokens if self._freezes(step)]
        voids = [raw for step in tokens if (raw := self._voiding(step)) is not None]
        mark = self._mark(executed, frozen)
        match mark, payouts, voids:
            case Mark(kind=ActKind.VOID), [], [1]:
                yield Void(
                    id=mark.id,
                    chain=self._config.chain,
                    tx=executed.signature,
                    height=executed.slot,
                    time=executed.time,
                )
            case Mark(kind=ActKind.DELIVER, chain=str()), [payout], []:
                yield self._delivery(executed, payout, mark.id, mark.chain)
            case Mark(kind=ActKind.REFUND), [payout], []:
                yield self._refund(executed, payout, mark)
            case _:
                for payout in payouts:
                    yield self._delivery(executed, payout, self._place_id(executed, payout), None)

    def _payout(self, step: Step) -> Payout | None:
        accounts, at = step.accounts, 1
        match step.data[0]:
            case programs.MINT_TO | programs.MINT_TO_CHECKED:
                place, target, by = self._minted.get(accounts[0]), accounts[1], accounts[2]
            case programs.TRANSFER:
                place, target, by = self._vaults.get(accounts[0]), accounts[1], accounts[2]
            case programs.TRANSFER_CHECKED:
                place, target, by = self._vaults.get(accounts[0]), accounts[2], accounts[3]
            case programs.TRANSFER_FEE_EXTENSION if step.data[1:2] == b"\x01":
                place, target, by = self._vaults.get(accounts[0]), accounts[2], accounts[3]
                at = 2
            case _:
                return None
        if place is None or by not in self._multisigs:
            return None
        raw = int.from_bytes(step.data[at : at + 8], "little")
        return Payout(place=place, account=target, raw=raw, step=step)

    def _freezes(self, step: Step) -> bool:
        return (
            step.data[0] == programs.FREEZE
            and step.accounts[1] == self._receipts
            and step.accounts[2] in self._multisigs
        )

    def _voiding(self, step: Step) -> int | None:
        """Receipt tokens minted by an instruction; None for any other instruction."""
        if step.data[0] not in {programs.MINT_TO, programs.MINT_TO_CHECKED}:
            return None
        if step.accounts[0] != self._receipts or step.accounts[2] not in self._multisigs:
            return None
        return int.from_bytes(step.data[1:9], "little")

    def _mark(self, executed: Executed, frozen: list[bytes]) -> Mark | None:
        memos = [step.data for step in executed.steps if step.program == MEMO_BYTES]
        if len(memos) != 1 or len(frozen) != 1:
            return None
        mark = read_mark(memos[0])
        if mark is None or bytes(receipt_account(self._config, mark.id)) != frozen[0]:
            return None
        return mark

    def _delivery(
        self, executed: Executed, payout: Payout, transfer: TransferId, source: ChainId | None
    ) -> Delivery:
        shares, token = shares_from_raw(payout.raw), payout.place.token
        recipient = self._owner(executed, payout)
        digest = b""
        if source is not None:
            recipient = self._recipient(executed, payout)
            digest = content_digest(transfer, source, token, recipient, shares)
        return Delivery(
            id=transfer,
            chain=self._config.chain,
            source=source,
            asset=payout.place.asset,
            recipient=recipient,
            shares=shares,
            digest=digest,
            tx=executed.signature,
            height=executed.slot,
            time=executed.time,
        )

    def _refund(self, executed: Executed, payout: Payout, mark: Mark) -> Refund:
        return Refund(
            id=mark.id,
            chain=self._config.chain,
            destination=mark.chain,
            asset=payout.place.asset,
            recipient=self._recipient(executed, payout),
            shares=shares_from_raw(payout.raw),
            tx=executed.signature,
            height=executed.slot,
            time=executed.time,
        )

    def _recipient(self, executed: Executed, payout: Payout) -> Account:
        """The wallet whose associated account the act opened; else the token account itself."""
        for step in executed.steps:
            if step.program == ATA_BYTES and step.accounts[1:2] == (payout.account,):
                return Account(step.accounts[2])
        return Account(payout.account)

    def _owner(self, executed: Executed, payout: Payout) -> Account:
        """Who got what no act explains; the token account where the transaction hides its owner."""
        account = payout.account
        after = executed.owners_after.get(account) or executed.owners_before.get(account)
        return Account(after or account)

    def _place_id(self, executed: Executed, payout: Payout) -> TransferId:
        signature = bytes(Signature.from_string(executed.signature))
        return located_id(self._config.chain, signature, payout.step.outer, payout.step.inner)


def read_mark(data: bytes) -> Mark | None:
    """What the memo of an act says, None if it is none."""
    match = _MEMO.fullmatch(data)
    if match is None:
        return None
    words = match.groupdict()
    transfer = TransferId(urlsafe_b64decode((words["void_id"] or words["id"]) + b"="))
    if words["void"]:
        return Mark(kind=ActKind.VOID, id=transfer, chain=None)
    chain = words["chain"].decode()
    return Mark(
        kind=ActKind(words["kind"].decode()),
        id=transfer,
        chain=None if chain == "-" else ChainId(chain),
    )
