"""The node: pending transactions become blocks, and every read is of one commitment."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solders.account import Account
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from relayer.devnet.solana import txerror
from relayer.devnet.solana.bank import Bank
from relayer.devnet.solana.chain import Block, Chain, Commitment
from relayer.devnet.solana.faults import Faults
from relayer.devnet.solana.ledger import Landed, Ledger
from relayer.devnet.solana.lookup import LookupFailed
from relayer.devnet.solana.programs import SYSTEM
from relayer.devnet.solana.wire import Envelope

if TYPE_CHECKING:
    from collections.abc import Callable

    from solders.pubkey import Pubkey

    from relayer.devnet.solana.config import SolanaDevnetConfig
    from relayer.devnet.solana.outcome import Outcome

_FORWARDING_BLOCKS = 6
"""A simulation counts a blockhash as dead so many blocks early, as if it had to travel first."""

_STATUS_CACHE_BLOCKS = 330
_PHANTOMS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Phantom:
    """A simulation, which the node's logs subscriptions mistake for a landed transaction."""

    height: int
    envelope: Envelope
    outcome: Outcome


class Node:
    """State, history and clock of one imitated validator; all of it synchronous."""

    def __init__(self, config: SolanaDevnetConfig, clock: Callable[[], float] = time.time) -> None:
        """Create genesis: an empty chain and a funded faucet; `clock` gives Unix seconds."""
        self.config = config
        self._clock = clock
        self.port = config.port
        self.faults = Faults()
        self.identity = Keypair()
        self.vote_account = Keypair().pubkey()
        self.chain = Chain(config, int(clock()))
        self.bank = Bank(self.chain)
        self.ledger = Ledger(config.kept_transactions)
        self.on_block: list[Callable[[Block, list[Landed]], None]] = []
        self._pending: list[Envelope] = []
        self._phantoms: deque[Phantom] = deque(maxlen=_PHANTOMS)
        self._faucet = Keypair()
        funds = Account(lamports=config.faucet_lamports, data=b"", owner=SYSTEM)
        self.bank.place(self._faucet.pubkey(), funds)

    def submit(self, envelope: Envelope) -> None:
        """Take `envelope` for the next block; whether it can land is seen there."""
        if not self.faults.take_drop():
            self._pending.append(envelope)

    def airdrop(self, recipient: Pubkey, lamports: int) -> str:
        """Submit a transfer of `lamports` from the faucet and return its signature."""
        instruction = transfer(
            TransferParams(
                from_pubkey=self._faucet.pubkey(), to_pubkey=recipient, lamports=lamports
            )
        )
        blockhash = self.chain.hash_of(self.chain.height)
        payer = self._faucet.pubkey()
        message = MessageV0.try_compile(payer, [instruction], [], blockhash)
        envelope = Envelope(VersionedTransaction(message, [self._faucet]))
        self.submit(envelope)
        return envelope.signature

    def produce(self) -> Block:
        """Make the next block out of what is pending, and tell the subscribers."""
        block = self.chain.advance(int(self._clock()))
        room = self.config.block_transactions
        pending, self._pending = self._pending[:room], self._pending[room:]
        landed: list[Landed] = []
        for envelope in pending:
            one = self._land(envelope, block, len(landed))
            if one is not None:
                landed.append(one)
        self.bank.forget(self.chain.tip(Commitment.FINALIZED))
        for tell in self.on_block:
            tell(block, landed)
        return block

    def reorg(self, blocks: int) -> int:
        """Replace the newest blocks by a fork without their transactions; return how many went.

        Final blocks stay. The dropped slots are skipped for ever, and what had landed in them may
        land again.
        """
        target = max(self.chain.height - blocks, self.chain.tip(Commitment.FINALIZED))
        dropped = self.chain.height - target
        self.bank.undo(target)
        self.ledger.truncate(target)
        self.chain.truncate(target)
        return dropped

    def recent(self, blockhash: Hash, height: int, ages: int) -> bool:
        """Return whether `blockhash` is known at `height` and at most `ages` blocks old there."""
        born = self.chain.recent_height(blockhash)
        return born is not None and 0 <= height - born <= ages

    def simulation_refusal(self, envelope: Envelope, height: int) -> Any:
        """Return the error (JSON) by age or repetition that a simulation at `height` meets."""
        if not self.recent(envelope.blockhash, height, self.chain.lifetime - _FORWARDING_BLOCKS):
            return "BlockhashNotFound"
        return "AlreadyProcessed" if self.ledger.seen(envelope.signature, height) else None

    def simulate(self, envelope: Envelope, height: int) -> tuple[Outcome, dict[Pubkey, Account]]:
        """Run `envelope` on the state of `height`; leaves what logs subscriptions leak of it."""
        outcome, written = self.bank.simulate(envelope, height)
        if self.faults.phantom_logs:
            self._phantoms.append(Phantom(height=height, envelope=envelope, outcome=outcome))
        return outcome, written

    def phantoms_of(self, height: int) -> list[Phantom]:
        """Return the simulations that ran on the block at `height`."""
        return [one for one in self._phantoms if one.height == height]

    def status(self, signature: str, *, history: bool) -> Landed | None:
        """Return the landed transaction, old ones only where `history` is asked for."""
        landed = self.ledger.find(signature)
        if landed is None or history:
            return landed
        old = self.chain.height - landed.height > _STATUS_CACHE_BLOCKS
        return None if old else landed

    def commitment_of(self, landed: Landed) -> Commitment:
        """Return the deepest commitment that `landed` has reached."""
        for commitment in (Commitment.FINALIZED, Commitment.CONFIRMED):
            if landed.height <= self.chain.tip(commitment):
                return commitment
        return Commitment.PROCESSED

    def _land(self, envelope: Envelope, block: Block, index: int) -> Landed | None:
        # A block at height h may hold what refers to blocks h-1 down to h-1-lifetime: so a
        # transaction can land one block after its lastValidBlockHeight.
        if not self.recent(envelope.blockhash, block.height - 1, self.chain.lifetime):
            return None
        repeated = self.ledger.seen(envelope.signature, block.height)
        if repeated or not envelope.signatures_hold():
            return None
        try:
            outcome = self.bank.execute(envelope, block.height)
        except LookupFailed:
            return None
        if not txerror.lands(outcome.error):
            return None
        landed = Landed(
            sequence=self.ledger.count,
            envelope=envelope,
            outcome=outcome,
            height=block.height,
            slot=block.slot,
            time=block.time,
            index=index,
        )
        self.ledger.add(landed)
        return landed
