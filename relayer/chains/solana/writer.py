"""ChainWriter of Solana: one act per transaction, paid by one key.

The transaction is simulated when it is sealed and broadcast without preflight, so that a second
broadcast of the same bytes is always the same call. It is dead only when the finalized height is
above its last valid one by more than one, and a look at its status after that, on an endpoint
that holds the history, finds nothing.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from solders.message import from_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from relayer.chains.solana.acts import payload_of
from relayer.chains.solana.config import SolanaConfig
from relayer.chains.solana.rpc import Call, NodeError, SolanaRpc, understood
from relayer.chains.solana.terms import BLOCKHASH_BLOCKS, MessageTerms, read_terms
from relayer.domain.address import Account, ChainId
from relayer.domain.draft import (
    PENDING,
    Act,
    Landing,
    LandingKind,
    Landings,
    Submission,
    Unwanted,
    payload_digest,
)
from relayer.domain.errors import PayerEmpty, Refused
from relayer.ports.signer import Signer

_CONFIRMED: Final = {"commitment": "confirmed"}
_FINALIZED: Final = {"commitment": "finalized"}
_SIMULATE: Final = {**_CONFIRMED, "encoding": "base64", "sigVerify": False}
_SEND: Final = {"encoding": "base64", "skipPreflight": True, "preflightCommitment": "confirmed"}
_WITH_HISTORY: Final = {"searchTransactionHistory": True}
_STATUSES: Final = 256
"""Signatures that one getSignatureStatuses takes."""
_NEVER: Final = frozenset({-32602, -32003, -32006})
"""Codes for bytes that no node will ever take: undecodable, too large, badly signed."""
_ALREADY: Final = "AlreadyProcessed"
_POOR: Final = frozenset({"AccountNotFound", "InsufficientFundsForFee"})
_POOR_CODE: Final = 1
"""The system program's and the token program's word for too few lamports or units."""
_PAYOUT: Final = 4
"""The first instruction of an act that can move shares."""
_CREATING: Final = frozenset({2, 4})
"""Instructions of an act that pay the rent of an account."""
_SLOTS_PER_BLOCK: Final = 4
"""More slots than this never pass for one block, on average over a blockhash's life."""
_ACCOUNT_BYTES: Final = 179
"""Of an xStock's token account with the extensions its mint asks for; a receipt is smaller."""
_WORDS: Final = {
    4: "the quorum's authority is another",
    13: "the receipt exists",
    17: "an account is frozen",
    67: "the token is paused",
}


class SolanaWriter:
    """Submits acts; solely the payer's key is used, for fees and rent."""

    batch = 1
    ordered = False

    def __init__(
        self,
        config: SolanaConfig,
        rpc: SolanaRpc,
        payer: Signer,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Pay with ``payer``, an Ed25519 key."""
        self._config = config
        self._rpc = rpc
        self._payer = payer
        self._now = now

    @property
    def chain(self) -> ChainId:
        """The cluster that is written."""
        return self._config.chain

    @property
    def payer(self) -> Account:
        """The key that pays fees and rent."""
        return Account(self._payer.public)

    async def seal(self, acts: Sequence[Act], *, nonce: int | None) -> Submission:  # noqa: ARG002
        """The transaction of one act, signed and simulated; ``nonce`` means nothing here."""
        if len(acts) != 1:
            raise Unwanted("a Solana transaction carries one act")
        act = acts[0]
        terms = read_terms(act.draft.terms)
        payload = payload_of(self._config, act.draft.kind, act.deposit, terms)
        if payload_digest(payload) != act.draft.digest:
            raise Unwanted("the draft's digest is not that of its message")
        raw = bytes(await self._sign(payload, act, terms))
        await self._simulate(raw)
        return Submission(
            tx=str(Signature(raw[1:65])),
            chain=self.chain,
            ids=(act.deposit.id,),
            raw=raw,
            bounds=terms.last_valid,
            made_at=self._now(),
        )

    async def broadcast(self, submission: Submission) -> None:
        """Send the bytes; what becomes of them is told by ``landing`` alone."""
        text = b64encode(submission.raw).decode()
        try:
            await self._rpc.call("sendTransaction", text, _SEND)
        except NodeError as error:
            if _ALREADY in str(error) or _ALREADY in str(error.data):
                return
            if error.code in _NEVER:
                raise Refused(str(error)) from error
            raise

    async def landings(self, submissions: Sequence[Submission]) -> Landings:
        """Pending, landed, failed or dead; heights are slots. One question for up to 256.

        What has no status is asked for again, with history, once the finalized height excludes it.
        """
        found: dict[str, Landing] = {}
        statuses = await self._statuses([one.tx for one in submissions])
        absent = [one for one in submissions if statuses[one.tx] is None]
        ruled = await self._ruled(absent) if absent else {}
        for one in submissions:
            status = statuses[one.tx]
            found[one.tx] = ruled[one.tx] if status is None else _landing(status)
        return Landings(of=found)

    async def outbid(self, nonce: int, rivals: Sequence[Submission], *, empty: bool) -> Submission:
        """Refused: a message dies with its blockhash, and nothing waits for it."""
        del nonce, rivals, empty
        raise Refused(f"{self.chain} has no nonces")

    async def balance(self) -> float:
        """Whole SOL of the payer."""
        answer = await self._rpc.call("getBalance", str(Pubkey(self._payer.public)), _CONFIRMED)
        with understood("getBalance"):
            return float(answer["value"] / 10**9)

    async def close(self) -> None:
        """Close the connection."""
        await self._rpc.close()

    async def _sign(self, payload: bytes, act: Act, terms: MessageTerms) -> VersionedTransaction:
        given = {one.attester: one.signature for one in act.attestations}
        given[terms.payer] = await self._own_signature(payload, terms)
        message = from_bytes_versioned(payload)
        keys = message.account_keys[: message.header.num_required_signatures]
        missing = [str(key) for key in keys if bytes(key) not in given]
        if missing:
            raise Unwanted(f"signatures are missing: {', '.join(missing)}")
        signatures = [Signature(given[bytes(key)]) for key in keys]
        wrong = [
            str(key)
            for key, signature in zip(keys, signatures, strict=True)
            if not signature.verify(key, payload)
        ]
        if wrong:
            raise Unwanted(f"signatures are not over this message: {', '.join(wrong)}")
        return VersionedTransaction.populate(message, signatures)

    async def _own_signature(self, payload: bytes, terms: MessageTerms) -> bytes:
        if terms.payer != self._payer.public:
            raise Unwanted("the draft names another payer")
        return await self._payer.sign(payload)

    async def _simulate(self, raw: bytes) -> None:
        text = b64encode(raw).decode()
        answer = await self._rpc.call("simulateTransaction", text, _SIMULATE)
        with understood("simulateTransaction"):
            error = answer["value"]["err"]
        if error is None:
            return
        if _is_poor(error):
            await self._refuse_empty_payer()
        raise Unwanted(_reason(error))

    async def _refuse_empty_payer(self) -> None:
        rent, balance = await self._rpc.batch(
            [
                Call("getMinimumBalanceForRentExemption", (_ACCOUNT_BYTES,)),
                Call("getBalance", (str(Pubkey(self._payer.public)), _CONFIRMED)),
            ]
        )
        price = self._config.cu_price_cap * self._config.cu_limit // 10**6
        wanted = 3 * rent + 5_000 * (self._config.quorum + 1) + price
        missing = max(wanted - balance["value"], 0)
        if missing:
            raise PayerEmpty(f"the payer is short of {missing} lamports")

    async def _statuses(
        self, txs: Sequence[str], *options: Mapping[str, bool]
    ) -> dict[str, Mapping[str, Any] | None]:
        found: dict[str, Mapping[str, Any] | None] = {}
        for start in range(0, len(txs), _STATUSES):
            some = list(txs[start : start + _STATUSES])
            answer = await self._rpc.call("getSignatureStatuses", some, *options)
            with understood("getSignatureStatuses"):
                found |= zip(some, map(_status, answer["value"]), strict=True)
        return found

    async def _ruled(self, absent: Sequence[Submission]) -> dict[str, Landing]:
        """Dead if no block can hold it any more, by a look taken after the height was read."""
        epoch, oldest = await self._heights()
        height, slot = epoch["blockHeight"], epoch["absoluteSlot"]
        late = [one.tx for one in absent if height > one.bounds + 1]
        again = await self._statuses(late, _WITH_HISTORY)
        found = {one.tx: PENDING for one in absent}
        for one in absent:
            if one.tx not in again:
                continue
            status = again[one.tx]
            missing = _missing_history(height, slot, oldest, one.bounds)
            if status is not None:
                found[one.tx] = _landing(status)
            elif missing:
                found[one.tx] = replace(PENDING, detail=missing)
            else:
                found[one.tx] = _dead(height, one.bounds)
        return found

    async def _heights(self) -> tuple[Mapping[str, Any], int]:
        """Where the finalized chain stands, and the oldest slot the endpoint holds."""
        epoch, oldest = await self._rpc.batch(
            [Call("getEpochInfo", (_FINALIZED,)), Call("getFirstAvailableBlock")]
        )
        return epoch, oldest


def _status(told: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return told and {key: told[key] for key in ("confirmationStatus", "err", "slot")}


def _landing(status: Mapping[str, Any]) -> Landing:
    """What a status says; one that is not final yet stands in a block all the same."""
    slot, error = status["slot"], status["err"]
    if status["confirmationStatus"] != "finalized":
        return Landing(kind=LandingKind.PENDING, height=slot, skipped={})
    if error is None:
        return Landing(kind=LandingKind.LANDED, height=slot, skipped={})
    return Landing(kind=LandingKind.FAILED, height=slot, skipped={}, detail=_reason(error))


def _dead(height: int, last_valid: int) -> Landing:
    detail = f"absent at final height {height}, valid to {last_valid}"
    return Landing(kind=LandingKind.DEAD, skipped={}, detail=detail)


def _missing_history(height: int, slot: int, oldest: int, last_valid: int) -> str:
    """Why absence proves nothing, on a node that may have forgotten where it could have landed."""
    blocks = height - (last_valid - BLOCKHASH_BLOCKS)
    earliest = max(slot - blocks * _SLOTS_PER_BLOCK, 0)
    if oldest <= earliest:
        return ""
    return f"the endpoint holds blocks from {oldest} on, {earliest} is needed"


def _is_poor(error: Any) -> bool:
    if isinstance(error, str):
        return error in _POOR
    if "InsufficientFundsForRent" in error:
        return True
    place, cause = error.get("InstructionError", (None, None))
    return place in _CREATING and cause == {"Custom": _POOR_CODE}


def _reason(error: Any) -> str:
    """A transaction error in words, with the token program's own code explained."""
    if isinstance(error, str) or "InstructionError" not in error:
        return str(error)
    place, cause = error["InstructionError"]
    if place >= _PAYOUT and cause == {"Custom": _POOR_CODE}:
        return f"instruction {place}: the vault is short, or what it allows"
    code = cause.get("Custom", -1) if isinstance(cause, dict) else -1
    return f"instruction {place}: {_WORDS.get(code, cause)}"
