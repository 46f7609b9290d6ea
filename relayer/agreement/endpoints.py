"""Several endpoints of one chain behind one question: who is asked, when, and who is believed.

The best ``needed`` are asked first; another one is asked when one fails, dissents, or takes longer
than usual. Each proves that it serves the chain before its first answer counts, and again after a
failure and every few minutes. Who fails or dissents rests for a while and is asked last.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from relayer.agreement.health import EndpointObserver, Fault, Health, fault_of, now
from relayer.domain.address import ChainId
from relayer.domain.agreement import Agreed
from relayer.domain.errors import (
    Disagreement,
    Fatal,
    HistoryPruned,
    Transient,
    Unavailable,
)

P = TypeVar("P")
A = TypeVar("A")
B = TypeVar("B")

PROOF_SECONDS: Final = 300.0
"""How long a proof of identity lasts while an endpoint answers."""

LEAST_HEDGE: Final = 0.5
"""Seconds before another endpoint is asked beside a silent one, at the least."""

_WORDS: Final = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Generic[P]):
    """One endpoint: its place in the settings, the port over it, and its proof of identity.

    ``prove`` raises WrongChain if it serves another chain, Unavailable if it does not say.
    """

    place: int
    port: P
    prove: Callable[[], Awaitable[None]]


Settle = Callable[[Mapping[int, A]], Awaitable[Agreed[B] | None]]
"""Judges the answers so far, by endpoint: agreed, or not yet."""


class Endpoints(Generic[P]):
    """The endpoints of one chain, of which ``needed`` must agree."""

    def __init__(
        self,
        chain: ChainId,
        members: Sequence[Endpoint[P]],
        needed: int,
        observer: EndpointObserver,
    ) -> None:
        """Keep the endpoints, at least ``needed`` of them; nothing is asked yet."""
        self.chain = chain
        self.members = tuple(members)
        self.needed = needed
        self._observer = observer
        self._health = {member.place: Health() for member in members}
        self._background: dict[
            tuple[int, str, str], asyncio.Task[tuple[int, Transient | None]]
        ] = {}

    def ranked(self, question: str) -> list[Endpoint[P]]:
        """The endpoints, the one to ask first first."""

        def rank(member: Endpoint[P]) -> tuple[bool, float, float, int]:
            return (
                self.rests(member.place),
                self._health[member.place].in_vain(question),
                self._health[member.place].latency(question),
                member.place,
            )

        return sorted(self.members, key=rank)

    def place(self, port: P) -> int:
        """The place of the endpoint behind a port."""
        return next(member.place for member in self.members if member.port is port)

    def rests(self, place: int) -> bool:
        """Whether an endpoint has failed or dissented lately."""
        return self._health[place].rest_until > now()

    async def ask(
        self,
        question: str,
        put: Callable[[P], Awaitable[A]],
        settle: Settle[A, B],
        about: str = "",
        *,
        at_once: int | None = None,
    ) -> B:
        """What the endpoints agree on; ``question`` is its kind, ``about`` completes its words.

        ``at_once`` endpoints (default ``needed``) are asked to begin with.

        Disagreement if all were asked and contradict each other; HistoryPruned if too few
        answer and all others no longer hold what is asked; Unavailable if too few answer.
        """
        if len(self.members) == 1:
            return await self._ask_the_one(question, put, settle, about)
        return await _Round(self, question, put, settle, about).run(at_once or self.needed)

    async def tell_all(
        self,
        question: str,
        put: Callable[[P], Awaitable[A]],
        told: Callable[[int, A], None],
        about: str = "",
    ) -> None:
        """Ask every endpoint that does not rest, and all if too few answer; tell each answer.

        A question that is under way already, with the same ``about``, is joined. Returns once ``needed`` have answered; what is slower is told when it comes. Unavailable
        (or HistoryPruned) if fewer answer.
        """
        errors = dict[int, Transient]()
        awake = [one for one in self.members if not self.rests(one.place)]
        resting = [one for one in self.members if one not in awake]
        good = 0
        for members in (awake, resting):
            running = {self._beside(member, question, put, told, about) for member in members}
            while running and good < self.needed:
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                outcomes = [task.result() for task in done]
                errors |= {place: error for place, error in outcomes if error is not None}
                good += sum(error is None for _, error in outcomes)
            if good >= self.needed:
                return
        raise failure(question, self.needed, {}, errors)

    async def _ask_the_one(
        self, question: str, put: Callable[[P], Awaitable[A]], settle: Settle[A, B], about: str
    ) -> B:
        """What a round comes to where nobody else can be asked, without its tasks."""
        (member,) = self.members
        answers, errors = dict[int, A](), dict[int, Transient]()
        try:
            answers[member.place] = await self.put(member, question, put)
        except Transient as error:
            errors[member.place] = error
        agreed = await settle(answers) if answers else None
        if agreed is None:
            raise failure(f"{question} {about}".rstrip(), self.needed, answers, errors)
        self.judge(question, answers, agreed)
        return agreed.value

    async def put(self, member: Endpoint[P], question: str, put: Callable[[P], Awaitable[A]]) -> A:
        """One endpoint's answer, its identity proven; Transient whatever it makes of itself."""
        health, begun = self._health[member.place], now()
        try:
            await self._prove(member, health)
            answer = await put(member.port)
        except asyncio.CancelledError:
            health.at_least(question, now() - begun)
            raise
        except Fatal:
            raise
        except Exception as error:  # whatever a hostile answer makes an adapter raise
            raise self._failed(member, error) from error
        seconds = now() - begun
        health.took(question, seconds)
        health.failures = 0
        self._observer.endpoint_answered(self.chain, member.place, seconds)
        return answer

    def judge(self, question: str, answered: Iterable[int], agreed: Agreed[B]) -> None:
        """Count who dissents from what was agreed; a dissenter rests, and is asked again later."""
        for place in answered:
            if place in agreed.voters:
                self._health[place].dissents = 0
            elif place not in agreed.apart:
                self.demote(place)
                self._observer.endpoint_dissented(self.chain, place, question)

    def demote(self, place: int) -> None:
        """Let an endpoint rest, longer each time in a row."""
        health = self._health[place]
        health.rest(health.dissents)
        health.dissents += 1

    def shun(self, place: int, question: str) -> None:
        """Ask an endpoint a question after the others: what came of its answer was in vain.

        It would show too late for a rest, and others' agreement with it elsewhere says nothing.
        """
        self._health[place].shunned[question] = now()

    def behind(self, place: int, heights: int) -> None:
        """Tell how far an endpoint is behind."""
        self._observer.endpoint_behind(self.chain, place, heights)

    def patience(self, question: str, places: Iterable[int]) -> float:
        """Seconds to wait for endpoints before another one is asked beside them."""
        usual = [self._health[place].latency(question) for place in places]
        return max(LEAST_HEDGE, 3 * max(usual, default=0.0))

    async def close(self) -> None:
        """Stop what still runs beside the callers."""
        for task in tuple(self._background.values()):
            task.cancel()

    def _beside(
        self,
        member: Endpoint[P],
        question: str,
        put: Callable[[P], Awaitable[A]],
        told: Callable[[int, A], None],
        about: str,
    ) -> asyncio.Task[tuple[int, Transient | None]]:
        """The one background question to an endpoint: the running one, or a new one."""
        key = member.place, question, about
        running = self._background.get(key)
        if running is None:
            running = asyncio.create_task(self._told(member, question, put, told))
            self._background[key] = running
            running.add_done_callback(lambda _: self._background.pop(key, None))
        return running

    async def _told(
        self,
        member: Endpoint[P],
        question: str,
        put: Callable[[P], Awaitable[A]],
        told: Callable[[int, A], None],
    ) -> tuple[int, Transient | None]:
        try:
            told(member.place, await self.put(member, question, put))
        except Transient as error:
            return member.place, error
        return member.place, None

    async def _prove(self, member: Endpoint[P], health: Health) -> None:
        if health.proven_until > now():
            return
        async with health.proving:
            if health.proven_until <= now():
                await member.prove()
                health.proven_until = now() + PROOF_SECONDS

    def _failed(self, member: Endpoint[P], error: Exception) -> Transient:
        """Let an endpoint rest after a failure, and say what it was."""
        fault, health = fault_of(error), self._health[member.place]
        health.rest(health.failures)
        health.failures += 1
        if fault is not Fault.PRUNED:
            health.proven_until = 0.0
        words = f"{type(error).__name__}: {error}"[:_WORDS]
        self._observer.endpoint_failed(self.chain, member.place, fault, words)
        return error if isinstance(error, Transient) else Unavailable(words)


class _Round(Generic[P, A, B]):
    """One question under way."""

    def __init__(
        self,
        pool: Endpoints[P],
        question: str,
        put: Callable[[P], Awaitable[A]],
        settle: Settle[A, B],
        about: str,
    ) -> None:
        self._pool = pool
        self._about = about
        self._question = question
        self._put = put
        self._settle = settle
        self._waiting = deque(pool.ranked(question))
        self._running: dict[asyncio.Task[A], Endpoint[P]] = {}
        self._answers: dict[int, A] = {}
        self._errors: dict[int, Transient] = {}

    async def run(self, at_once: int) -> B:
        try:
            for _ in range(at_once):
                self._start()
            while self._running:
                agreed = await self._step()
                if agreed is not None:
                    self._pool.judge(self._question, self._answers, agreed)
                    return agreed.value
        finally:
            for task in self._running:
                task.cancel()
        words = f"{self._question} {self._about}".rstrip()
        raise failure(words, self._pool.needed, self._answers, self._errors)

    async def _step(self) -> Agreed[B] | None:
        """Wait for an answer, or for as long as one usually takes; then ask on if need be."""
        done = await self._done()
        failed = [self._take(task) for task in done]
        agreed = await self._settle(self._answers) if False in failed else None
        if agreed is None:
            more = sum(failed) if done else 1
            for _ in range(more if more or self._running else 1):
                self._start()
        return agreed

    async def _done(self) -> set[asyncio.Task[A]]:
        places = [member.place for member in self._running.values()]
        patience = self._pool.patience(self._question, places) if self._waiting else None
        done, _ = await asyncio.wait(
            self._running, timeout=patience, return_when=asyncio.FIRST_COMPLETED
        )
        return done

    def _take(self, task: asyncio.Task[A]) -> bool:
        """Keep an answer or an error; whether it is an error."""
        member = self._running.pop(task)
        try:
            self._answers[member.place] = task.result()
        except Transient as error:
            self._errors[member.place] = error
            return True
        return False

    def _start(self) -> None:
        if self._waiting:
            member = self._waiting.popleft()
            work = self._pool.put(member, self._question, self._put)
            self._running[asyncio.create_task(work)] = member


def failure(
    question: str, needed: int, answers: Mapping[int, object], errors: Mapping[int, Transient]
) -> Transient:
    """What it means that endpoints did not agree, in words that say which one said what."""
    said = {place: _brief(answer) for place, answer in answers.items()}
    said |= {place: str(error)[:_WORDS] for place, error in errors.items()}
    told = "; ".join(f"endpoint {place}: {said[place]}" for place in sorted(said))
    words = f"{question}: {needed} of {len(said)} endpoints must agree: {told}"
    if len(answers) >= needed:
        return Disagreement(words)
    if errors and all(isinstance(error, HistoryPruned) for error in errors.values()):
        return HistoryPruned(words)
    return Unavailable(words)


def _brief(answer: object) -> str:
    if isinstance(answer, Sized) and not isinstance(answer, str):
        return f"{len(answer)} found, {str(answer)[:_WORDS]}" if len(answer) else "none"
    return str(answer)[:_WORDS]
