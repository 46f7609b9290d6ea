"""What accounts were before recent blocks, and which accounts a program has ever owned."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from solders.account import Account
    from solders.pubkey import Pubkey

    Read = Callable[[Pubkey], Account | None]


class Versions:
    """A memory of older account states, block by block, over a store of the newest."""

    def __init__(self, current: Read) -> None:
        """Look up with `current` what no block has changed since."""
        self._current = current
        self._before: dict[Pubkey, list[tuple[int, Account | None]]] = {}
        self._written: dict[int, set[Pubkey]] = {}
        self._by_owner: dict[Pubkey, set[Pubkey]] = {}

    def read(self, key: Pubkey, height: int) -> Account | None:
        """Return the account as of `height`, None where there is none."""
        for written_at, before in self._before.get(key, ()):
            if written_at > height:
                return before
        return self._current(key)

    def changed(self, key: Pubkey) -> bool:
        """Return whether an older state of the account is kept."""
        return key in self._before

    def note_owner(self, key: Pubkey, owner: Pubkey) -> None:
        """Remember that `owner` has owned the account."""
        self._by_owner.setdefault(owner, set()).add(key)

    def note_write(self, key: Pubkey, before: Account | None, height: int) -> None:
        """Remember what the account was `before` the first write of the block at `height`."""
        block = self._written.setdefault(height, set())
        if key not in block:
            block.add(key)
            self._before.setdefault(key, []).append((height, before))
        account = self._current(key)
        if account is not None:
            self.note_owner(key, account.owner)

    def ever_owned(self, owner: Pubkey) -> Iterable[Pubkey]:
        """Return the addresses that `owner` has ever owned, in their order."""
        return sorted(self._by_owner.get(owner, ()), key=bytes)

    def undo(self, height: int) -> dict[Pubkey, Account | None]:
        """Return what the accounts written above `height` were at it, and forget those writes."""
        restored: dict[Pubkey, Account | None] = {}
        for block in sorted((at for at in self._written if at > height), reverse=True):
            for key in self._written.pop(block):
                _, restored[key] = self._before[key].pop()
                if not self._before[key]:
                    del self._before[key]
        return restored

    def forget(self, height: int) -> None:
        """Drop the states that only reads below `height` would need."""
        for old in [at for at in self._written if at <= height]:
            for key in self._written.pop(old):
                kept = [entry for entry in self._before[key] if entry[0] > height]
                if kept:
                    self._before[key] = kept
                else:
                    del self._before[key]
