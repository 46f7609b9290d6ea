"""Nodes that already run: where they answer and whose coins may be spent there.

Read from a TOML file with a table per chain, ``[bnb]``, ``[solana]`` and ``[tron]``. A chain that
is left out runs locally. Coins flow from the given keys to accounts of the demo's own; whoever
holds enough from an earlier demo gets nothing more.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from relayer.chains.evm.rpc import EvmRpc
from relayer.chains.solana.identity import chain_id
from relayer.chains.solana.rpc import SolanaRpc
from relayer.chains.tron.rpc import TronRpc
from relayer.devnet.funding import airdrop, top_up_evm, top_up_solana, top_up_tron
from relayer.devnet.keys import Keyring
from relayer.domain.address import Account, ChainId
from relayer.domain.errors import SettingRefused
from relayer.process_settings import SecretPlace
from relayer.settings import problems_of, read_secret
from relayer.signing.local import Ed25519Signer, Secp256k1Signer, parse_secret

Coins = Annotated[str, Field(pattern=r"^\d+(\.\d{1,6})?$")]
"""Whole native coins as decimal text."""

_PAYER_SHARE: Final = 10
"""A payer gets as many times the coins of a user."""

_DEPLOYMENT_LAMPORTS: Final = 10**10
"""What a faucet is asked for beside, for whoever deploys."""


class _Node(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GivenEvm(_Node):
    """An EVM node that stands for BNB Chain."""

    url: str
    ws: str | None = None
    key: SecretPlace
    coins: Coins = "0.05"
    block_seconds: float = Field(0.45, gt=0)


class GivenSolana(_Node):
    """A Solana validator; without a key its faucet is asked."""

    url: str
    ws: str | None = None
    key: SecretPlace | None = None
    coins: Coins = "0.5"
    block_seconds: float = Field(0.4, gt=0)


class GivenTron(_Node):
    """A Tron full node and its solid view (the same URL where a provider joins them)."""

    url: str
    solidity: str | None = None
    key: SecretPlace
    coins: Coins = "2000"
    block_seconds: float = Field(3.0, gt=0)


class Given(_Node):
    """The nodes that a file names; what it leaves out runs locally."""

    bnb: GivenEvm | None = None
    solana: GivenSolana | None = None
    tron: GivenTron | None = None
    base: Path = Path()

    def __bool__(self) -> bool:
        """Whether any chain is given."""
        return any((self.bnb, self.solana, self.tron))

    def words(self) -> str:
        """Which chains are started and which are used as they are."""
        chains = {"BNB Chain": self.bnb, "Solana": self.solana, "Tron": self.tron}
        local = ", ".join(name for name, node in chains.items() if node is None)
        used = ", ".join(name for name, node in chains.items() if node)
        parts = (
            f"starting {local}" if local else "",
            f"using given nodes of {used}" if used else "",
        )
        return ", ".join(part for part in parts if part)

    def url(self, text: str) -> str:
        """An endpoint's URL, read from its place where it is a secret."""
        return read_secret(text, self.base) if text.startswith(("env:", "file:")) else text

    def key(self, place: str) -> bytes:
        """The 32 secret bytes at a place; SettingRefused if there are none."""
        return parse_secret(read_secret(place, self.base), place)[:32]

    def secrets(self) -> Iterator[bytes]:
        """The given keys, in the order of the chains."""
        for node in (self.bnb, self.solana, self.tron):
            if node is not None and node.key is not None:
                yield self.key(node.key)


def load(path: Path) -> Given:
    """The nodes in a TOML file; SettingRefused with every problem, one per line."""
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"the file of nodes {path} cannot be read: {error.strerror}"
        raise SettingRefused(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"the file of nodes {path} is not TOML: {error}"
        raise SettingRefused(msg) from error
    try:
        return Given(**{"base": path.parent.resolve(), **content})
    except ValidationError as error:
        raise SettingRefused(problems_of(error, path, "see docs/devnet.md")) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node that answers, and the key (32 bytes) that deploys there.

    ``other_url`` is a WebSocket, or Tron's solid view.
    """

    url: str
    key: bytes
    chain: ChainId
    block_seconds: float
    other_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Who needs coins on every chain: payers, the guardian and so many users."""

    ring: Keyring
    users: int

    def secp256k1(self, payer: str) -> list[bytes]:
        """Addresses (20 bytes) on an EVM or Tron chain, the payer's first."""
        users = [self.ring.user(number).evm_signer.public for number in range(self.users)]
        return [self.ring.evm(payer).public, self.ring.evm("guardian").public, *users]

    def ed25519(self, payer: str) -> list[bytes]:
        """Keys on Solana, the payer's first."""
        seeds = [self.ring.user(number).solana_secret for number in range(self.users)]
        users = [Ed25519Signer(seed).public for seed in seeds]
        return [self.ring.ed25519(payer).public, *users]


async def bnb_node(given: Given, node: GivenEvm, crew: Crew) -> Node:
    """The EVM node, once the crew holds coins there."""
    url, key = given.url(node.url), given.key(node.key)
    rpc = EvmRpc(url)
    try:
        chain = ChainId(f"eip155:{int(await rpc.call('eth_chainId', []), 16)}")
    finally:
        await rpc.close()
    accounts = crew.secp256k1("payer evm")
    await top_up_evm(url, Secp256k1Signer(key), _wanted(accounts, _units(node.coins, 18)))
    return Node(
        url=url,
        other_url=given.url(node.ws) if node.ws else "",
        key=key,
        chain=chain,
        block_seconds=node.block_seconds,
    )


async def tron_node(given: Given, node: GivenTron, crew: Crew) -> Node:
    """The Tron node, once the crew holds coins there."""
    url, key = given.url(node.url), given.key(node.key)
    solid = given.url(node.solidity or node.url)
    rpc = TronRpc(url, solid)
    try:
        chain = ChainId(f"tron:0x{(await rpc.genesis()).id[-4:].hex()}")
    finally:
        await rpc.close()
    wanted = _wanted(crew.secp256k1("payer tron"), _units(node.coins, 6))
    await top_up_tron(url, solid, Secp256k1Signer(key), wanted)
    return Node(url=url, other_url=solid, key=key, chain=chain, block_seconds=node.block_seconds)


async def solana_node(given: Given, node: GivenSolana, crew: Crew) -> Node:
    """The validator, once the crew holds coins there; from its faucet where no key is given."""
    url = given.url(node.url)
    rpc = SolanaRpc(url)
    try:
        chain = await chain_id(rpc)
    finally:
        await rpc.close()
    wanted = _wanted(crew.ed25519("payer solana"), _units(node.coins, 9))
    key = crew.ring.secret("funder solana") if node.key is None else given.key(node.key)
    if node.key is None:
        lamports = sum(wanted.values()) + _DEPLOYMENT_LAMPORTS
        await airdrop(url, Ed25519Signer(key).public, lamports)
    await top_up_solana(url, key, {Account(one): amount for one, amount in wanted.items()})
    return Node(
        url=url,
        other_url=given.url(node.ws) if node.ws else "",
        key=key,
        chain=chain,
        block_seconds=node.block_seconds,
    )


def _wanted(accounts: Sequence[bytes], amount: int) -> dict[bytes, int]:
    payer, *others = accounts
    return {payer: amount * _PAYER_SHARE, **dict.fromkeys(others, amount)}


def _units(coins: str, decimals: int) -> int:
    """The smallest units of a decimal text of coins."""
    whole, _, fraction = coins.partition(".")
    return int(whole + fraction.ljust(decimals, "0"))
