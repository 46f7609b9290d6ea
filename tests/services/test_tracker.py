"""The Tracker folds facts once, whatever comes twice, and answers who asks."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.bus.sqlite import SqliteBus
from relayer.domain.address import Account, ChainId, account_from_evm
from relayer.domain.amount import WAD, Shares
from relayer.domain.errors import Fatal, Unavailable
from relayer.domain.reasons import Reason
from relayer.domain.records import SUPPLY, TRANSFERS, TRANSFERS_TOPIC, TransferTold
from relayer.domain.stage import Stage
from relayer.domain.transfer import TransferId
from relayer.ports.bus import Out, Record, Topic
from relayer.services.tracker import Fold, Tracker, merged
from relayer.services.tracks import Filter, Tracks

BNB, TRON = ChainId("eip155:56"), ChainId("tron:0x2b6653dc")
SOLANA = ChainId("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp")
SIGNATURE = (
    "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW"
)

TOPICS = [
    Topic(name=TRANSFERS_TOPIC, partitions=2, retention=timedelta(days=180), compacted=False),
    Topic(name=SUPPLY, partitions=1, retention=timedelta(days=7), compacted=False),
]


def told(number: int = 1, stage: Stage = Stage.SEEN, at: float = 1_800_000_000.0) -> TransferTold:
    """Return a fact about transfer `number`."""
    return TransferTold(
        id=TransferId(number.to_bytes(32, "big")),
        stage=stage,
        at=at,
        source=BNB,
        destination=SOLANA,
        asset="TSLAx",
        shares=Shares(3 * WAD // 2),
        sender=account_from_evm(number.to_bytes(20, "big")),
        recipient=Account(bytes([7]) * 32),
        source_tx=f"0xAB{number:062x}",
        source_height=100 + number,
        source_time=1_799_999_990,
    )


def delivered(number: int = 1, at: float = 1_800_000_009.0) -> TransferTold:
    """Return the last fact of a good transfer."""
    return replace(
        told(number, Stage.DELIVERED, at),
        destination_tx=SIGNATURE,
        destination_height=500,
        destination_time=1_800_000_008,
    )


LIFE = [
    told(at=1_800_000_000.0),
    told(stage=Stage.SIGNING, at=1_800_000_001.0),
    replace(told(stage=Stage.SUBMITTED, at=1_800_000_002.0), destination_tx=SIGNATURE),
    delivered(),
]


def records(
    facts: list[TransferTold], begin: int = 0, time: float = 1_800_000_000.0
) -> list[Record]:
    """Return the facts as they stand in partition 0."""
    return [
        Record(
            topic=TRANSFERS_TOPIC,
            partition=0,
            offset=begin + i,
            key=fact.id.hex(),
            value=TRANSFERS.encode(fact),
            time=time + begin + i,
        )
        for i, fact in enumerate(facts)
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the tracker's file goes."""
    return tmp_path / "tracker.db"


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[SqliteBus]:
    """An embedded bus with the topics that the tracker follows."""
    async with SqliteBus(tmp_path / "bus.db", TOPICS, now=lambda: 1_800_000_100.0) as bus:
        yield bus


async def _publish(bus: SqliteBus, *facts: TransferTold) -> None:
    await bus.publish(
        [
            Out(
                topic=TRANSFERS_TOPIC,
                partition=fact.id[-1] % 2,
                key=fact.id.hex(),
                value=TRANSFERS.encode(fact),
            )
            for fact in facts
        ]
    )


@contextlib.asynccontextmanager
async def _tracking(bus: SqliteBus, path: Path) -> AsyncIterator[Tracker]:
    """Run a tracker until it has caught up, and on until the end of the block."""
    tracker = Tracker(bus, path, now=lambda: 1_800_000_100.0)
    task = asyncio.ensure_future(tracker.run())
    try:
        async with asyncio.timeout(10):
            await tracker.caught_up.wait()
        yield tracker
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _fold(path: Path, *batches: list[Record]) -> None:
    """Fold batches of transfers, each in a transaction of its own."""
    with contextlib.closing(Fold(path)) as fold:
        for batch in batches:
            fold.take(TRANSFERS_TOPIC, batch)


def _dump(path: Path) -> list[str]:
    """Return the content of the file, but for the positions."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        return sorted(line for line in db.iterdump() if 'INTO "tracking"' not in line)


async def test_the_story_of_a_transfer_is_told_from_the_bus(bus: SqliteBus, path: Path) -> None:
    """Facts published before and while the tracker runs become one story."""
    await _publish(bus, *LIFE[:2])
    async with _tracking(bus, path):
        await _publish(bus, *LIFE[2:])
        with Tracks(path) as tracks:
            async with asyncio.timeout(10):
                while len(tracks.trace("0" * 63 + "1")[0].facts) < 4:
                    await asyncio.sleep(0.01)
            (story,) = tracks.trace("0" * 63 + "1")

    assert list(story.facts) == LIFE
    assert story.track.told == LIFE[-1]
    assert story.track.seen_at == LIFE[0].at


async def test_a_deleted_file_is_made_again_from_the_bus(bus: SqliteBus, path: Path) -> None:
    """The tracker holds nothing of its own."""
    await _publish(bus, *LIFE, told(2))
    async with _tracking(bus, path):
        pass
    before = _dump(path)
    path.unlink()  # noqa: ASYNC240 - nothing else runs now
    async with _tracking(bus, path):
        pass

    assert _dump(path) == before


async def test_a_restart_goes_on_where_it_was(bus: SqliteBus, path: Path) -> None:
    """What was folded is not folded again, what came meanwhile is."""
    await _publish(bus, *LIFE[:2])
    async with _tracking(bus, path):
        pass
    await _publish(bus, *LIFE[2:])
    async with _tracking(bus, path):
        pass

    with Tracks(path) as tracks:
        assert [list(story.facts) for story in tracks.trace("0" * 63 + "1")] == [LIFE]


# Each history opens three files: fewer of them than elsewhere.
@settings(max_examples=(settings.default or settings()).max_examples // 4)
@given(data=st.data())
def test_any_replay_leaves_the_same_file(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Facts repeated in any way, at other offsets too, and batches cut anywhere change nothing."""
    facts = [*LIFE, told(2), told(2, Stage.PARKED)]
    directory = tmp_path_factory.mktemp("replay")
    once, often = directory / "once.db", directory / "often.db"
    _fold(once, records(facts))

    stream: list[TransferTold] = []
    for i, fact in enumerate(facts):
        stream.append(fact)
        stream += data.draw(st.lists(st.sampled_from(facts[: i + 1]), max_size=3))
    cut = data.draw(st.integers(0, len(stream)))
    again = data.draw(st.integers(0, cut))
    _fold(often, records(stream)[:cut])
    _fold(often, records(stream)[again:])

    assert _dump(often) == _dump(once)


def test_a_topic_made_anew_is_folded_from_its_start(path: Path) -> None:
    """Offsets that begin again at zero, at a later time, are new records."""
    _fold(path, records([told(1), told(2)]), records([told(3)], time=1_800_009_000.0))

    with Tracks(path) as tracks:
        assert len(tracks.status(Filter())) == 3


def test_what_the_chain_closed_stays_closed(path: Path) -> None:
    """An owner that begins anew tells "seen" again: the list still says delivered, with its tx."""
    again = [
        told(at=1_800_000_100.0),
        replace(told(stage=Stage.DELIVERED, at=1_800_000_101.0), destination_tx=None),
    ]
    _fold(path, records([*LIFE, *again]))

    with Tracks(path) as tracks:
        (track,) = tracks.status(Filter())
        (story,) = tracks.trace(SIGNATURE)
    assert track.told == replace(delivered(), at=again[1].at)
    assert len(story.facts) == 6


def test_a_refund_follows_a_void() -> None:
    """Between stages that are both closed the newer one stands."""
    voided = told(stage=Stage.VOIDED)
    refunded = replace(told(stage=Stage.REFUNDED), destination_tx="0xrefund")

    assert merged(voided, refunded) == refunded
    assert merged(refunded, voided) == refunded


@pytest.mark.parametrize(
    "text",
    [
        LIFE[0].source_tx,
        LIFE[0].source_tx.lower(),
        LIFE[0].source_tx.removeprefix("0x"),
        f"  {SIGNATURE} ",
        "00" * 31 + "01",
        "0x" + "00" * 31 + "01",
        "0" * 63 + "1",
    ],
)
def test_a_transfer_is_found_by_each_of_its_names(path: Path, text: str) -> None:
    """Id or transaction of either side, with or without 0x, in any case of hex."""
    _fold(path, records(LIFE))

    with Tracks(path) as tracks:
        assert tracks.find(text) == [LIFE[0].id]


def test_a_transaction_that_carries_several_finds_them_all(path: Path) -> None:
    """A batch of deliveries is one transaction: each of its transfers is an answer."""
    _fold(path, records([delivered(1), delivered(2)]))

    with Tracks(path) as tracks:
        assert len(tracks.trace(SIGNATURE)) == 2


@pytest.mark.parametrize("text", ["", "0x", "nothing", "00", SIGNATURE.lower(), "%", "f" * 64])
def test_what_is_not_there_is_not_found(path: Path, text: str) -> None:
    """No guess is made; base58 is told apart by case."""
    _fold(path, records(LIFE))

    with Tracks(path) as tracks:
        assert tracks.trace(text) == []


def test_status_is_filtered_and_paged(path: Path) -> None:
    """Each side of the filter lets through what it says, newest change first."""
    parked = replace(told(3, Stage.PARKED, 1_800_000_003.0), reason=Reason.OVER_CAP)
    away = replace(told(4, at=1_800_000_004.0), source=TRON, asset="AAPLx", destination=None)
    _fold(path, records([told(2), delivered(1), parked, away]))

    def numbers(wanted: Filter) -> list[int]:
        return [int.from_bytes(track.told.id, "big") for track in tracks.status(wanted)]

    with Tracks(path) as tracks:
        assert numbers(Filter()) == [1, 4, 3, 2]
        assert numbers(Filter(open_only=True)) == [4, 3, 2]
        assert numbers(Filter(stages=frozenset({Stage.PARKED, Stage.DELIVERED}))) == [1, 3]
        assert numbers(Filter(stages=frozenset({Stage.DELIVERED}), open_only=True)) == []
        assert numbers(Filter(reason=Reason.OVER_CAP)) == [3]
        assert numbers(Filter(asset="AAPLx")) == numbers(Filter(source=TRON)) == [4]
        assert numbers(Filter(destination=SOLANA)) == [1, 3, 2]
        assert numbers(Filter(account=told(2).sender)) == [2]
        assert numbers(Filter(account=told().recipient, limit=2)) == [1, 4]
        last = tracks.status(Filter(limit=2))[-1].told
        assert numbers(Filter(before=(last.at, last.id))) == [3, 2]
        assert tracks.counts() == {
            (Stage.SEEN, None): 2,
            (Stage.DELIVERED, None): 1,
            (Stage.PARKED, Reason.OVER_CAP): 1,
        }


async def test_a_record_that_does_not_decode_is_set_aside(bus: SqliteBus, path: Path) -> None:
    """Garbage on the bus stops nobody."""
    for topic in (TRANSFERS_TOPIC, SUPPLY):
        await bus.publish(
            [Out(topic=topic, partition=0, key="k", value=value) for value in (b"{", None, b"{}")]
        )
    await _publish(bus, told(2))
    async with _tracking(bus, path):
        pass

    with Tracks(path) as tracks:
        assert len(tracks.status(Filter())) == 1
        assert tracks.verdicts() == []


def test_closed_transfers_are_forgotten_and_open_ones_never(path: Path) -> None:
    """After a long time a delivered transfer leaves the file whole; a parked one stays."""
    _fold(path, records([*LIFE, told(2, Stage.PARKED)]))
    with contextlib.closing(Fold(path)) as fold:
        fold.forget(1_700_000_000.0)
        with Tracks(path) as tracks:
            assert len(tracks.status(Filter())) == 2
        fold.forget(1_900_000_000.0)

    with Tracks(path) as tracks:
        assert [t.told.stage for t in tracks.status(Filter())] == [Stage.PARKED]
        assert tracks.find(SIGNATURE) == []


def test_a_file_of_another_release_is_made_again(path: Path) -> None:
    """It is a fold: nothing is migrated. A reader says so."""
    _fold(path, records(LIFE))
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("pragma user_version = 99")
    with pytest.raises(Unavailable, match="another release"):
        Tracks(path)

    _fold(path)
    with Tracks(path) as tracks:
        assert tracks.status(Filter()) == []


def test_a_damaged_file_says_what_to_do(path: Path) -> None:
    """Reader and writer name the file and the way out."""
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    for use in (Tracks, Fold):
        with pytest.raises(Fatal, match=r"tracker\.db.*delete it"):
            use(path)


def test_a_missing_file_is_the_trackers_absence(path: Path) -> None:
    """Asking before the tracker ever ran is no riddle."""
    with pytest.raises(Unavailable, match="has not run"):
        Tracks(path)
