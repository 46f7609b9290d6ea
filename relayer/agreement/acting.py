"""Agreement of n endpoints where acts are drafted, checked, sent and followed.

A draft or a transaction is made with what one endpoint says, since no two would make the same; what
one says alone is bounded or checked by the others. A refusal for good, and what became of a
transaction, take as many endpoints as a fact does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from relayer.agreement.endpoints import Endpoints, Settle
from relayer.domain.address import Account, ChainId
from relayer.domain.agreement import Agreed, equal, kth_highest
from relayer.domain.draft import (
    PENDING,
    Act,
    Attestation,
    Draft,
    Landing,
    LandingKind,
    Landings,
    Submission,
)
from relayer.domain.errors import (
    Disagreement,
    DraftRefused,
    FeeCapped,
    PayerEmpty,
    Rejected,
    RelayerError,
    Transient,
    Unavailable,
)
from relayer.domain.transfer import ActKind, Deposit
from relayer.domain.wire import Terms
from relayer.ports.chain import ChainDrafter, ChainWriter

P = TypeVar("P")
A = TypeVar("A")

_MADE: Final = 1_000
"""Submissions whose maker is remembered."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An endpoint's word that something is refused; words differ, so kinds are compared."""

    error: RelayerError

    def __eq__(self, other: object) -> bool:
        """Equal kinds are equal refusals."""
        return isinstance(other, Refusal) and type(self.error) is type(other.error)

    def __hash__(self) -> int:
        """By kind."""
        return hash(type(self.error))


class _Acting(Generic[P]):
    """What drafter and writer share."""

    def __init__(self, endpoints: Endpoints[P]) -> None:
        self._endpoints = endpoints
        self._first = endpoints.members[0].port

    async def _ask(
        self,
        question: str,
        put: Callable[[P], Awaitable[A]],
        settle: Settle[A | Refusal, A | Refusal] | None = None,
    ) -> A:
        """The first good answer (or what ``settle`` takes), else what enough of them refuse."""

        async def first_good(told: Mapping[int, A | Refusal]) -> Agreed[A | Refusal] | None:
            for place, answer in told.items():
                if not isinstance(answer, Refusal):
                    return Agreed(value=answer, voters=frozenset({place}))
            return equal(told, self._endpoints.needed)

        answer = await self._endpoints.ask(
            question, _or_refusal(put), settle or first_good, at_once=None if settle else 1
        )
        if isinstance(answer, Refusal):
            raise answer.error
        return answer

    async def _equal(self, told: Mapping[int, A]) -> Agreed[A] | None:
        return equal(told, self._endpoints.needed)


def _or_refusal(put: Callable[[P], Awaitable[A]]) -> Callable[[P], Awaitable[A | Refusal]]:
    """The question, with a refusal as an answer instead of a failure of the endpoint."""

    async def answered(port: P) -> A | Refusal:
        try:
            return await put(port)
        except (Rejected, PayerEmpty, FeeCapped) as error:
            return Refusal(error)

    return answered


class QuorumDrafter(_Acting[ChainDrafter]):
    """A ChainDrafter over several endpoints."""

    @property
    def chain(self) -> ChainId:
        """The chain whose acts are drafted."""
        return self._first.chain

    @property
    def attesters(self) -> Sequence[bytes]:
        """The public keys of the attesters this chain knows."""
        return self._first.attesters

    @property
    def quorum(self) -> int:
        """How many of them make a quorum."""
        return self._first.quorum

    async def draft(
        self,
        kind: ActKind,
        deposit: Deposit,
        *,
        dies_at: int,
        attesters: Sequence[bytes],
        attempt: int = 0,
    ) -> Draft:
        """A draft by one endpoint whose terms the others do not refuse.

        Whose draft could not be checked is asked last for a while: it may be ahead, or lie.
        """

        async def made(drafter: ChainDrafter) -> Draft:
            return await drafter.draft(
                kind, deposit, dies_at=dies_at, attesters=attesters, attempt=attempt
            )

        async def checked(drafter: ChainDrafter) -> Draft:
            draft = await made(drafter)
            try:
                await self.check_terms(kind, deposit, draft.terms, latest=dies_at)
            except DraftRefused as error:
                raise Unavailable(f"the others refuse its draft: {error}") from error
            except Transient:
                self._endpoints.demote(self._endpoints.place(drafter))
            return draft

        return await self._ask("draft", made if len(self._endpoints.members) == 1 else checked)

    def payload(self, kind: ActKind, deposit: Deposit, terms: Terms) -> bytes:
        """Exactly the bytes an attester signs, rebuilt from the deposit and the terms alone."""
        return self._first.payload(kind, deposit, terms)

    async def check_terms(
        self, kind: ActKind, deposit: Deposit, terms: Terms, *, latest: int
    ) -> None:
        """Refuse (DraftRefused) terms that enough endpoints refuse; take those that enough take."""

        async def put(drafter: ChainDrafter) -> None:
            await drafter.check_terms(kind, deposit, terms, latest=latest)

        await self._ask("terms", put, self._equal)

    async def ended(self, drafts: Sequence[Draft]) -> frozenset[bytes]:
        """The digests of drafts that enough endpoints call ended."""

        async def put(drafter: ChainDrafter) -> frozenset[bytes]:
            return await drafter.ended(drafts)

        return await self._endpoints.ask("epoch", put, self._equal)

    def wanted_from(self, attester: bytes, terms: Terms) -> bool:
        """Whether a draft with these terms asks for this attester's signature."""
        return self._first.wanted_from(attester, terms)

    def verifies(self, payload: bytes, attestation: Attestation) -> bool:
        """Whether the signature is the attester's over this payload."""
        return self._first.verifies(payload, attestation)

    def content(self, deposit: Deposit) -> bytes | None:
        """The content digest a receipt of this deposit's delivery holds."""
        return self._first.content(deposit)


class QuorumWriter(_Acting[ChainWriter]):
    """A ChainWriter over several endpoints, with one payer."""

    def __init__(self, endpoints: Endpoints[ChainWriter]) -> None:
        """Write through these endpoints; nothing is asked yet."""
        super().__init__(endpoints)
        self._makers: OrderedDict[str, int] = OrderedDict()

    @property
    def chain(self) -> ChainId:
        """The chain that is written."""
        return self._first.chain

    @property
    def payer(self) -> Account:
        """The account that pays the fees."""
        return self._first.payer

    @property
    def batch(self) -> int:
        """How many acts one transaction can carry, by the endpoint that found it hardest."""
        return min(member.port.batch for member in self._endpoints.members)

    @property
    def ordered(self) -> bool:
        """Whether a payer's transactions are ordered by nonces."""
        return self._first.ordered

    async def seal(self, acts: Sequence[Act], *, nonce: int | None) -> Submission:
        """A signed transaction made with what one endpoint says; nothing is sent.

        Where nonces order transactions, several make one each: the nonce is one that enough of
        them tell (else the highest that enough have reached), and the cheapest offer for it wins.
        """
        made: dict[int, Submission] = {}

        async def put(writer: ChainWriter) -> Submission:
            sealed = self._made(writer, await writer.seal(acts, nonce=nonce))
            made[self._endpoints.place(writer)] = sealed
            return sealed

        if not self.ordered:
            return await self._ask("seal", put)
        try:
            return await self._ask("seal", put, self._same_nonce)
        except Disagreement:
            reached = kth_highest([_nonce(one) for one in made.values()], self._endpoints.needed)
            if reached is None:
                raise
            return _cheapest(made, reached)

    async def outbid(self, nonce: int, rivals: Sequence[Submission], *, empty: bool) -> Submission:
        """A dearer transaction for a nonce, by another endpoint than the last one if possible."""

        async def put(writer: ChainWriter) -> Submission:
            return self._made(writer, await writer.outbid(nonce, rivals, empty=empty))

        if rivals:
            self._doubt(rivals[-1])
        return await self._ask("outbid", put)

    async def broadcast(self, submission: Submission) -> None:
        """Send the bytes to every endpoint; one that takes them is enough.

        Raises what enough refuse, else Unavailable if too few answer. What nobody takes may stand
        on a reference that its maker made up: another endpoint makes the next one.
        """
        told: dict[int, Refusal | None] = {}

        async def put(writer: ChainWriter) -> None:
            await writer.broadcast(submission)

        about = submission.tx
        try:
            await self._endpoints.tell_all("broadcast", _or_refusal(put), told.__setitem__, about)
        except Transient:
            self._doubt(submission)
            raise
        if all(isinstance(answer, Refusal) for answer in told.values()):
            agreed = equal(told, self._endpoints.needed)
            words = Disagreement(f"endpoints refuse {submission.tx} for different reasons")
            raise agreed.value.error if agreed and agreed.value else words

    async def landings(self, submissions: Sequence[Submission]) -> Landings:
        """What enough endpoints say of each; PENDING where they do not agree (yet)."""
        seen: dict[int, Landings] = {}

        async def put(writer: ChainWriter) -> Landings:
            return await writer.landings(submissions)

        async def settle(told: Mapping[int, Landings]) -> Agreed[Landings] | None:
            seen.update(told)
            outcomes = _outcomes(told, submissions, self._endpoints.needed)
            return None if None in outcomes.values() else self._joined(told, outcomes)

        try:
            landings = await self._endpoints.ask("landings", put, settle)
        except Disagreement:
            outcomes = _outcomes(seen, submissions, self._endpoints.needed)
            landings = self._joined(seen, outcomes).value
        for submission in submissions:
            if landings.of[submission.tx].kind in {LandingKind.FAILED, LandingKind.DEAD}:
                self._doubt(submission)
        return landings

    async def balance(self) -> float:
        """What the payer holds by the first endpoint that answers."""

        async def put(writer: ChainWriter) -> float:
            return await writer.balance()

        return await self._ask("balance", put)

    async def close(self) -> None:
        """Release the connections of all endpoints."""
        await self._endpoints.close()
        for member in self._endpoints.members:
            await member.port.close()

    async def _same_nonce(
        self, told: Mapping[int, Submission | Refusal]
    ) -> Agreed[Submission | Refusal] | None:
        """The cheapest of enough transactions with one nonce, else a refusal by enough."""
        made = {place: one for place, one in told.items() if isinstance(one, Submission)}
        nonces = {place: _nonce(one) for place, one in made.items()}
        agreed = equal(nonces, self._endpoints.needed)
        if agreed is None:
            refused = {place: one for place, one in told.items() if isinstance(one, Refusal)}
            return equal(refused, self._endpoints.needed)
        return Agreed(value=_cheapest(made, agreed.value), voters=agreed.voters)

    def _joined(
        self, told: Mapping[int, Landings], outcomes: Mapping[str, Landing | None]
    ) -> Agreed[Landings]:
        """All outcomes in one answer; those who contradict one of them dissent."""
        nonces = [one.next_nonce for one in told.values() if one.next_nonce is not None]
        of = {tx: landing or PENDING for tx, landing in outcomes.items()}
        landings = Landings(of=of, next_nonce=kth_highest(nonces, self._endpoints.needed))
        voters = {place for place, one in told.items() if not _contradicts(one.of, of)}
        return Agreed(value=landings, voters=frozenset(voters))

    def _made(self, writer: ChainWriter, submission: Submission) -> Submission:
        self._makers[submission.tx] = self._endpoints.place(writer)
        while len(self._makers) > _MADE:
            self._makers.popitem(last=False)
        return submission

    def _doubt(self, submission: Submission) -> None:
        """Ask the endpoint last, for a while, that a transaction was made with in vain."""
        place = self._makers.pop(submission.tx, None)
        if place is not None:
            self._endpoints.demote(place)
            self._endpoints.shun(place, "seal")


def _nonce(submission: Submission) -> int:
    return submission.nonce or 0


def _cheapest(made: Mapping[int, Submission], nonce: int) -> Submission:
    return min((one for one in made.values() if _nonce(one) == nonce), key=lambda one: one.price)


def _outcomes(
    told: Mapping[int, Landings], submissions: Sequence[Submission], needed: int
) -> dict[str, Landing | None]:
    """What ``needed`` endpoints say became of each; None where they do not agree."""
    found: dict[str, Landing | None] = {}
    for tx in (submission.tx for submission in submissions):
        votes = {place: _essence(one.of.get(tx, PENDING)) for place, one in told.items()}
        agreed = equal(votes, needed)
        found[tx] = None if agreed is None else told[min(agreed.voters)].of.get(tx, PENDING)
    return found


def _essence(landing: Landing) -> tuple[object, ...]:
    """What must be equal: words differ, and where a pending one stands is not final."""
    if landing.kind is LandingKind.LANDED:
        return landing.kind, landing.height, tuple(sorted(landing.skipped.items()))
    return (landing.kind,)


def _contradicts(of: Mapping[str, Landing], agreed: Mapping[str, Landing]) -> bool:
    """Whether an answer says otherwise where something is final; to lag is no contradiction."""
    return any(
        landing.kind is not LandingKind.PENDING
        and agreed[tx].kind is not LandingKind.PENDING
        and _essence(landing) != _essence(agreed[tx])
        for tx, landing in of.items()
        if tx in agreed
    )
