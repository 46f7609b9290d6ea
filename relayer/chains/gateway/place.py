"""One gateway on one chain: where it stands, what it serves, and who signs for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from eth_hash.auto import keccak

from relayer.chains.gateway.words import padded, word
from relayer.domain.address import (
    Account,
    ChainId,
    Family,
    account_from_word,
    chain_key,
    family_of,
    word_of,
)
from relayer.domain.errors import DraftRefused
from relayer.domain.transfer import Mode, TokenPlace

DOMAIN_NAME: Final = "xStocks Gateway"
DOMAIN_VERSION: Final = "1"
DOMAIN_TYPE: Final = (
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPlace:
    """Where a gateway stands (32-byte account), its tokens, the chains it trades with, its quorum.

    ``attesters`` are 20-byte addresses, ``quorum`` of which must sign each item.
    """

    chain: ChainId
    gateway: Account
    tokens: tuple[TokenPlace, ...]
    peers: tuple[ChainId, ...]
    attesters: tuple[bytes, ...]
    quorum: int
    address: bytes = field(init=False)
    separator: bytes = field(init=False, repr=False)
    _chains: Mapping[bytes, ChainId] = field(init=False, repr=False, compare=False)
    _assets: Mapping[bytes, TokenPlace] = field(init=False, repr=False, compare=False)
    _tokens: Mapping[str, bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what every log and every draft needs."""
        derived = {
            "address": word_of(self.gateway),
            "separator": domain_separator(self.chain, word_of(self.gateway)),
            "_chains": {chain_key(peer): peer for peer in self.peers},
            "_assets": {word_of(place.token): place for place in self.tokens},
            "_tokens": {place.asset: word_of(place.token) for place in self.tokens},
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def peer(self, key: bytes) -> ChainId | None:
        """The peer that contracts know by this key; None for a chain that is not a peer."""
        return self._chains.get(key)

    def asset(self, token: bytes) -> str | None:
        """The asset whose token has this 20-byte address; None for a token that is not ours."""
        place = self._assets.get(token)
        return None if place is None else place.asset

    def token(self, asset: str) -> bytes:
        """The 20-byte address of an asset's token; DraftRefused if there is none here."""
        try:
            return self._tokens[asset]
        except KeyError as error:
            raise DraftRefused(f"{self.chain} has no token of {asset}") from error

    def account(self, address: bytes) -> Account:
        """The 32-byte form of a 20-byte address of this chain."""
        return account_from_word(self.chain, address)


def evm_chain_id(chain: ChainId) -> int:
    """What ``block.chainid`` answers on an EVM or Tron chain, from its CAIP-2 name."""
    reference = chain.partition(":")[2]
    return int(reference, 16) if family_of(chain) is Family.TRON else int(reference)


def domain_separator(chain: ChainId, gateway: bytes) -> bytes:
    """The EIP-712 domain separator of the gateway (20 bytes) on a chain."""
    texts = (DOMAIN_TYPE, DOMAIN_NAME, DOMAIN_VERSION)
    hashed = b"".join(keccak(text.encode()) for text in texts)
    return keccak(hashed + word(evm_chain_id(chain)) + padded(gateway))


def mode_of(number: int) -> Mode | None:
    """The mode that the gateway gives a token; None for a token that it does not serve."""
    return {1: Mode.BURN_MINT, 2: Mode.LOCK_RELEASE}.get(number)
