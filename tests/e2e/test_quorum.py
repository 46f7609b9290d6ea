"""Two of three attesters and both monitors, each a process of its own, over a real Kafka."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from relayer.cli.demo.kafka import OWN_SESSION, bus_on
from relayer.devnet.world import LocalWorld
from relayer.domain.amount import WAD, Shares
from relayer.domain.command import Verb
from relayer.domain.distrust import Decline, Distrust
from relayer.domain.draft import SigningRequest
from relayer.domain.reasons import Reason
from relayer.domain.records import REQUESTS, SIGNING_REQUESTS
from relayer.domain.stage import Stage
from relayer.domain.transfer import ActKind, Deposit
from relayer.ports.bus import Out
from tests.chains.liars import liar, lie_of_evm
from tests.e2e.crowd import SHORT_LEASE, Crowd, crowd_of, mortals
from tests.e2e.turncoat import turned
from tests.real_kafka import session_seconds

DRAFT_SECONDS = 4
"""How long drafts of the tests live: who starts later must not sign them any more."""

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crowd(world: LocalWorld, kafka: str) -> AsyncIterator[Crowd]:
    """One bridge for all tests of this file; each leaves every process running."""
    async with crowd_of(world, bus_on(kafka, session_seconds(OWN_SESSION))) as crowd:
        yield crowd


async def test_with_one_attester_dead_everything_is_delivered(crowd: Crowd) -> None:
    """On all three chains; it is one that Solana's first draft names."""
    await crowd.fleet["attester-one"].kill()
    await crowd.delivered(await crowd.deposit())
    await crowd.fleet["attester-one"].start()

    assert await crowd.wrong() == []


async def test_an_attesters_key_in_the_wrong_hands_mints_nothing(crowd: Crowd) -> None:
    """It signs garbage and twice the shares, and asks the others for deposits that nobody made."""
    async with turned(crowd, "three") as turncoat:
        await crowd.delivered(await crowd.deposit())
        await crowd.refuses("relayer-one", Distrust.FORGED_SIGNATURE)
        for honest in ("attester-one", "attester-two"):
            await crowd.refuses(honest, Decline.OTHER_DRAFT)
            await crowd.refuses(honest, Decline.NOT_ON_CHAIN)
    await crowd.fleet["attester-three"].start()

    assert turncoat.lies > 0
    assert await crowd.wrong() == []


async def test_an_attester_whose_endpoint_forges_signs_alone(crowd: Crowd) -> None:
    """It attests a share too many, as its node tells it; the others deliver what was deposited."""
    scene = crowd.scene
    await crowd.fleet["relayer-one"].kill()
    async with liar(scene.world.bridge.nodes.evm_url, _richer_receipts) as forging:
        forging.steady = True
        await crowd.restart("attester-two", RELAYER_CHAINS=_chains(crowd, forging.url))
        txs = await crowd.deposit()
        true = await crowd.found(txs[0])
        assert true.source == scene.bnb
        forged = replace(true, shares=Shares(true.shares + WAD))
        await _signed(crowd, forged, ActKind.DELIVER, "two")
        await crowd.fleet["relayer-one"].start()
        await crowd.delivered(txs)
    await crowd.restart("attester-two", RELAYER_CHAINS=_chains(crowd, None))

    assert await crowd.wrong() == []


async def test_with_two_attesters_dead_nothing_is_delivered_until_one_returns(
    crowd: Crowd,
) -> None:
    """They wait for a quorum by name; a journal outlives SIGKILL.

    Who signed a void in the meantime, by an operator's order, signs no delivery of that transfer.
    """
    scene, dead = crowd.scene, ("attester-two", "attester-three")
    for name in dead:
        await crowd.fleet[name].kill()
    txs = await crowd.deposit()
    await crowd.waited(txs, Reason.QUORUM_MISSING)
    voided = await crowd.found(txs[2])
    await _signed(crowd, voided, ActKind.VOID, "one")
    await crowd.restart("attester-one")
    signed = await crowd.answers(voided, scene.attester("one", scene.bnb))
    assert not {d.id for d in (await crowd.books()).deliveries} & {voided.id}
    await crowd.fleet["attester-two"].start()
    await crowd.delivered(txs[:2])
    await crowd.refuses("attester-one", Decline.BOUND)
    assert scene.told(txs[2])[0].stage is not Stage.DELIVERED
    await crowd.fleet["attester-three"].start()
    await crowd.delivered(txs)

    assert await crowd.answers(voided, scene.attester("one", scene.bnb)) == signed
    assert await crowd.wrong() == []


async def test_with_one_of_two_monitors_dead_the_gate_closes_until_it_returns(
    crowd: Crowd,
) -> None:
    """Both leases are needed: transfers wait under no_lease, and go on by themselves."""
    await crowd.restart("monitor-two", RELAYER_MONITOR__LEASE_SECONDS=f"{SHORT_LEASE}")
    await crowd.leases_get_short()
    await crowd.fleet["monitor-two"].kill()
    await asyncio.sleep(SHORT_LEASE)
    txs = await crowd.deposit()
    await crowd.until(txs, Stage.WAITING, Reason.NO_LEASE)
    await crowd.restart("monitor-two", RELAYER_MONITOR__LEASE_SECONDS="30")
    await crowd.delivered(txs)

    assert await crowd.wrong() == []


DEATHS = (
    "within a rebalance:4",
    "committed, not yet broadcast:1",
    "fenced, state not yet read:1",
    "all sent, not yet committed:6",
    "broadcast, not yet noted:1",
    "state read, inbox not yet found:1",
    "committed, not yet known:6",
)
"""Moments at which a relayer kills itself, and the how many times they have come by then."""


async def test_relayers_that_die_at_the_worst_moments_deliver_each_deposit_once(
    crowd: Crowd,
) -> None:
    """Two replicas die in turn: between commit and broadcast, while they take over, ..."""
    await crowd.fleet["relayer-one"].kill()
    deaths, txs, quiet = deque(DEATHS), list[str](), 0
    async with asyncio.timeout(150), mortals(crowd, deaths) as died:
        while (before := len(died)) < len(DEATHS):
            txs += await crowd.deposit()
            await asyncio.sleep(2)
            quiet = quiet + 1 if len(died) == before else 0
            if quiet % 4 == 3:  # one has all lanes and waits for a rebalance, the other for a lane
                await crowd.restart("relayer-one")
                await crowd.fleet["relayer-one"].kill()
    await crowd.fleet["relayer-one"].start()
    await crowd.delivered(txs)

    assert sorted(died) == sorted(DEATHS)
    assert await crowd.wrong() == []


async def _signed(crowd: Crowd, deposit: Deposit, kind: ActKind, name: str) -> None:
    """Ask for an act, again and again, until an attester has signed it, and the drafts are dead."""
    assert deposit.destination is not None
    drafter = crowd.scene.kits[deposit.destination].drafter(None)
    key = crowd.scene.attester(name, deposit.destination)
    told = crowd.scene.told(deposit.location.tx)
    order = await crowd.scene.signed(Verb.REFUND, told[0]) if kind is ActKind.VOID else None
    digests, dies_at = set[bytes](), 0
    async with asyncio.timeout(30):
        while not digests & await crowd.answers(deposit, key):
            dies_at = int(time.time()) + DRAFT_SECONDS
            draft = await drafter.draft(kind, deposit, dies_at=dies_at, attesters=drafter.attesters)
            digests.add(draft.digest)
            request = SigningRequest(deposit=deposit, draft=draft, order=order)
            value = REQUESTS.encode(request)
            await crowd.bus.publish([Out(topic=SIGNING_REQUESTS, partition=0, key="", value=value)])
            await asyncio.sleep(0.3)
    await asyncio.sleep(dies_at - time.time())


def _richer_receipts(method: str, params: Sequence[Any], true: Any) -> Any:
    """A share more in a deposit's event, and the truth about all else."""
    asked = method == "eth_getTransactionReceipt" and true
    return lie_of_evm(method, params, true) if asked else true


def _chains(crowd: Crowd, url: str | None) -> str:
    """All chains' settings as a variable, with BNB Chain read through another endpoint."""
    chains = [c.model_dump(mode="json", exclude_none=True) for c in crowd.scene.settings.chains]
    for chain in chains:
        if url and chain["chain"] == crowd.scene.bnb:
            chain["endpoints"] = [{"url": url}]
    return json.dumps(chains)
