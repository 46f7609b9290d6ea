"""What was declared, and what therefore may be written: the same judgement on every bus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relayer.ports.bus import MAX_BYTES, RESERVED, Out, TooLarge, Undeclared, Unfit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from relayer.ports.bus import Topic


class Catalog:
    """The declared topics by name."""

    def __init__(self, topics: Iterable[Topic]) -> None:
        """Take the declaration. Raises `Undeclared` for a name used twice or without partitions."""
        self._topics: dict[str, Topic] = {}
        for topic in topics:
            if topic.name in self._topics or topic.partitions < 1:
                msg = f"topic {topic.name!r} is declared twice, or without partitions"
                raise Undeclared(msg)
            self._topics[topic.name] = topic

    def __iter__(self) -> Iterator[Topic]:
        """Go through the topics in the order of their declaration."""
        return iter(self._topics.values())

    def __contains__(self, name: object) -> bool:
        """Say whether a topic of this name is declared."""
        return name in self._topics

    def topic(self, name: str) -> Topic:
        """Return the declaration of a topic. Raises `Undeclared`."""
        try:
            return self._topics[name]
        except KeyError:
            msg = f"topic {name!r} is not declared; declared are {', '.join(self._topics)}"
            raise Undeclared(msg) from None

    def served(self, inbox: str | None, state: str) -> int:
        """Return how many partitions serving these has. Raises `Undeclared` if they do not fit."""
        keeps = self.topic(state)
        if not keeps.compacted:
            msg = f"topic {state!r} is to hold state, but is not declared as compacted"
            raise Undeclared(msg)
        if inbox is not None and self.topic(inbox).partitions != keeps.partitions:
            msg = (
                f"{inbox!r} has {self.topic(inbox).partitions} partitions and {state!r} has "
                f"{keeps.partitions}: an inbox and its state must have equally many"
            )
            raise Undeclared(msg)
        return keeps.partitions

    def admit(self, outs: Iterable[Out]) -> None:
        """Raise `Undeclared`, `Unfit` or `TooLarge` for the first record that cannot be written."""
        for out in outs:
            count = self.topic(out.topic).partitions
            if not 0 <= out.partition < count:
                msg = f"topic {out.topic!r} has partitions 0 to {count - 1}, not {out.partition}"
                raise Undeclared(msg)
            _admit_content(out)

    def state_outs(self, state: str, number: int, changes: Mapping[str, bytes | None]) -> list[Out]:
        """Turn changes of the state into records of its topic."""
        return [
            Out(topic=state, partition=number, key=key, value=value)
            for key, value in changes.items()
        ]


def _admit_content(out: Out) -> None:
    if out.key.startswith(RESERVED):
        msg = (
            f"key {out.key!r} for {out.topic!r}: keys with {RESERVED!r} in front belong to the bus"
        )
        raise Unfit(msg)
    try:
        size = len(out.key.encode()) + len(out.value or b"")
    except UnicodeEncodeError as error:
        msg = f"key {out.key!r} for {out.topic!r} is not text: {error.reason}"
        raise Unfit(msg) from error
    if size > MAX_BYTES:
        msg = f"record {out.key[:80]!r} for {out.topic!r} is {size} bytes; at most {MAX_BYTES} fit"
        raise TooLarge(msg)
