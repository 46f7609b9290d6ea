"""ChainDrafter of Solana: messages with a life that ends by itself.

A message dies with its blockhash, about 150 blocks after the block of that name. A shorter life
than that is had by naming an older block, which is why the terms carry the block's slot: an
attester looks the block up on its own node and knows exactly how old it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from solders.pubkey import Pubkey
from solders.signature import Signature

from relayer.chains.solana.acts import payload_of
from relayer.chains.solana.config import SolanaConfig
from relayer.chains.solana.fees import Fees
from relayer.chains.solana.pace import Blocks
from relayer.chains.solana.recipients import Recipients
from relayer.chains.solana.rpc import SolanaRpc
from relayer.chains.solana.terms import MessageTerms, Pays, read_terms
from relayer.domain.address import ChainId
from relayer.domain.draft import Attestation, Draft, payload_digest
from relayer.domain.errors import DraftRefused, SettingRefused
from relayer.domain.transfer import ActKind, Deposit
from relayer.domain.wire import Terms

_PRUDENCE: Final = 0.8
"""Part of the time allowed that a draft uses: attesters measure the pace of blocks themselves."""


class SolanaDrafter:
    """Drafts messages, and judges those that others drafted."""

    def __init__(
        self, config: SolanaConfig, rpc: SolanaRpc, now: Callable[[], float] = time.time
    ) -> None:
        """Draft for ``config.chain``, with blocks read through ``rpc``."""
        self._config = config
        self._fees = Fees(rpc, config.cu_price, config.cu_price_cap)
        self._blocks = Blocks(rpc, config.slot_seconds, now)
        self._recipients = Recipients(config, rpc)
        self._now = now

    @property
    def chain(self) -> ChainId:
        """The cluster whose acts are drafted."""
        return self._config.chain

    @property
    def attesters(self) -> Sequence[bytes]:
        """The Ed25519 keys of the multisig, in its order."""
        return self._config.attesters

    @property
    def quorum(self) -> int:
        """How many of them must sign."""
        return self._config.quorum

    async def draft(
        self,
        kind: ActKind,
        deposit: Deposit,
        *,
        dies_at: int,
        attesters: Sequence[bytes],
        attempt: int = 0,
    ) -> Draft:
        """The draft of an act, signed for by the first attesters that make a quorum."""
        if self._config.payer is None:
            raise SettingRefused("the Solana fee key (payer) is not configured")
        signers = tuple(key for key in attesters if key in self._config.attesters)[: self.quorum]
        if len(signers) < self.quorum:
            raise DraftRefused(f"{len(signers)} attesters are given, {self.quorum} must sign")
        pays = await self._pays(kind, deposit)
        header = await self._blocks.header_living((dies_at - self._now()) * _PRUDENCE)
        terms = MessageTerms(
            blockhash=header.blockhash,
            slot=header.slot,
            last_valid=header.last_valid,
            signers=signers,
            payer=self._config.payer,
            cu_price=await self._fees.price(attempt),
            cu_limit=self._config.cu_limit,
            pays=pays,
        )
        dead = await self._blocks.death_of(header.last_valid)
        return Draft(
            kind=kind,
            id=deposit.id,
            chain=self.chain,
            terms=terms.write(),
            digest=payload_digest(payload_of(self._config, kind, deposit, terms)),
            dies_at=min(dies_at, int(dead)),
        )

    def payload(self, kind: ActKind, deposit: Deposit, terms: Terms) -> bytes:
        """The message, rebuilt byte for byte: no durable nonce and no lookup table can be in it."""
        return payload_of(self._config, kind, deposit, self._read(terms))

    async def check_terms(
        self, kind: ActKind, deposit: Deposit, terms: Terms, *, latest: int
    ) -> None:
        """Refuse a message whose block this node does not know, or that may live past ``latest``.

        Unavailable while this node has not yet seen the block; DraftRefused for all else.
        """
        read = self._read(terms)
        payload_of(self._config, kind, deposit, read)
        if await self._pays(kind, deposit) is not read.pays:
            raise DraftRefused(f"the recipient is not the {read.pays} that the message pays")
        header = await self._blocks.header(read.slot)
        if header is None or header.blockhash != read.blockhash:
            raise DraftRefused(f"no block at slot {read.slot} has the message's blockhash")
        if header.last_valid != read.last_valid:
            raise DraftRefused(f"the message dies at {header.last_valid}, not {read.last_valid}")
        tip = await self._blocks.tip()
        if tip.header.height > header.last_valid:
            raise DraftRefused("the message's blockhash is no longer recent")
        dead = await self._blocks.death_of(header.last_valid)
        if dead > latest:
            raise DraftRefused(f"the message may land {dead - latest:.1f} s after {latest}")

    async def ended(self, drafts: Sequence[Draft]) -> frozenset[bytes]:
        """The digests of messages that name others than the attesters of the settings."""
        return frozenset(one.digest for one in drafts if not self._is_current(one.terms))

    def _is_current(self, terms: Terms) -> bool:
        try:
            self._read(terms)
        except DraftRefused:
            return False
        return True

    def wanted_from(self, attester: bytes, terms: Terms) -> bool:
        """Whether the message names this attester among its signers."""
        return str(Pubkey(attester)) in terms.get("signers", "").split(",")

    def verifies(self, payload: bytes, attestation: Attestation) -> bool:
        """Whether it is a known attester's Ed25519 signature over the message."""
        if attestation.attester not in self._config.attesters or len(attestation.signature) != 64:
            return False
        return Signature(attestation.signature).verify(Pubkey(attestation.attester), payload)

    def content(self, deposit: Deposit) -> None:
        """None: a frozen receipt holds no digest."""

    async def _pays(self, kind: ActKind, deposit: Deposit) -> Pays:
        """How a delivery's recipient is paid, by this node; other acts pay wallets."""
        return await self._recipients.pays(deposit) if kind is ActKind.DELIVER else Pays.WALLET

    def _read(self, terms: Terms) -> MessageTerms:
        read, known = read_terms(terms), self._config.attesters
        if len(set(read.signers)) != self.quorum or not set(read.signers) <= set(known):
            raise DraftRefused(f"the message is not signed by {self.quorum} of the attesters")
        if len(read.signers) != self.quorum:
            raise DraftRefused("the message names a signer twice")
        if read.payer in known or read.payer in (*self._config.multisigs, self._config.beacon):
            raise DraftRefused("the payer is an attester or an account of the bridge")
        return read
