"""The port of the bus: ordered topics, owned partitions, and commits that are all or nothing.

Two buses stand behind it (embedded SQLite, Kafka). What a caller may rely on, on both:

* **Order.** The records of one partition have strictly increasing offsets (gaps are allowed) and
  are read in that order. There is no order between partitions.
* **One owner.** `Bus.serve` runs at most one living `body` per partition. Should an older owner
  still run somewhere (a zombie), its commits raise `Lost` once a newer owner
  has restored.
* **Atomic.** A `Partition.commit` writes outputs, state and the position of what was taken
  together or not at all. Nobody reads a part of it, save in topics that are followed `at_once`.
* **Taken again.** Records taken but not committed are taken again by the next owner: the fold
  over an inbox must stand repetition across owners, and never meets it across commits.
* **Nothing spans I/O.** Effects run after the commit that persisted them and are idempotent given
  the persisted bytes.
* **At least once** for `Bus.publish` and for followers: the same content may be seen twice.
* The bus is not trusted: who reads a record checks what it says.

Offsets and transactions do not show beyond `Record.offset`, which orders and names a record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from relayer.domain.errors import Fatal, Rejected, Transient

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Mapping, Sequence
    from datetime import timedelta
    from typing import Self

MAX_BYTES: Final = 1_000_000
"""The most that key and value of one record may measure together, in bytes (UTF-8 for the key)."""

RESERVED: Final = "#"
"""Keys that begin with this belong to the bus (Kafka keeps the position under one)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic as the relayer declares it before it uses it."""

    name: str
    partitions: int
    retention: timedelta | None
    """Records older than this may disappear; None keeps them for ever."""
    compacted: bool
    """Only the last value of each key is sure to stay; a value of None deletes its key."""
    at_once: bool = False
    """Followers see a record before the commit that it is part of has ended, and keep it should
    that never happen: nobody can hide later records behind a commit that he leaves open. For
    records that each count alone, from whomever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record as it was read; `time` is when it was appended, in seconds since the epoch."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes | None
    time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """One record to append; a value of None is a tombstone: it deletes the key when compacted."""

    topic: str
    partition: int
    key: str
    value: bytes | None


class Level(StrEnum):
    """How bad a finding is."""

    NOTE = "note"
    """Something could not be judged."""
    WARNING = "warning"
    """It works, and should be changed."""
    ERROR = "error"
    """Records would be lost or refused: do not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What `Bus.check` has to say about one subject, and what to do about it."""

    level: Level
    subject: str
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What one process does on the bus, by topic; a bus that guards its topics grants no more."""

    reads: frozenset[str]
    """Followed, or taken from."""
    writes: frozenset[str]
    owns: frozenset[str]
    """State topics: read and written, and older owners of a partition fenced."""


class Lost(Transient):
    """The commit is not known to have happened, or another owner has taken over.

    The owner must do nothing more: its `body` ends, and `serve` begins again with `restore`.
    """


class Unfit(Rejected):
    """A record that no bus takes: a key that is reserved or not text."""


class TooLarge(Unfit):
    """A record above `MAX_BYTES`; nothing of its commit was written."""


class Undeclared(Fatal):
    """A topic or partition that was not declared when the bus was made."""


Genuine = Callable[[str, bytes], bool]
"""Whether a value of the state, under its key, was written by an owner of its partition."""


def unasked(_key: str, _value: bytes) -> bool:
    """Take every value of the state for genuine: where nobody else can write it."""
    return True


class Partition(Protocol):
    """One owned partition, as `Bus.serve` hands it to `body`. One task uses it at a time."""

    @property
    def number(self) -> int:
        """The partition's number, the same for inbox and state."""

    async def restore(self, genuine: Genuine = unasked) -> Mapping[str, bytes]:
        """Fence every older owner, then return the last genuine value of each key of the state.

        Called first and once. What an older owner committed is in the answer; what it tries to
        commit from here on raises `Lost` there. Deleted keys are absent. Taking resumes after the
        last committed position, or at the oldest record kept where that one is gone.

        What is not genuine is passed over while it is read, so that a flood of it needs no memory.
        The genuine value that it was written over is in the answer where the bus still has that.
        """

    async def take(self, limit: int, timeout: float, wake: asyncio.Event) -> Sequence[Record]:  # noqa: ASYNC109 - a wait for records, not a bound on the call
        """Return the next records of the inbox, at most `limit`, oldest first.

        Returns at once while there are records. Otherwise waits up to `timeout` seconds (infinity
        allowed) and returns an empty sequence when that has passed or `wake` is set; `wake` is
        never cleared here. Each record is returned once to this owner, whether committed or not.
        Raises `Lost` if the partition is known to be lost.
        """

    async def commit(self, outs: Sequence[Out], state: Mapping[str, bytes | None]) -> None:
        """Append `outs`, change the state (None deletes a key), store the position: all or nothing.

        The position covers everything taken so far. Once this returns, all of it is durable and
        readers see it. Raises `Lost` when it is not known to have happened or a newer owner is
        there: do nothing more, `serve` begins again with `restore`. Raises `Unfit`, `TooLarge` or
        `Undeclared` when nothing was written and the partition lives on.
        """

    async def behind(self) -> int:
        """Return how far the end of the inbox is beyond the last committed position, in offsets.

        Records, and the gaps between them; 0 without an inbox. May be asked while the owner takes or
        commits. Raises `Transient` when it cannot be told, `Lost` before `restore`.
        """


class Follower(Protocol):
    """An endless reader of every partition of one topic: first what is kept, then what arrives.

    Close it when done (`contextlib.aclosing`). One task iterates over it.
    """

    caught_up: asyncio.Event
    """Set once the reader has come back for more after the last record that was in the topic
    when following began: everything older has then been handled."""

    def __aiter__(self) -> Self:
        """Return itself."""

    async def __anext__(self) -> Record:
        """Wait for the next record. Ends only when closed."""

    async def aclose(self) -> None:
        """Stop; give back what the reader holds."""


class Bus(Protocol):
    """Topics behind one seam."""

    def partitions(self, topic: str) -> int:
        """Return how many partitions the topic has. Raises `Undeclared`."""

    async def serve(
        self,
        inbox: str | None,
        state: str,
        body: Callable[[Partition], Awaitable[None]],
    ) -> None:
        """Run `body` once for each partition that this process owns, for as long as it owns it.

        `inbox` and `state` have equally many partitions, else `Undeclared`. Without an inbox
        `take` only waits. A `body` is cancelled and awaited before its partition is handed over,
        and when this call is cancelled. One that raises `Lost` (alone, or as a group of nothing
        else) runs again after a moment with a new `Partition`. Any other exception cancels all
        bodies and comes out of here. Returns when every body has returned.
        """

    def follow(self, topic: str, since: timedelta | None) -> Follower:
        """Read all partitions without owning any, from `since` ago (None: from the oldest kept).

        At least once; order within a partition only; of a compacted topic maybe only the last
        value of each key. Raises `Undeclared`.
        """

    async def publish(self, outs: Sequence[Out]) -> None:
        """Append the records, unfenced, at least once. Returns when they are durable.

        Raises `Unfit`, `TooLarge` or `Undeclared` before anything is written, `Transient` when
        some may or may not be there.
        """

    async def check(self) -> Sequence[Finding]:
        """Judge the topics as they are against what was declared; an empty answer is a good one."""
