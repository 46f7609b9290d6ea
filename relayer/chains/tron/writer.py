"""ChainWriter for Tron: seal, send, and say what became of it by the solid view alone."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from relayer.chains.gateway.acts import calldata, item_calldata
from relayer.chains.gateway.events import GatewayLog, SkipCode, skipped_of
from relayer.chains.gateway.reads import ITEM_GAS_CALL
from relayer.chains.gateway.words import number_at
from relayer.chains.tron.codec import OUT_OF_TIME, Block, TxInfo, logs_at, tron_address
from relayer.chains.tron.config import TronConfig
from relayer.chains.tron.frames import Frames
from relayer.chains.tron.funds import Funds
from relayer.chains.tron.reader import gateway_logs
from relayer.chains.tron.rpc import CallTimedOut, TronRpc
from relayer.chains.tron.transaction import Frame, bandwidth_of, seal_call
from relayer.domain.address import Account, ChainId, account_from_tron
from relayer.domain.draft import PENDING, Act, Landing, LandingKind, Landings, Submission, Unwanted
from relayer.domain.errors import FeeCapped, PayerEmpty, Refused, Unavailable
from relayer.domain.transfer import TransferId
from relayer.ports.signer import Signer

_TAKEN = {"SUCCESS", "DUP_TRANSACTION_ERROR"}
_SAYS_NOTHING = {"TRANSACTION_EXPIRATION_ERROR"}
"""A mined transaction gets this answer too: only the landing tells."""
_HOPELESS = {"SIGERROR", "CONTRACT_VALIDATE_ERROR", "TOO_BIG_TRANSACTION_ERROR"}
_GROW_AFTER = 20
"""Landed transactions until a larger batch is tried again: each try may burn a fee limit."""
_POOR = {"BANDWITH_ERROR"}
_ITEM_OVERHEAD = 30_000
"""Energy that the gateway wants beside an item's own share, as in its ``GasTooLow`` rule."""


_Ask = Callable[[str], Awaitable[TxInfo | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """When a transaction is worth looking for: from a solid height on.

    ``mined`` is the height of the block that has it and is not solid, ``skipped`` what it says there.
    """

    not_below: int = 0
    mined: int | None = None
    skipped: Mapping[TransferId, str] = field(default_factory=dict)


class TronWriter:
    """Submits acts from one payer through one endpoint."""

    def __init__(
        self,
        config: TronConfig,
        rpc: TronRpc,
        payer: Signer,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Pay with ``payer``, whose account must exist; ``now`` is the wall clock in seconds."""
        self._config = config
        self._rpc = rpc
        self._payer = payer
        self._now = now
        self._place = config.place
        self._gateway = tron_address(config.gateway)
        self._owner = tron_address(payer.public)
        self._funds = Funds(rpc, self._owner)
        self._frames = Frames(rpc, config.expiration_seconds, now)
        self._batch = config.batch
        self._in_time = 0
        self._item = 0
        self._looks: dict[str, _Look] = {}

    @property
    def chain(self) -> ChainId:
        """The chain that is written."""
        return self._config.chain

    @property
    def payer(self) -> Account:
        """The account that burns sun for energy and bandwidth."""
        return account_from_tron(self._payer.public)

    @property
    def batch(self) -> int:
        """How many acts one transaction can carry within the chain's time for one.

        Halves when a batch took too long, and grows by one with every so many that landed.
        """
        return self._batch

    @property
    def ordered(self) -> bool:
        """False: Tron has no nonces."""
        return False

    async def seal(self, acts: Sequence[Act], *, nonce: int | None) -> Submission:  # noqa: ARG002
        """A signed call for acts of one kind; nothing is sent. Tron has no nonces.

        It expires with the last of its acts: what would be skipped is not paid for.
        Unwanted if the simulation reverts or skips every item, PayerEmpty with the missing sun,
        FeeCapped if the energy costs more than the configured cap.
        """
        data = calldata(self._place, acts)
        energy = await self._simulate(acts, data)
        fee_limit, energy_limit = await self._fee_limit(energy)
        late = max(act.draft.dies_at for act in acts)
        frame = await self._frames.frame(fee_limit, until=late)
        sealed = await seal_call(self._payer, self._gateway, data, frame)
        price, byte_price = await self._frames.prices()
        await self._funds.spend(
            energy=energy_limit, price=price, bandwidth_sun=bandwidth_of(sealed.raw) * byte_price
        )
        return self._submission(acts, sealed.tx, sealed.raw, frame)

    async def broadcast(self, submission: Submission) -> None:
        """Send the signed bytes; again is harmless.

        Refused for what no node can ever take, PayerEmpty without bandwidth, Unavailable for all
        else. An expired transaction is no error here: it may stand in a block.
        """
        code, message = await self._rpc.broadcast(submission.raw)
        if code in _TAKEN or code in _SAYS_NOTHING:
            return
        words = f"{code}: {message[:200]}"
        if code in _HOPELESS:
            raise Refused(words)
        if code in _POOR:
            raise PayerEmpty(words)
        # TAPOS_ERROR too: the reference is solid, so it is the node that lags.
        raise Unavailable(words)

    async def landings(self, submissions: Sequence[Submission]) -> Landings:
        """LANDED or FAILED from the solid view; DEAD once its time has passed the expiration.

        Each look comes after the solid head was read: what the view does not have then stands in
        no block up to that one. So it is asked once per submission and solid block, and not at
        all until the block is solid in which the full node saw it, or its time is up.
        """
        solid = await self._rpc.solid_head()
        due = [one for one in submissions if self._look(one.tx).not_below <= solid.number]
        seen = [one.tx for one in due if self._was_seen(one, solid)]
        infos = await self._infos(self._rpc.solid_tx_info, seen)
        unseen = [one.tx for one in due if one.tx not in seen]
        absent = [*unseen, *(tx for tx, info in infos.items() if info is None)]
        mined = await self._infos(self._rpc.tx_info, absent)
        looks = {tx: self._next_look(mined.get(tx), solid, judged=tx in infos) for tx in absent}
        self._looks = {one.tx: looks.get(one.tx, self._look(one.tx)) for one in submissions}
        found = {one.tx: self._pending(one.tx) for one in submissions}
        for one in due:
            if one.tx in infos:
                found[one.tx] = self._judged(one, infos[one.tx], solid)
        return Landings(of=found)

    async def outbid(self, nonce: int, rivals: Sequence[Submission], *, empty: bool) -> Submission:
        """Refused: a transaction expires, and nothing waits for it."""
        del nonce, rivals, empty
        raise Refused(f"{self.chain} has no nonces")

    async def balance(self) -> float:
        """Whole TRX of the payer."""
        return await self._rpc.balance(self._owner) / 10**6

    async def close(self) -> None:
        """Release connections."""
        await self._rpc.close()

    def _was_seen(self, submission: Submission, solid: Block) -> bool:
        """Whether a block may hold it that the full node has told of, or all that could are solid."""
        return self._look(submission.tx).mined is not None or solid.time_ms > submission.bounds

    def _look(self, tx: str) -> _Look:
        return self._looks.get(tx, _Look())

    async def _infos(self, ask: _Ask, txs: Sequence[str]) -> Mapping[str, TxInfo | None]:
        """What a view has of transactions; those that it did not answer for are absent."""
        places = asyncio.Semaphore(self._config.reads_at_once)
        found: dict[str, TxInfo | None] = {}

        async def look(tx: str) -> None:
            async with places:
                with contextlib.suppress(Unavailable):
                    found[tx] = await ask(tx)

        async with asyncio.TaskGroup() as group:
            for tx in txs:
                group.create_task(look(tx))
        return found

    def _judged(self, submission: Submission, info: TxInfo | None, solid: Block) -> Landing:
        if info is not None:
            return self._landed(info)
        if solid.time_ms > submission.bounds:
            return Landing(kind=LandingKind.DEAD, skipped={}, detail="expired unmined")
        return self._pending(submission.tx)

    def _pending(self, tx: str) -> Landing:
        look = self._look(tx)
        return replace(PENDING, height=look.mined, skipped=look.skipped)

    def _landed(self, info: TxInfo) -> Landing:
        kind = LandingKind.LANDED if info.succeeded else LandingKind.FAILED
        if info.outcome.startswith(OUT_OF_TIME):
            self._shrink(self._batch)
        elif info.succeeded:
            self._grow()
        detail = "" if info.succeeded else info.outcome
        return Landing(kind=kind, height=info.height, skipped=self._skipped(info), detail=detail)

    def _skipped(self, info: TxInfo) -> Mapping[TransferId, str]:
        logs = gateway_logs(info, self._place.address) if info.succeeded else []
        return dict(filter(None, map(skipped_of, logs)))

    def _next_look(self, info: TxInfo | None, solid: Block, *, judged: bool) -> _Look:
        """The next solid block, or the one that has it; ``judged``: this one has it not."""
        following = solid.number + 1
        if info is None:
            return _Look(not_below=following)
        height = max(info.height, following) if judged else info.height
        return _Look(not_below=height, mined=info.height, skipped=self._skipped(info))

    async def _simulate(self, acts: Sequence[Act], data: bytes) -> int:
        try:
            answer = await self._rpc.call(self._gateway, data, owner=self._owner)
        except CallTimedOut:
            self._shrink(len(acts))
            raise
        if answer.reverted is not None:
            raise Unwanted(answer.reverted)
        skipped = self._skips(answer.logs)
        if len(skipped) >= len({act.deposit.id for act in acts}):
            words = await self._words(acts, skipped)
            raise Unwanted("; ".join(f"{one.hex()}: {word}" for one, word in words.items()), words)
        return answer.energy

    async def _words(
        self, acts: Sequence[Act], skipped: Mapping[TransferId, str]
    ) -> Mapping[TransferId, str]:
        """The token's own word where the gateway only says that the token refused."""
        words = dict(skipped)
        for act in acts:
            if words.get(act.deposit.id) == SkipCode.TOKEN_REFUSED.word:
                call = item_calldata(self._place, act)
                answer = await self._rpc.call(self._gateway, call, owner=self._gateway)
                if answer.reverted is not None:
                    words[act.deposit.id] = f"{SkipCode.TOKEN_REFUSED.word}: {answer.reverted}"
        return words

    def _shrink(self, tried: int) -> None:
        self._batch, self._in_time = max(min(self._batch, tried) // 2, 1), 0

    def _grow(self) -> None:
        self._in_time += 1
        if self._in_time % _GROW_AFTER == 0:
            self._batch = min(self._batch + 1, self._config.batch)

    def _skips(self, logs: Sequence[Mapping[str, Any]]) -> Mapping[TransferId, str]:
        found = (
            GatewayLog(topics=topics, data=data, tx="", index=at, height=0, time=0)
            for at, topics, data in logs_at(logs, self._place.address)
        )
        return dict(filter(None, map(skipped_of, found)))

    async def _fee_limit(self, energy: int) -> tuple[int, int]:
        item = await self._item_energy()
        least = energy + item + item // 63 + _ITEM_OVERHEAD
        wanted = least + energy * self._config.energy_headroom_percent // 100
        price, _ = await self._frames.prices()
        if least * price > self._config.fee_limit_cap:
            cap = self._config.fee_limit_cap
            raise FeeCapped(f"the call may burn {least * price} sun, `fee_limit_cap` is {cap}")
        fee_limit = min(wanted * price, self._config.fee_limit_cap)
        return fee_limit, fee_limit // price if price else wanted

    async def _item_energy(self) -> int:
        """What the gateway must have left before each item, so that none is starved."""
        if not self._item:
            answer = await self._rpc.call(self._gateway, ITEM_GAS_CALL)
            self._item = number_at(answer.data, 0)
        return self._item

    def _submission(self, acts: Sequence[Act], tx: str, raw: bytes, frame: Frame) -> Submission:
        return Submission(
            tx=tx,
            chain=self.chain,
            ids=tuple(act.deposit.id for act in acts),
            raw=raw,
            bounds=frame.expiration_ms,
            made_at=self._now(),
        )
