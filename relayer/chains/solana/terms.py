"""Terms of a message: what the deposit does not fix, as decimal and base58 texts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from solders.pubkey import Pubkey

from relayer.domain.errors import DraftRefused
from relayer.domain.wire import Terms

BLOCKHASH_BLOCKS: Final = 150
"""Blocks after its own for which a blockhash is taken; one later a landing was still seen."""

_NAMES = frozenset(
    {"blockhash", "slot", "last_valid", "signers", "payer", "cu_price", "cu_limit", "pays"}
)


class Pays(StrEnum):
    """What the recipient of a delivery is: a wallet, or itself a token account of the asset."""

    WALLET = "wallet"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageTerms:
    """The terms of one message.

    ``slot`` is the block whose hash is named, so that an attester can look up how old it is;
    ``last_valid`` is a block height, ``cu_price`` micro-lamports. ``signers`` are in the order in
    which the message names them. ``pays`` says what the recipient is on this chain.
    """

    blockhash: bytes
    slot: int
    last_valid: int
    signers: tuple[bytes, ...]
    payer: bytes
    cu_price: int
    cu_limit: int
    pays: Pays = Pays.WALLET

    def write(self) -> dict[str, str]:
        """As texts."""
        return {
            "blockhash": _text(self.blockhash),
            "slot": str(self.slot),
            "last_valid": str(self.last_valid),
            "signers": ",".join(map(_text, self.signers)),
            "payer": _text(self.payer),
            "cu_price": str(self.cu_price),
            "cu_limit": str(self.cu_limit),
            "pays": self.pays.value,
        }


def read_terms(terms: Terms) -> MessageTerms:
    """Terms from texts; DraftRefused if anything is missing, surplus or written otherwise."""
    if set(terms) != _NAMES:
        raise DraftRefused(f"the terms are {sorted(terms)}, not {sorted(_NAMES)}")
    try:
        read = MessageTerms(
            blockhash=_key(terms["blockhash"]),
            slot=int(terms["slot"]),
            last_valid=int(terms["last_valid"]),
            signers=tuple(map(_key, terms["signers"].split(","))),
            payer=_key(terms["payer"]),
            cu_price=int(terms["cu_price"]),
            cu_limit=int(terms["cu_limit"]),
            pays=Pays(terms["pays"]),
        )
    except ValueError as error:
        raise DraftRefused("the terms hold what is neither a number nor a key") from error
    bounds = ((read.slot, 64), (read.last_valid, 64), (read.cu_price, 64), (read.cu_limit, 32))
    if any(not 0 <= value < 2**bits for value, bits in bounds) or read.write() != dict(terms):
        raise DraftRefused("the terms are out of range, or not written as we write them")
    return read


def _text(key: bytes) -> str:
    return str(Pubkey(key))


def _key(text: str) -> bytes:
    return bytes(Pubkey.from_string(text))
