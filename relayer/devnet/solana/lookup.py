"""Address lookup tables: the accounts that a version 0 message only points to."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from solders.message import MessageV0
from solders.pubkey import Pubkey

from relayer.devnet.solana.outcome import Loaded
from relayer.devnet.solana.programs import LOOKUP_TABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from solders.account import Account

    from relayer.devnet.solana.wire import Envelope

TABLE_HEADER_BYTES = 56
_EXTENDED_AT = 12


class LookupFailed(Exception):
    """A table is missing, is no table, or has no such entry; carries the node's error name."""

    def __init__(self, error: str) -> None:
        """Keep the name of the transaction error."""
        super().__init__(error)
        self.error = error


def uses_tables(envelope: Envelope) -> bool:
    """Return whether `envelope` reads or changes an address lookup table."""
    message = envelope.message
    lookups = isinstance(message, MessageV0) and len(message.address_table_lookups) > 0
    return lookups or LOOKUP_TABLE in envelope.keys


def load_accounts(
    envelope: Envelope, read: Callable[[Pubkey], Account | None], slot: int
) -> Loaded:
    """Return all accounts of `envelope` in a block of `slot`; raises LookupFailed.

    Tables are resolved by `read`; entries added in `slot` itself do not count yet.
    """
    own = envelope.keys
    flags = [envelope.writable(index) for index in range(len(own))]
    writable: list[Pubkey] = []
    readonly: list[Pubkey] = []
    if isinstance(envelope.message, MessageV0):
        for lookup in envelope.message.address_table_lookups:
            entries = _active_entries(read(lookup.account_key), slot)
            writable += [_entry(entries, index) for index in lookup.writable_indexes]
            readonly += [_entry(entries, index) for index in lookup.readonly_indexes]
    return Loaded(
        keys=(*own, *writable, *readonly),
        writable=(*flags, *([True] * len(writable)), *([False] * len(readonly))),
        from_tables_writable=tuple(writable),
        from_tables_readonly=tuple(readonly),
    )


def table_entries(account: Account | None) -> list[Pubkey]:
    """Return the addresses in a lookup table; raises LookupFailed where there is no table."""
    if account is None:
        raise LookupFailed("AddressLookupTableNotFound")
    if account.owner != LOOKUP_TABLE:
        raise LookupFailed("InvalidAddressLookupTableOwner")
    data = account.data[TABLE_HEADER_BYTES:]
    if len(account.data) < TABLE_HEADER_BYTES or len(data) % 32:
        raise LookupFailed("InvalidAddressLookupTableData")
    return [Pubkey.from_bytes(data[at : at + 32]) for at in range(0, len(data), 32)]


def _active_entries(account: Account | None, slot: int) -> list[Pubkey]:
    entries = table_entries(account)
    if account is not None:
        extended, start = struct.unpack_from("<QB", account.data, _EXTENDED_AT)
        if slot <= extended:
            return entries[:start]
    return entries


def _entry(entries: list[Pubkey], index: int) -> Pubkey:
    if index >= len(entries):
        raise LookupFailed("InvalidAddressLookupTableIndex")
    return entries[index]
