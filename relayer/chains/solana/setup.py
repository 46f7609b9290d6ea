"""Deploys the bridge on a cluster: what a devnet and the conformance suite start from.

On mainnet the mints exist and the issuer hands roles over, or the operator seeds vaults; the
multisig, the receipt mint and the vaults are made exactly as here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from solders.instruction import Instruction
from solders.keypair import Keypair

from relayer.chains.solana import programs, tokens
from relayer.chains.solana.config import Fee, SolanaConfig
from relayer.chains.solana.depositor import newest_blockhash, send, signed
from relayer.chains.solana.identity import chain_id
from relayer.chains.solana.rpc import SolanaRpc
from relayer.domain.address import Account, ChainId
from relayer.domain.amount import Shares, raw_from_shares
from relayer.domain.transfer import Mode, TokenPlace

_FEE_LAMPORTS = 5_000_000
"""Covers two accounts at today's rent and the signatures, with something to spare."""
_GIFTS = 16
"""Accounts that one transaction can pay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetPlan:
    """An asset to issue: who holds how much (shares), and what the vault is seeded with.

    ``seed`` is also the allowance of the quorum over the vault, plus ``seed`` again for what
    users lock; lock-release only.
    """

    asset: str
    mode: Mode
    holdings: Mapping[Account, Shares] = field(default_factory=dict)
    seed: Shares = Shares(0)
    multiplier: float = 1.0
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Everything that was made. The seeds are Ed25519 secrets of a test world."""

    chain: ChainId
    config: SolanaConfig
    issuer_seed: bytes
    vault_owner_seed: bytes


class Wallet:
    """Sends transactions that one funded key pays for."""

    def __init__(self, rpc: SolanaRpc, seed: bytes) -> None:
        """Pay with the Ed25519 key of this 32-byte seed."""
        self._rpc = rpc
        self._key = Keypair.from_seed(seed)

    @property
    def key(self) -> bytes:
        """The paying key."""
        return bytes(self._key.pubkey())

    async def send(self, instructions: Sequence[Instruction], *others: Keypair) -> str:
        """Sign, send, and wait until confirmed; the signature."""
        blockhash, _, last_valid = await newest_blockhash(self._rpc)
        raw = signed(instructions, [self._key, *others], blockhash)
        return await send(self._rpc, raw, last_valid)

    async def make(
        self, account: Keypair, space: int, *rest: Instruction, extra: int = 0
    ) -> Instruction:
        """Create an account of ``space`` bytes with rent for ``extra`` more, and initialize it."""
        rent = await self._rpc.call("getMinimumBalanceForRentExemption", space + extra)
        first = tokens.create(self.key, bytes(account.pubkey()), rent, space)
        await self.send([first, *rest], account)
        return first


class Issuer:
    """The issuer of a test world's mints."""

    def __init__(self, rpc: SolanaRpc, funder_seed: bytes, deployment: Deployment) -> None:
        """Act with the deployment's issuer key; the funder pays."""
        self._wallet = Wallet(rpc, funder_seed)
        self._key = Keypair.from_seed(deployment.issuer_seed)
        self._mints = {place.asset: bytes(place.token) for place in deployment.config.tokens}

    async def set_multiplier(self, asset: str, multiplier: float, at: int = 0) -> None:
        """Schedule a multiplier from chain time ``at`` (seconds) on; 0 for at once."""
        mint, by = self._mints[asset], bytes(self._key.pubkey())
        await self._wallet.send([tokens.set_multiplier(mint, by, multiplier, at)], self._key)

    async def pause(self, asset: str, *, paused: bool) -> None:
        """Pause or resume a token."""
        mint, by = self._mints[asset], bytes(self._key.pubkey())
        await self._wallet.send([tokens.pause(mint, by, paused=paused)], self._key)

    async def claw_back(self, asset: str, holder: Account, shares: Shares) -> str:
        """Burn a holder's shares as permanent delegate; the signature."""
        mint, by = self._mints[asset], bytes(self._key.pubkey())
        account = programs.token_account(holder, mint)
        burnt = programs.burn(account, mint, raw_from_shares(shares), by)
        return await self._wallet.send([burnt], self._key)


async def deploy(
    rpc: SolanaRpc,
    *,
    url: str,
    ws_url: str | None,
    funder_seed: bytes,
    plans: Sequence[AssetPlan],
    peers: Sequence[ChainId],
    attesters: Sequence[bytes],
    quorum: int,
    payer: Account,
    fee_lamports: int = _FEE_LAMPORTS,
    slot_seconds: float = 0.4,
) -> Deployment:
    """Create multisig, receipt mint, mints and vaults, and hand their roles to the quorum."""
    wallet, issuer, cold = Wallet(rpc, funder_seed), Keypair(), Keypair()
    chain = await chain_id(rpc)
    first_height = await rpc.call("getSlot", {"commitment": "finalized"})
    quorum_key = await _multisig(wallet, attesters, quorum)
    receipts = await _receipt_mint(wallet, quorum_key)
    async with asyncio.TaskGroup() as tasks:
        issued = [
            tasks.create_task(_issue(wallet, plan, issuer, cold, quorum_key)) for plan in plans
        ]
    places = [task.result() for task in issued]
    vaults = {place.asset: vault for place, vault in places if vault is not None}
    config = SolanaConfig(
        chain=chain,
        url=url,
        ws_url=ws_url,
        tokens=tuple(place for place, _ in places),
        vaults=vaults,
        vault_owners=dict.fromkeys(vaults, Account(bytes(cold.pubkey()))),
        inventory={plan.asset: plan.seed for plan in plans if plan.mode is Mode.LOCK_RELEASE},
        issuers=(Account(bytes(issuer.pubkey())),),
        peers=tuple(peers),
        beacon=_fresh(),
        fee_collector=await _fee_collector(wallet),
        fees=tuple(Fee(destination=peer, lamports=fee_lamports) for peer in peers),
        receipt_mint=receipts,
        multisig=quorum_key,
        attesters=tuple(attesters),
        quorum=quorum,
        payer=payer,
        first_height=first_height,
        slot_seconds=slot_seconds,
    )
    return Deployment(
        chain=chain,
        config=config,
        issuer_seed=bytes(issuer)[:32],
        vault_owner_seed=bytes(cold)[:32],
    )


async def fund(wallet: Wallet, lamports: Mapping[Account, int]) -> None:
    """Give lamports to accounts, as many in one transaction as it has room for."""
    gifts = [programs.pay(wallet.key, to, amount) for to, amount in lamports.items()]
    for start in range(0, len(gifts), _GIFTS):
        await wallet.send(gifts[start : start + _GIFTS])


async def _multisig(wallet: Wallet, attesters: Sequence[bytes], quorum: int) -> Account:
    account = Keypair()
    made = tokens.multisig(bytes(account.pubkey()), quorum, attesters)
    await wallet.make(account, tokens.MULTISIG_BYTES, made)
    return Account(bytes(account.pubkey()))


async def _receipt_mint(wallet: Wallet, multisig: Account) -> Account:
    account = Keypair()
    made = tokens.receipt_mint(bytes(account.pubkey()), multisig)
    await wallet.make(account, tokens.RECEIPT_MINT_BYTES, made)
    return Account(bytes(account.pubkey()))


async def _fee_collector(wallet: Wallet) -> Account:
    """A key with enough lamports to exist, so that fees of any size can be paid to it."""
    collector = _fresh()
    await fund(wallet, {collector: 10_000_000})
    return collector


async def _issue(
    wallet: Wallet, plan: AssetPlan, issuer: Keypair, cold: Keypair, multisig: Account
) -> tuple[TokenPlace, Account | None]:
    mint, by = Keypair(), bytes(issuer.pubkey())
    key = bytes(mint.pubkey())
    made = tokens.xstock_mint(key, by, plan.multiplier)
    await wallet.make(mint, tokens.MINT_BYTES, *made, extra=tokens.METADATA_BYTES)
    words = (
        plan.name or f"{plan.asset} (test)",
        plan.asset,
        f"https://example.invalid/{plan.asset}",
    )
    await wallet.send([tokens.metadata(key, by, *words)], issuer)
    for holder, shares in plan.holdings.items():
        account = programs.token_account(holder, key)
        create = programs.create_account(wallet.key, holder, key)
        minted = programs.mint_to(key, account, raw_from_shares(shares), by)
        await wallet.send([create, minted], issuer)
    place = TokenPlace(asset=plan.asset, token=Account(key), mode=plan.mode)
    if plan.mode is Mode.BURN_MINT:
        await wallet.send([tokens.hand_over(key, tokens.MINT_TOKENS, multisig, by)], issuer)
        return place, None
    return place, await _vault(wallet, plan, key, issuer, cold=cold, multisig=multisig)


async def _vault(
    wallet: Wallet,
    plan: AssetPlan,
    mint: bytes,
    issuer: Keypair,
    *,
    cold: Keypair,
    multisig: Account,
) -> Account:
    account, owner = Keypair(), bytes(cold.pubkey())
    key, raw = bytes(account.pubkey()), raw_from_shares(plan.seed)
    await wallet.make(account, tokens.VAULT_BYTES, tokens.token_account(key, mint, owner))
    seeded = programs.mint_to(mint, key, raw, bytes(issuer.pubkey()))
    allowed = tokens.approve(key, mint, multisig, 2 * raw, owner)
    await wallet.send([seeded, allowed], issuer, cold)
    return Account(key)


def _fresh() -> Account:
    return Account(bytes(Keypair().pubkey()))
