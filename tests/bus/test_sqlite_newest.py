"""What the embedded bus answers from memory is what stands in its file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relayer.bus.catalog import Catalog
from relayer.bus.sqlite_log import Log
from relayer.bus.sqlite_newest import BYTES, RECORDS
from relayer.ports.bus import Out, Topic

TOPIC = "facts"
CATALOG = Catalog([Topic(name=TOPIC, partitions=1, retention=None, compacted=False)])


def opened(path: Path) -> Log:
    """The log in a file."""
    return Log(path, CATALOG, full_sync=False, now=lambda: 1.0)


def append(log: Log, sizes: list[int], *, keep: bool = True) -> None:
    """Append records with values of so many bytes in one transaction, or take it back."""
    log.begin()
    log.append(Out(topic=TOPIC, partition=0, key="k", value=bytes(size)) for size in sizes)
    if keep:
        log.commit()
        log.settle()
    else:
        log.rollback()


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    groups=st.lists(
        st.tuples(st.lists(st.integers(0, BYTES // 3), min_size=1, max_size=8), st.booleans()),
        max_size=6,
    ),
    offset=st.integers(0, 50),
    limit=st.integers(1, 20),
)
def test_a_reader_finds_the_same_in_memory_and_in_the_file(
    tmp_path_factory: pytest.TempPathFactory,
    groups: list[tuple[list[int], bool]],
    offset: int,
    limit: int,
) -> None:
    """From any offset on, whatever was taken back or is too much to be remembered."""
    path = tmp_path_factory.mktemp("newest") / "bus.db"
    log = opened(path)
    for sizes, keep in groups:
        append(log, sizes, keep=keep)
    remembered = log.read(TOPIC, 0, offset, limit), log.ends(TOPIC)
    log.close()

    again = opened(path)  # remembers nothing
    stored = again.read(TOPIC, 0, offset, limit), again.ends(TOPIC)
    again.close()

    assert remembered == stored


def test_memory_holds_no_more_of_a_partition_than_its_bounds(tmp_path: Path) -> None:
    """Of many records the newest are remembered, of large ones fewer; the older are in the file."""
    log = opened(tmp_path / "bus.db")
    append(log, [1] * (RECORDS + 10))
    many = log.newest.records(TOPIC, 0, 9, 1), log.newest.records(TOPIC, 0, 10, 1)
    append(log, [BYTES // 2] * 3)
    end = log.ends(TOPIC)[0]
    large = log.newest.records(TOPIC, 0, end - 3, 1), log.newest.records(TOPIC, 0, end - 2, 1)
    oldest = log.read(TOPIC, 0, 0, 1)
    log.close()

    assert (many[0], large[0]) == (None, None)
    assert many[1] is not None
    assert large[1] is not None
    assert [record.offset for record in (*many[1], *large[1], *oldest)] == [10, end - 2, 0]
