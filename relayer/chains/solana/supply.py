"""Snapshots of the supply, and the authorities they are believed under."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from relayer.chains.solana.accounts import (
    ChainClock,
    Mint,
    TokenAccount,
    account_data,
    key_text,
    read_clock,
    read_mint,
    read_token_account,
)
from relayer.chains.solana.config import SolanaConfig
from relayer.chains.solana.programs import CLOCK, DECIMALS
from relayer.domain.amount import Shares, shares_from_raw
from relayer.domain.errors import Unavailable
from relayer.domain.supply import Interval, SupplySnapshot
from relayer.domain.transfer import Mode, TokenPlace


class SupplyReader:
    """Turns one read of ``accounts`` into one snapshot per asset."""

    def __init__(self, config: SolanaConfig) -> None:
        """List the accounts: clock, receipt mint, every mint, every vault."""
        self._config = config
        keys = [bytes(place.token) for place in config.tokens]
        keys += [bytes(vault) for vault in config.vaults.values()]
        self._keys = [bytes(CLOCK), bytes(config.receipt_mint), *keys]
        self.accounts = self.keys(self._keys)

    @staticmethod
    def keys(raw: Iterable[bytes]) -> list[str]:
        """Keys in base58, as the node wants them."""
        return [key_text(key) for key in raw]

    def snapshots(self, values: Sequence[Mapping[str, Any] | None]) -> list[SupplySnapshot]:
        """The snapshots; Unavailable if an account is missing or has another authority."""
        if len(values) != len(self._keys):
            raise Unavailable("the node tells more or fewer accounts than were asked for")
        told = dict(zip(self._keys, values, strict=True))
        clock = read_clock(told[bytes(CLOCK)])
        faults = self._receipt_faults(told)
        snapshots = [self._snapshot(place, told, clock, faults) for place in self._config.tokens]
        if faults:
            raise Unavailable("; ".join(faults))
        return snapshots

    def _snapshot(
        self,
        place: TokenPlace,
        told: Mapping[bytes, Mapping[str, Any] | None],
        clock: ChainClock,
        faults: list[str],
    ) -> SupplySnapshot:
        mint = read_mint(account_data(told[place.token]))
        if mint is None:
            raise Unavailable(f"{key_text(place.token)} is no Token-2022 mint")
        vault = self._vault(place, told)
        faults += self._mint_faults(place, mint) + self._vault_faults(place, vault)
        return SupplySnapshot(
            chain=self._config.chain,
            asset=place.asset,
            mode=place.mode,
            height=clock.slot,
            time=clock.time,
            supply=Interval.exactly(shares_from_raw(mint.supply)),
            held=shares_from_raw(vault.amount) if vault else Shares(0),
            inventory=self._config.inventory.get(place.asset, Shares(0)),
            counters=None,
            multiplier=mint.multiplier_at(clock.time),
            paused=mint.paused or (vault is not None and vault.frozen),
        )

    def _vault(
        self, place: TokenPlace, told: Mapping[bytes, Mapping[str, Any] | None]
    ) -> TokenAccount | None:
        if place.mode is Mode.BURN_MINT:
            return None
        vault = read_token_account(account_data(told[self._config.vaults[place.asset]]))
        if vault is None:
            raise Unavailable(f"the vault of {place.asset} is no token account")
        return vault

    def _receipt_faults(self, told: Mapping[bytes, Mapping[str, Any] | None]) -> list[str]:
        mint = read_mint(account_data(told[self._config.receipt_mint]))
        if mint is None:
            raise Unavailable("the receipt mint is no Token-2022 mint")
        multisig = self._config.multisig
        return [
            f"the receipt mint's {name} authority is {key_text(key)}, not the quorum's multisig"
            for name, key in (("mint", mint.mint_authority), ("freeze", mint.freeze_authority))
            if key != multisig
        ]

    def _mint_faults(self, place: TokenPlace, mint: Mint) -> list[str]:
        faults = []
        if mint.decimals != DECIMALS:
            faults.append(f"{place.asset} has {mint.decimals} decimals, not {DECIMALS}")
        if place.mode is Mode.BURN_MINT and mint.mint_authority != self._config.multisig:
            by = key_text(mint.mint_authority)
            faults.append(f"the mint authority of {place.asset} is {by}, not the quorum's multisig")
        delegate = mint.permanent_delegate
        if delegate is not None and delegate not in self._config.issuers:
            by = key_text(delegate)
            faults.append(f"the permanent delegate of {place.asset}, {by}, is not configured")
        return faults

    def _vault_faults(self, place: TokenPlace, vault: TokenAccount | None) -> list[str]:
        if vault is None:
            return []
        owner = self._config.vault_owners.get(place.asset)
        faults = []
        if vault.mint != place.token:
            faults.append(f"the vault of {place.asset} holds another mint")
        if owner is not None and vault.owner != owner:
            faults.append(f"the vault of {place.asset} is owned by {key_text(vault.owner)}")
        if vault.delegate not in (None, self._config.multisig):
            faults.append(f"the vault of {place.asset} has delegate {key_text(vault.delegate)}")
        return faults
