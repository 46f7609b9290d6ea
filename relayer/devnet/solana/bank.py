"""Accounts and the execution of transactions: LiteSVM with a memory of older states.

LiteSVM knows only the newest state. For every account written since the finalized block, the bank
keeps what it was before, block by block, so that a read at an older height sees that height.
"""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from solders.account import Account
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from relayer.devnet.solana import programs, txerror
from relayer.devnet.solana.lookup import load_accounts, uses_tables
from relayer.devnet.solana.outcome import Outcome
from relayer.devnet.solana.tokenstate import token_balances
from relayer.devnet.solana.versions import Versions
from relayer.devnet.solana.wire import fee_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from solders.transaction_metadata import SimulatedTransactionInfo

    from relayer.devnet.solana.chain import Chain
    from relayer.devnet.solana.outcome import Loaded
    from relayer.devnet.solana.wire import Envelope

    State = dict[Pubkey, Account | None]

EMPTY = Account(lamports=0, data=b"", owner=programs.SYSTEM)
_CLOCK_LAMPORTS = 1_169_280
_SLOT_HASHES = 512
_EPOCH_SLOTS = 432_000


class Bank:
    """The state of all accounts, at every height from the finalized one to the newest."""

    def __init__(self, chain: Chain) -> None:
        """Build LiteSVM with the programs it brings; signatures and ages are checked here."""
        self._chain = chain
        self._svm = LiteSVM().with_sigverify(sigverify=False).with_blockhash_check(check=False)
        self._svm = self._svm.with_transaction_history(0)
        self._versions = Versions(self._current)
        self._code_bytes: dict[Pubkey, int] = {}
        self._add_memo()

    def read(self, key: Pubkey, height: int) -> Account | None:
        """Return the account as of `height` (finalized or newer), None where there is none."""
        if key == programs.CLOCK:
            return self._clock_account(height)
        return self._versions.read(key, height)

    def owned(self, owner: Pubkey, height: int) -> list[tuple[Pubkey, Account]]:
        """Return the accounts of `owner` as of `height`, ordered by address."""
        found = []
        for key in self._versions.ever_owned(owner):
            account = self.read(key, height)
            if account is not None and account.owner == owner:
                found.append((key, account))
        return found

    def place(self, key: Pubkey, account: Account) -> None:
        """Put `account` there outside of any block; for genesis and for set-up in tests."""
        self._svm.set_account(key, account)
        self._versions.note_owner(key, account.owner)

    def load(self, key: Pubkey, elf: bytes) -> None:
        """Put a program there outside of any block; ValueError for one that cannot be loaded."""
        self._svm.add_program(key, elf)

    def execute(self, envelope: Envelope, height: int) -> Outcome:
        """Run `envelope` as part of the block at `height`; landed ones change the state."""
        self._enter(envelope)
        loaded = load_accounts(envelope, self._current, self._chain.slot_of(height))
        before = {key: self._current(key) for key in loaded.keys}
        refusal = self._refusal(envelope, before)
        if refusal is not None:
            return self._refused(envelope, loaded, before, refusal, height)
        result = self._svm.send_transaction(envelope.transaction)
        after = {key: self._current(key) for key in loaded.keys}
        outcome = self._outcome(envelope, loaded, result, before, after)
        if txerror.lands(outcome.error):
            self._remember(loaded, before, height)
        return outcome

    def simulate(self, envelope: Envelope, height: int) -> tuple[Outcome, dict[Pubkey, Account]]:
        """Run `envelope` on the state of `height` without any trace; also the written accounts."""
        slot = self._chain.slot_of(height)
        loaded = load_accounts(envelope, lambda key: self.read(key, height), slot)
        before = {key: self.read(key, height) for key in loaded.keys}
        refusal = self._refusal(envelope, before)
        if refusal is not None:
            fee = fee_of(envelope.message) if txerror.lands(refusal) else None
            size = self._loaded_bytes(before)
            lamports = _lamports(loaded, before)
            tokens = token_balances(loaded.keys, before, self._current)
            return Outcome(
                error=refusal,
                fee=fee,
                loaded=loaded,
                loaded_bytes=size if fee else 0,
                pre_balances=lamports,
                post_balances=lamports,
                pre_tokens=tokens,
                post_tokens=tokens,
            ), {}
        with self._as_of(loaded, before):
            self._enter(envelope)
            result = self._svm.simulate_transaction(envelope.transaction)
        after = dict(before)
        written = {}
        if isinstance(result, FailedTransactionMetadata):
            _charge(after, loaded.keys[0], fee_of(envelope.message))
        else:
            written = dict(result.post_accounts())
            after.update({key: _alive(account) for key, account in written.items()})
        return self._outcome(envelope, loaded, result, before, after), written

    def forget(self, height: int) -> None:
        """Drop the older states that only reads below `height` would need."""
        self._versions.forget(height)

    def undo(self, height: int) -> None:
        """Set all accounts back to what they were at `height`, which must not be final."""
        for key, account in self._versions.undo(height).items():
            self._svm.set_account(key, account or EMPTY)

    def clock(self, height: int) -> tuple[int, int, int]:
        """Return slot, epoch and Unix time of the block at `height`."""
        slot = self._chain.slot_of(height)
        return slot, slot // _EPOCH_SLOTS, self._chain.time_of(height)

    def minimum_balance(self, size: int) -> int:
        """Return the rent-exempt minimum of an account with `size` bytes, in lamports."""
        return int(self._svm.minimum_balance_for_rent_exemption(size))

    def _add_memo(self) -> None:
        # The real node has a second memo program that LiteSVM lacks: here it runs the same code.
        code = self._svm.get_account(programs.MEMO)
        if code is not None and self._svm.get_account(programs.MEMO_V4) is None:
            self._svm.add_program(programs.MEMO_V4, code.data)

    def _current(self, key: Pubkey) -> Account | None:
        return _alive(self._svm.get_account(key))

    def _clock_account(self, height: int) -> Account:
        slot, epoch, time = self.clock(height)
        start = self._chain.time_of(self._chain.height) if epoch else time
        data = struct.pack("<QqQQq", slot, start, epoch, epoch + 1, time)
        return Account(lamports=_CLOCK_LAMPORTS, data=data, owner=programs.SYSVAR_OWNER)

    def _enter(self, envelope: Envelope) -> None:
        slot, epoch, time = self.clock(self._chain.height)
        clock = self._svm.get_clock()
        if (clock.slot, clock.unix_timestamp) != (slot, time):
            clock.slot, clock.unix_timestamp, clock.epoch = slot, time, epoch
            self._svm.set_clock(clock)
        if uses_tables(envelope):
            self._svm.set_slot_hashes(self._slot_hashes())

    def _slot_hashes(self) -> list[tuple[int, Any]]:
        newest = self._chain.height - 1
        heights = range(newest, max(newest - _SLOT_HASHES, -1), -1)
        return [(self._chain.slot_of(h), self._chain.hash_of(h)) for h in heights]

    def _refusal(self, envelope: Envelope, before: State) -> Any:
        # The node tells these apart; LiteSVM does not, or forgets to charge the fee.
        payer = before[envelope.keys[0]]
        if payer is None:
            return "AccountNotFound"
        if payer.owner != programs.SYSTEM:
            return "InvalidAccountForFee"
        if payer.lamports < fee_of(envelope.message):
            return "InsufficientFundsForFee"
        for instruction in envelope.instructions:
            program = before[envelope.program(instruction)]
            if program is None:
                return "ProgramAccountNotFound"
            if not program.executable:
                return "InvalidProgramForExecution"
        return None

    def _refused(
        self,
        envelope: Envelope,
        loaded: Loaded,
        before: State,
        error: Any,
        height: int,
    ) -> Outcome:
        landed = txerror.lands(error)
        fee, after = fee_of(envelope.message), dict(before)
        if landed:
            payer = loaded.keys[0]
            _charge(after, payer, fee)
            self._svm.set_account(payer, after[payer] or EMPTY)
            self._remember(loaded, before, height)
        tokens = token_balances(loaded.keys, before, self._current)
        return Outcome(
            error=error,
            fee=fee if landed else None,
            loaded=loaded,
            loaded_bytes=self._loaded_bytes(before),
            pre_balances=_lamports(loaded, before),
            post_balances=_lamports(loaded, after),
            pre_tokens=tokens,
            post_tokens=tokens,
        )

    def _outcome(
        self,
        envelope: Envelope,
        loaded: Loaded,
        result: TransactionMetadata | FailedTransactionMetadata | SimulatedTransactionInfo,
        before: State,
        after: State,
    ) -> Outcome:
        error = None
        if isinstance(result, FailedTransactionMetadata):
            error = txerror.error_json(result.err())
        meta = result if isinstance(result, TransactionMetadata) else result.meta()
        returned = meta.return_data()
        data = bytes(returned.data)
        return Outcome(
            error=error,
            fee=fee_of(envelope.message),
            loaded=loaded,
            logs=list(meta.logs()),
            inner=[list(inner) for inner in meta.inner_instructions()],
            units=meta.compute_units_consumed(),
            loaded_bytes=self._loaded_bytes(before),
            returned=(returned.program_id, data) if data else None,
            pre_balances=_lamports(loaded, before),
            post_balances=_lamports(loaded, after),
            pre_tokens=token_balances(loaded.keys, before, self._current),
            post_tokens=token_balances(loaded.keys, after, self._current),
        )

    def _remember(self, loaded: Loaded, before: State, height: int) -> None:
        for key, writable in zip(loaded.keys, loaded.writable, strict=True):
            if writable:
                self._versions.note_write(key, before[key], height)

    def _loaded_bytes(self, before: State) -> int:
        # 64 bytes an account and its data; an upgradeable program brings its program data along.
        total = 0
        for key, account in before.items():
            if account is None:
                continue
            if not account.executable:
                total += 64 + len(account.data)
                continue
            if key not in self._code_bytes:
                self._code_bytes[key] = self._program_bytes(account)
            total += self._code_bytes[key]
        return total

    def _program_bytes(self, account: Account) -> int:
        size = 64 + len(account.data)
        if account.owner == programs.UPGRADEABLE_LOADER:
            code = self._current(Pubkey.from_bytes(account.data[4:36]))
            size += 64 + len(code.data) if code else 0
        return size

    @contextmanager
    def _as_of(self, loaded: Loaded, state: State) -> Iterator[None]:
        newest = {key: self._current(key) for key in loaded.keys if self._versions.changed(key)}
        for key in newest:
            self._svm.set_account(key, state[key] or EMPTY)
        try:
            yield
        finally:
            for key, account in newest.items():
                self._svm.set_account(key, account or EMPTY)


def _alive(account: Account | None) -> Account | None:
    return account if account is not None and account.lamports > 0 else None


def _lamports(loaded: Loaded, state: State) -> list[int]:
    accounts = (state[key] for key in loaded.keys)
    return [account.lamports if account else 0 for account in accounts]


def _charge(state: State, payer: Pubkey, fee: int) -> None:
    account = state[payer]
    if account is not None:
        left = Account(lamports=account.lamports - fee, data=account.data, owner=account.owner)
        state[payer] = _alive(left)
