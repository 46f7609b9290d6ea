from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from relayer.chains.gateway.configure import BridgePlan, TokenPlan
from relayer.chains.gateway.words import number_at, selector
from relayer.chains.tron.codec import tron_address
from relayer.chains.tron.rpc import CallTimedOut, TronRpc
from relayer.chains.tron.sender import OutOfTime
from relayer.chains.tron.setup import TronSetup
from relayer.devnet.tron import TronDevnet, TronDevnetConfig
from relayer.domain.address import ChainId, account_from_tron, word_of
from relayer.domain.transfer import Mode
from relayer.signing.local import Secp256k1Signer


@pytest.fixture
async def net() -> AsyncIterator[TronDevnet]:
    async with TronDevnet(TronDevnetConfig(block_seconds=0.2)) as net:
        yield net


@pytest.fixture
async def rpc(net: TronDevnet) -> AsyncIterator[TronRpc]:
    rpc = TronRpc(net.full_url, net.solidity_url)
    yield rpc
    await rpc.close()


def _plan(net: TronDevnet, admin: Secp256k1Signer) -> BridgePlan:
    return BridgePlan(
        chain=ChainId(f"tron:{net.chain_id:#x}"),
        guardian=account_from_tron(admin.public),
        attesters=[Secp256k1Signer(bytes([7]) * 32).public],
        quorum=1,
        tokens=[TokenPlan(asset="TSLAx", name="TSLAx", mode=Mode.BURN_MINT, issued={})],
    )


async def test_a_bridge_is_set_up_although_a_busy_witness_gives_calls_up(
    net: TronDevnet, rpc: TronRpc
) -> None:
    """A deployment that ran out of the chain's time did nothing: it is sent again."""
    admin = Secp256k1Signer(net.keys[0])
    net.faults.out_of_time(3)

    deployment = await TronSetup(rpc, admin, poll_seconds=0.05).deploy(_plan(net, admin))

    assert [place.asset for place in deployment.tokens] == ["TSLAx"]


async def test_a_witness_that_is_always_too_slow_is_named(net: TronDevnet, rpc: TronRpc) -> None:
    """Trying has an end, with the chain's word: each try burns its fee limit."""
    admin = Secp256k1Signer(net.keys[0])
    net.faults.out_of_time(100)

    with pytest.raises(ExceptionGroup) as failed:
        await TronSetup(rpc, admin, poll_seconds=0.05).deploy(_plan(net, admin))

    assert failed.group_contains(OutOfTime, match="OUT_OF_TIME")


async def test_a_node_that_has_just_started_is_asked_until_it_is_warm(
    net: TronDevnet, rpc: TronRpc
) -> None:
    """A restarted java-tron times constant calls out that take a millisecond later."""
    admin = Secp256k1Signer(net.keys[0])
    deployment = await TronSetup(rpc, admin, poll_seconds=0.05).deploy(_plan(net, admin))
    token = tron_address(word_of(deployment.tokens[0].token))

    net.faults.cold(3)
    answer = await rpc.call(token, selector("getCurrentMultiplier()"))
    assert number_at(answer.data, 0) == 10**18

    net.faults.cold(100)
    with pytest.raises(CallTimedOut, match="CPU timeout"):
        await rpc.call(token, selector("getCurrentMultiplier()"))
