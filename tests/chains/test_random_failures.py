"""The history of each chain, read through endpoints that fail: nothing missed, nothing twice."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.agreement.endpoints import Endpoint, Endpoints
from relayer.agreement.reading import QuorumReader
from relayer.chains.solana.acts import receipt_account
from relayer.chains.solana.reader import SolanaReader
from relayer.chains.tron.reader import TronReader
from relayer.domain.errors import Transient
from relayer.domain.transfer import ChainFact, Deposit, TransferId
from relayer.ports.chain import ChainReader
from tests.agreement.endpoints import Watched
from tests.chains import faulty_evm, faulty_solana, faulty_tron
from tests.chains.faulty import (
    MOST_TRIES,
    SCRIPTS,
    Fault,
    Script,
    World,
    cuts,
    heights_up_to,
    one_at_each_request,
    told_in,
)
from tests.ports.virtual import run

WORLDS = (faulty_evm.EVM_WORLD, faulty_solana.SOLANA_WORLD, faulty_tron.TRON_WORLD)
EACH = pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
NARROW = st.integers(1, 6)


def _names(world: World, told: Sequence[ChainFact]) -> list[tuple[int, object]]:
    return [world.named(fact) for fact in told if isinstance(fact, Deposit)]


@EACH
@pytest.mark.parametrize("fault", Fault)
def test_one_failure_at_any_request_loses_nothing(world: World, fault: Fault) -> None:
    """Also where the answers before and after it come from sound backends."""
    everywhere = list(range(1, world.last + 1))
    for faults in one_at_each_request(fault):
        reader = world.open(everywhere, Script(faults), 6)
        told = run(told_in(reader, [(1, world.last)]))
        assert [fact.height for fact in told] == everywhere


@EACH
@settings(max_examples=120, deadline=None)
@given(data=st.data(), faults=SCRIPTS, narrow=NARROW, most_calls=st.integers(3, 20))
def test_every_fact_is_told_once_and_in_order(
    world: World, data: st.DataObject, faults: list[Fault], narrow: int, most_calls: int
) -> None:
    """Whatever fails, and however the range is cut: nothing is missed, and nothing comes twice."""
    heights = data.draw(heights_up_to(world.last))
    ranges = data.draw(cuts(1, world.last))

    told = run(told_in(world.open(heights, Script(faults, most_calls=most_calls), narrow), ranges))

    assert _names(world, told) == world.listed(heights)
    assert len(told) == len(heights)


@EACH
@settings(max_examples=60, deadline=None)
@given(data=st.data(), narrow=NARROW, every=st.integers(4, 9), newer=st.integers(0, 5))
def test_a_long_walk_goes_on_where_it_failed(
    world: World, data: st.DataObject, narrow: int, every: int, newer: int
) -> None:
    """Failures without end, far denser than the walk is long: its work is bounded all the same.

    The head moves on between the tries, as it does for a listener that has much to catch up on.
    """
    heights = data.draw(heights_up_to(world.last))
    sound, script = Script(), Script(every=every)
    run(told_in(world.open(heights, sound, narrow), [(1, world.last)]))

    reader = world.open(heights, script, narrow)
    told = run(_caught_up(reader, world.last - newer, world.last))

    assert _names(world, told) == world.listed(heights)
    assert len(told) == len(heights)
    assert script.asked <= 4 * sound.asked + 40


async def _caught_up(reader: ChainReader, last: int, most: int) -> list[ChainFact]:
    """What is told of [1, most] when the end of the range grows with each try."""
    for _ in range(MOST_TRIES):
        try:
            told = list(await reader.history(1, last))
        except Transient:
            last = min(last + 1, most)
            continue
        return told + await told_in(reader, [(last + 1, most)] if last < most else [])
    raise AssertionError(f"[1, {last}] was not read in {MOST_TRIES} tries")


@EACH
@settings(max_examples=20, deadline=None)
@given(data=st.data(), narrow=NARROW, every=st.lists(st.integers(4, 9), min_size=3, max_size=3))
def test_two_of_three_failing_endpoints_come_to_the_end(
    world: World, data: st.DataObject, narrow: int, every: list[int]
) -> None:
    """None of them reads the range without a failure; together they do, and with bounded work."""
    heights = data.draw(heights_up_to(world.last))
    sound, scripts = Script(), [Script(every=each) for each in every]
    run(told_in(world.open(heights, sound, narrow), [(1, world.last)]))

    told = run(_by_two([world.open(heights, script, narrow) for script in scripts], world.last))

    assert sorted(_names(world, told)) == sorted(world.listed(heights))
    for script in scripts:
        assert script.asked <= 4 * sound.asked + 40


async def _by_two(readers: Sequence[ChainReader], last: int) -> list[ChainFact]:
    members = [
        Endpoint(place=place, port=reader, prove=_sound) for place, reader in enumerate(readers)
    ]
    pool = Endpoints(readers[0].chain, members, 2, Watched())
    try:
        return await told_in(QuorumReader(pool), [(1, last)])
    finally:
        await pool.close()


async def _sound() -> None:
    """Nobody asks who these are."""


# -- what is one chain's own


@settings(max_examples=50, deadline=None)
@given(
    done=st.lists(st.booleans(), max_size=40),
    faults=SCRIPTS,
    accounts=st.integers(1, 40),
    most_calls=st.integers(1, 10),
)
def test_receipts_on_solana_are_told_of_the_ids_that_have_one(
    done: list[bool], faults: list[Fault], accounts: int, most_calls: int
) -> None:
    """However few accounts a call may ask for, each id gets its own answer."""
    ids = [TransferId(bytes([place]) * 32) for place in range(len(done))]
    with_one = {one for one, has in zip(ids, done, strict=True) if has}
    script = Script(faults, most_calls=most_calls)
    cluster = faulty_solana.Cluster([], script, accounts=accounts)
    cluster.receipts = {str(receipt_account(faulty_solana.CONFIGURED, one)) for one in with_one}

    reader = SolanaReader(faulty_solana.CONFIGURED, cluster)
    assert run(_receipts(reader, ids)) == with_one


async def _receipts(reader: SolanaReader, ids: Sequence[TransferId]) -> set[TransferId]:
    for _ in range(MOST_TRIES):
        try:
            return set(await reader.receipts(ids))
        except Transient:
            continue
    raise AssertionError("no receipts")


@pytest.mark.parametrize("world", WORLDS[:2], ids=lambda world: world.name)
def test_a_plans_limits_are_learned(world: World) -> None:
    """After a first round of refusals hardly any request is too large."""
    script = Script(most_calls=5)
    run(told_in(world.open(list(range(1, world.last + 1)), script, 6), [(1, world.last)]))
    assert sum(calls > 5 for calls in script.calls) < len(script.calls) // 2


def test_fewer_blocks_of_tron_are_asked_for_where_so_many_are_refused() -> None:
    """A range wider than what is answered at once is read in some tries, and less is asked then."""
    chain = faulty_tron.Rationed([3, 30], Script())
    reader = TronReader(faulty_tron.CONFIG, chain)
    assert len(run(told_in(reader, [(1, faulty_tron.LAST)]))) == 2
    assert chain.most_under_way > 2
    chain.most_under_way = 0
    assert len(run(told_in(reader, [(1, 20)]))) == 1
    assert chain.most_under_way <= 3
