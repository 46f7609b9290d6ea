"""How a bridge is set up on a chain that runs Solidity, as pure data: plans in, calls out.

The calls stand in steps: calls of one step may be mined in any order, a step only after the one
before. Who sends them (EVM or Tron) is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from eth_abi.abi import encode
from eth_hash.auto import keccak

from relayer.domain.address import (
    TRON_PREFIX,
    Account,
    ChainId,
    Family,
    account_from_word,
    chain_key,
    family_of,
    word_of,
)
from relayer.domain.amount import WAD, Shares
from relayer.domain.transfer import Mode, TokenPlace

MODES: Final = {Mode.BURN_MINT: 1, Mode.LOCK_RELEASE: 2}
KINDS: Final = {Family.EVM: 1, Family.TRON: 2, Family.SOLANA: 3}
COUNTED: Final = 1
LOCATED: Final = 2
_YES: Final = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A contract (20 bytes) and the calldata it is sent."""

    to: bytes
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPlan:
    """A devnet token and its limits, in shares; ``window`` in seconds.

    ``inventory`` is what the operator puts into the gateway of a lock-release token.
    """

    asset: str
    name: str
    mode: Mode
    cap: Shares = Shares(1_000_000 * WAD)
    window: int = 3600
    least: Shares = Shares(10**10)
    most: Shares = Shares(100_000 * WAD)
    inventory: Shares = Shares(0)
    issued: Mapping[Account, Shares]
    """Shares that the issuer creates for accounts before the bridge opens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgePlan:
    """One chain's gateway. ``attesters`` are 20-byte addresses, ``guardian`` an account."""

    chain: ChainId
    guardian: Account
    attesters: Sequence[bytes]
    quorum: int
    tokens: Sequence[TokenPlan]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerPlan:
    """A chain that shares go to and come from. ``fee`` is native units of the chain set up.

    ``gateway`` is the peer's, in 32-byte form; None on Solana. ``denied`` are accounts there
    that must not be recipients (the gateway, tokens, custody).
    """

    chain: ChainId
    fee: int
    gateway: Account | None = None
    denied: Sequence[Account] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What stands on the chain: gateway, tokens, and the height before which there was nothing."""

    chain: ChainId
    gateway: Account
    tokens: tuple[TokenPlace, ...]
    first_height: int


def deployed(
    plan: BridgePlan, gateway: bytes, tokens: Mapping[str, bytes], first_height: int
) -> Deployment:
    """What stands after a plan was carried out, with 20-byte addresses of gateway and tokens."""
    return Deployment(
        chain=plan.chain,
        gateway=account_from_word(plan.chain, gateway),
        tokens=tuple(
            TokenPlace(
                asset=token.asset,
                token=account_from_word(plan.chain, tokens[token.asset]),
                mode=token.mode,
            )
            for token in plan.tokens
        ),
        first_height=first_height,
    )


def token_arguments(plan: TokenPlan, owner: bytes) -> bytes:
    """Constructor arguments of a devnet token owned by ``owner`` (20 bytes)."""
    return encode(["string", "string", "address"], [plan.name, plan.asset, owner])


def gateway_arguments(plan: BridgePlan, admin: bytes) -> bytes:
    """Constructor arguments of the gateway with ``admin`` (20 bytes) and no predecessor."""
    prefix = TRON_PREFIX if family_of(plan.chain) is Family.TRON else 0
    kinds = ["string", "uint8", "address", "address", "address[]", "uint256", "address"]
    guardian = word_of(plan.guardian)
    values = (plan.chain, prefix, admin, guardian, list(plan.attesters), plan.quorum, bytes(20))
    return encode(kinds, values)


def opening_steps(
    plan: BridgePlan, gateway: bytes, tokens: Mapping[str, bytes], admin: bytes
) -> tuple[tuple[Call, ...], ...]:
    """Issue, hand over the roles, list the tokens and fill inventories.

    ``admin`` (20 bytes) owns tokens and gateway and sends all of it.
    """
    roles: list[Call] = []
    issue: list[Call] = []
    hand_over: list[Call] = []
    fill: list[Call] = []
    for token in plan.tokens:
        to = tokens[token.asset]
        roles += _roles(to, admin)
        issue += [_mint(to, word_of(who), shares) for who, shares in token.issued.items()]
        hand_over += _hand_over(token, to, gateway)
        if token.inventory:
            issue += [_mint(to, admin, token.inventory), approval(to, gateway, token.inventory)]
            fill.append(call(gateway, "addInventory(address,uint256)", to, token.inventory))
    return tuple(tuple(step) for step in (roles, issue, hand_over, fill) if step)


def connecting_steps(
    deployment: Deployment, tokens: Sequence[TokenPlan], peers: Sequence[PeerPlan]
) -> tuple[tuple[Call, ...], ...]:
    """List the peers as destinations and sources, and open deposits of every token to them."""
    gateway = word_of(deployment.gateway)
    calls: list[Call] = []
    for peer in peers:
        key = chain_key(peer.chain)
        family = family_of(peer.chain)
        kind = LOCATED if family is Family.SOLANA else COUNTED
        calls.append(
            call(gateway, "setDestination(bytes32,uint8,uint256)", key, KINDS[family], peer.fee)
        )
        calls.append(call(gateway, "setSource(bytes32,uint8)", key, kind))
        if peer.gateway is not None:
            trust = "setSourceGateway(bytes32,bytes32,bool)"
            calls.append(call(gateway, trust, key, bytes(peer.gateway), _YES))
        deny = "setDenied(bytes32,bytes32,bool)"
        calls += [call(gateway, deny, key, bytes(account), _YES) for account in peer.denied]
        calls += [_bounds(deployment, gateway, token, key) for token in tokens]
    return (tuple(calls),)


def approval(token: bytes, spender: bytes, amount: int) -> Call:
    """Allow ``spender`` to take ``amount`` balance units of the sender's tokens."""
    return call(token, "approve(address,uint256)", spender, amount)


def call(to: bytes, signature: str, *values: object) -> Call:
    """A call of a function, by its Solidity signature, with static arguments."""
    kinds = signature[signature.index("(") + 1 : -1].split(",")
    return Call(to=to, data=keccak(signature.encode())[:4] + encode(kinds, values))


def _roles(token: bytes, admin: bytes) -> list[Call]:
    setters = ("setMinter", "setPauser", "setMultiplierUpdater")
    return [call(token, f"{setter}(address)", admin) for setter in setters]


def _hand_over(plan: TokenPlan, token: bytes, gateway: bytes) -> list[Call]:
    listing = call(
        gateway,
        "setToken(address,uint8,uint256,uint32)",
        token,
        MODES[plan.mode],
        plan.cap,
        plan.window,
    )
    if plan.mode is Mode.LOCK_RELEASE:
        return [listing]
    setters = ("setMinter", "setBurner")
    return [listing, *(call(token, f"{setter}(address)", gateway) for setter in setters)]


def _mint(token: bytes, to: bytes, shares: int) -> Call:
    return call(token, "mint(address,uint256)", to, shares)


def _bounds(deployment: Deployment, gateway: bytes, plan: TokenPlan, key: bytes) -> Call:
    token = next(place.token for place in deployment.tokens if place.asset == plan.asset)
    signature = "setBounds(address,bytes32,uint256,uint256)"
    return call(gateway, signature, word_of(token), key, plan.least, plan.most)
