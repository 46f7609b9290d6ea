"""Any history of publishing, taking, committing, taking over and crashing, against a model."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Final, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from relayer.ports.bus import Bus, Lost, Partition
from tests.bus.harness import World, everything, keys, out, take_count

T = TypeVar("T")
_KEYS: Final = st.sampled_from(["a", "b", "ключ", ""])
_VALUES: Final = st.one_of(st.none(), st.binary(max_size=8))


class Model(RuleBasedStateMachine):
    """One partition: what was published and committed, and what must follow from it."""

    make: Callable[[], World]
    """Makes a world with empty topics; set by the subclass that names a bus."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._held = contextlib.AsyncExitStack()
        self._world = type(self).make()
        self._zombies: list[Partition] = []
        self._published = self._committed = self._taken = 0
        self._state: dict[str, bytes] = {}
        self._outputs: list[tuple[str, bytes | None]] = []
        self._bus: Bus = self._run(self._world.open())
        self._owner = self._run(self._own())

    def _run(self, work: Coroutine[None, None, T]) -> T:
        return self._runner.run(work)

    async def _own(self) -> Partition:
        """Take over and hold what comes to light against the model."""
        owner = await self._held.enter_async_context(
            self._world.own(self._world.inbox, self._world.state, 0)
        )
        assert await owner.restore() == self._state
        self._taken = self._committed
        return owner

    @rule(count=st.integers(1, 5))
    def publish(self, count: int) -> None:
        """Append inputs."""
        first = self._published
        self._published += count
        outs = [out(self._world.inbox, 0, f"in-{i}") for i in range(first, self._published)]
        self._run(self._bus.publish(outs))

    @precondition(lambda self: self._taken < self._published)
    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        """Take some of what is there: exactly what comes next, in order."""
        count = data.draw(st.integers(1, self._published - self._taken))
        taken = keys(self._run(take_count(self._owner, count)))
        assert taken == [f"in-{i}" for i in range(self._taken, self._taken + count)]
        self._taken += count

    @rule(
        outs=st.lists(st.tuples(_KEYS, _VALUES), max_size=3),
        state=st.dictionaries(_KEYS, _VALUES, max_size=3),
    )
    def commit(self, outs: list[tuple[str, bytes | None]], state: dict[str, bytes | None]) -> None:
        """Commit outputs, state and what was taken."""
        self._run(self._owner.commit([out(self._world.stream, 0, k, v) for k, v in outs], state))
        self._committed = self._taken
        self._outputs += outs
        for key, value in state.items():
            if value is None:
                self._state.pop(key, None)
            else:
                self._state[key] = value

    @rule()
    def take_over(self) -> None:
        """A newer owner restores; the older one becomes a zombie."""
        self._zombies.append(self._owner)
        self._owner = self._run(self._own())

    @precondition(lambda self: self._zombies)
    @rule()
    def let_a_zombie_commit(self) -> None:
        """No zombie ever commits."""
        ghost = [out(self._world.stream, 0, "ghost")]
        with pytest.raises(Lost):
            self._run(self._zombies[-1].commit(ghost, {"a": b"ghost", "ghost": b"v"}))

    @rule(kill=st.booleans())
    def restart(self, kill: bool) -> None:  # noqa: FBT001 - hypothesis passes it by name
        """The process ends, well or badly, and starts again."""
        self._run(self._end(kill=kill))
        self._bus = self._run(self._world.open())
        self._owner = self._run(self._own())

    async def _end(self, *, kill: bool) -> None:
        await (self._world.kill() if kill else self._world.close())
        self._zombies = []
        await self._held.aclose()

    @invariant()
    def outputs_are_those_committed(self) -> None:
        """The output holds what was committed, once, in order, and nothing else."""
        seen = self._run(everything(self._bus, self._world.stream, len(self._outputs)))
        assert [(record.key, record.value) for record in seen] == self._outputs

    def teardown(self) -> None:
        """Give everything back."""
        self._run(self._held.aclose())
        self._run(self._world.clear())
        self._runner.close()
