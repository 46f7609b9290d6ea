"""What the Solana adapter must be told. Values only; the settings class fills them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from relayer.domain.address import Account, ChainId
from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.transfer import TokenPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee:
    """What a deposit pays to the fee collector, in lamports, from slot ``since`` on.

    A fee that is raised gets a second entry instead of a new number: what was enough when a
    deposit was made must stay enough whenever its history is read again.
    """

    destination: ChainId
    lamports: int
    since: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SolanaConfig:
    """One Solana cluster behind one endpoint.

    Keys are 32 bytes. ``attesters`` are Ed25519 keys in the multisig's order; ``issuers`` are the
    permanent delegates of the mints, past ones too: a burn of theirs is never a deposit.
    ``inventory`` is the net operator seeding of each vault, in shares (1e-18), kept by the
    operator: a top-up by the cold owner leaves no mark that a stranger's gift would not leave.
    Times are seconds, fees lamports, prices of compute units micro-lamports.
    """

    chain: ChainId
    url: str
    ws_url: str | None = None
    tokens: tuple[TokenPlace, ...]
    vaults: Mapping[str, Account] = field(default_factory=dict)
    vault_owners: Mapping[str, Account] = field(default_factory=dict)
    inventory: Mapping[str, Shares] = field(default_factory=dict)
    issuers: tuple[Account, ...] = ()
    peers: tuple[ChainId, ...]
    beacon: Account
    fee_collector: Account
    fees: tuple[Fee, ...] = ()
    minimum: Shares = Shares(RAW_UNIT)
    receipt_mint: Account
    multisig: Account
    past_multisigs: tuple[Account, ...] = ()
    attesters: tuple[bytes, ...]
    quorum: int
    payer: Account | None = None
    """The lane's fee key, needed where acts are drafted; attesters do without."""
    first_height: int = 0
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every call, for a provider's key; never shown."""
    timeout_seconds: float = 10.0
    poll_seconds: float = 0.4
    batch_calls: int = 50
    """Calls put into one JSON-RPC batch; a request may have 50 kB."""
    page: int = 1000
    """Signatures asked for in one page; the node allows 1000."""
    kept_signatures: int = 50_000
    kept_transactions: int = 10_000
    slot_seconds: float = 0.4
    """Assumed length of a block until this process has measured it."""
    cu_price: int = 1_000
    """Micro-lamports for a compute unit, at least; the market and further attempts raise it."""
    cu_price_cap: int = 1_000_000
    """The most that is offered: 0.0002 SOL for the whole message."""
    cu_limit: int = 200_000
    """Two accounts to create, each with up to a dozen tries for its address, take 90,000."""

    @property
    def multisigs(self) -> tuple[Account, ...]:
        """Every multisig that ever was the quorum, the present one first."""
        return (self.multisig, *self.past_multisigs)

    @property
    def own(self) -> frozenset[bytes]:
        """Accounts of the bridge, which are never paid: what reached them would be lost."""
        mints = [place.token for place in self.tokens]
        others = (self.beacon, self.fee_collector, self.receipt_mint, *self.multisigs)
        return frozenset(map(bytes, (*mints, *self.vaults.values(), *others)))
