"""Which transfers a demo makes: every route and asset in turn, amounts that differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, permutations

from relayer.domain.address import Account, ChainId, Family, account_from_word, family_of
from relayer.domain.amount import RAW_UNIT, Shares
from relayer.settings import Settings
from relayer.signing.local import Ed25519Signer, Secp256k1Signer, parse_secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """One transfer to make: a user deposits shares on one chain for themselves on another."""

    number: int
    source: ChainId
    destination: ChainId
    asset: str
    shares: Shares
    user: int


def plan(settings: Settings, transfers: int, users: int) -> list[Journey]:
    """So many journeys, spread evenly over routes, assets and users."""
    routes = list(permutations([chain.id for chain in settings.chains], 2))
    assets = [asset.symbol for asset in settings.assets]
    numbered = zip(range(transfers), _cycle(routes, assets), strict=False)
    return [
        Journey(
            number=number,
            source=source,
            destination=destination,
            asset=asset,
            shares=Shares((50_000_000 + number * 1_234_567 % 100_000_000) * RAW_UNIT),
            user=number // len(routes) % users,
        )
        for number, (source, destination, asset) in numbered
    ]


def _cycle(
    routes: list[tuple[ChainId, ChainId]], assets: list[str]
) -> Iterator[tuple[ChainId, ChainId, str]]:
    for number in count():
        source, destination = routes[number % len(routes)]
        yield source, destination, assets[(number + number // len(routes)) % len(assets)]


def user_secret(settings: Settings, chain: ChainId, user: int) -> str:
    """The text of a demo user's key on a chain."""
    family = "solana" if family_of(chain) is Family.SOLANA else "evm"
    return settings.secret(f"file:keys/user-{user}-{family}")


def user_account(settings: Settings, chain: ChainId, user: int) -> Account:
    """A demo user's account on a chain."""
    secret = parse_secret(user_secret(settings, chain, user), "the user's key")
    if family_of(chain) is Family.SOLANA:
        return Account(Ed25519Signer(secret).public)
    return account_from_word(chain, Secp256k1Signer(secret).public)
