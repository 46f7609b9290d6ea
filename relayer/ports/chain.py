"""A chain as the services see it: read its final facts, draft what a quorum signs, submit it.

Every read names its height. Adapters raise Unavailable (no or nonsensical answer), HistoryPruned
and Disagreement, all Transient; a value that was read is never "probably". One adapter folder
implements all three protocols for one virtual machine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from relayer.domain.address import Account, ChainId
from relayer.domain.amount import Shares
from relayer.domain.draft import Act, Attestation, Draft, Landings, Submission
from relayer.domain.supply import SupplySnapshot
from relayer.domain.transfer import (
    ActKind,
    ChainFact,
    Deposit,
    Location,
    Receipt,
    TransferId,
)
from relayer.domain.wire import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest height that cannot be undone, and its chain time in seconds."""

    height: int
    time: int


class ChainReader(Protocol):
    """Final facts of one chain. Nothing it returns can be undone by a reorg."""

    @property
    def chain(self) -> ChainId:
        """The chain that is read."""

    @property
    def first_height(self) -> int:
        """The height before which the bridge did not exist on this chain."""

    async def final_head(self) -> Head:
        """The newest final height by the chain's own policy (never a count of ours)."""

    async def history(self, first: int, last: int) -> Sequence[ChainFact]:
        """Every deposit, delivery, void and refund in [first, last], in chain order, none missed.

        ``last`` must be final: a range beyond the final head raises Unavailable. HistoryPruned if
        the endpoint no longer holds the whole range. Deposits that can never be delivered are
        there too, with their flaw; acts of the issuer are not deposits.
        """

    async def deposit_at(self, location: Location, height: int) -> Sequence[Deposit]:
        """The final deposits in the transaction of ``location`` whose place it names.

        ``height`` is where the transaction is said to stand; it says what absence takes. Empty
        when the chain has no such final transaction or no deposit there: believed only of an
        endpoint whose final head is at that height and that holds it (else Unavailable or
        HistoryPruned), or when no chain of ours can be that far (`FAR_AHEAD`).
        """

    async def receipts(self, ids: Sequence[TransferId]) -> Mapping[TransferId, Receipt]:
        """The final receipts on this chain of those ids that have one."""

    async def refunded(self, ids: Sequence[TransferId]) -> frozenset[TransferId]:
        """Those ids of deposits made on this chain that are finally refunded here."""

    async def snapshots(self, height: int | None = None) -> Sequence[SupplySnapshot]:
        """One snapshot per asset, all at one final height that they name.

        At ``height`` where the chain's nodes answer for a height asked (EVM), else at the newest.
        Unavailable if it is not final.
        """

    def wakeups(self) -> AsyncIterator[None]:
        """A tick whenever something may have become final; a hint only, never proof.

        Ends never; polls at the chain's interval where the endpoint has no subscription.
        """

    async def close(self) -> None:
        """Release connections."""


class ChainDrafter(Protocol):
    """What a quorum signs on one chain; used by the relayer and, on its own node, by attesters."""

    @property
    def chain(self) -> ChainId:
        """The chain whose acts are drafted."""

    async def draft(
        self,
        kind: ActKind,
        deposit: Deposit,
        *,
        dies_at: int,
        attesters: Sequence[bytes],
        attempt: int = 0,
    ) -> Draft:
        """The draft of an act for a deposit, valid until ``dies_at`` (seconds) at the latest.

        ``attesters`` are public keys in order of preference; a chain whose messages name their
        signers takes as many of the first as make a quorum. ``attempt`` counts the former drafts
        of this act: where the draft names a price, it offers more each time, up to a bound.
        """

    def payload(self, kind: ActKind, deposit: Deposit, terms: Terms) -> bytes:
        """Exactly the bytes an attester signs, rebuilt from the deposit and the terms alone.

        EVM and Tron: the EIP-712 preimage 0x1901 ‖ domain ‖ struct hash, so its keccak256 is what
        is signed. Solana: the serialized message. DraftRefused for terms outside the grammar.
        """

    async def check_terms(
        self, kind: ActKind, deposit: Deposit, terms: Terms, *, latest: int
    ) -> None:
        """Refuse (DraftRefused) terms that are not fresh, or would stay valid after ``latest``.

        ``latest`` is in seconds. Asks the attester's own node: epoch current, blockhash recent.
        """

    async def ended(self, drafts: Sequence[Draft]) -> frozenset[bytes]:
        """The digests of those drafts that the chain takes no more, whatever their deadline.

        Their epoch has ended, or their signers are attesters no more; Unavailable if that cannot
        be read.
        """

    def wanted_from(self, attester: bytes, terms: Terms) -> bool:
        """Whether a draft with these terms asks for this attester's signature."""

    def verifies(self, payload: bytes, attestation: Attestation) -> bool:
        """Whether the signature is the attester's over this payload."""

    def content(self, deposit: Deposit) -> bytes | None:
        """The content digest a receipt of this deposit's delivery holds; None: receipts have none."""

    @property
    def attesters(self) -> Sequence[bytes]:
        """The public keys of the attesters this chain knows."""

    @property
    def quorum(self) -> int:
        """How many of them make a quorum (m > n/2)."""


class ChainWriter(Protocol):
    """Submits attested acts from one payer; one writer per lane."""

    @property
    def chain(self) -> ChainId:
        """The chain that is written."""

    @property
    def payer(self) -> Account:
        """The account that pays the fees."""

    @property
    def batch(self) -> int:
        """How many acts one transaction can carry."""

    @property
    def ordered(self) -> bool:
        """Whether a payer's transactions are ordered by nonces, so that one is sealed at a time."""

    async def seal(self, acts: Sequence[Act], *, nonce: int | None) -> Submission:
        """A signed transaction for the acts; nothing is sent.

        ``nonce`` is the lowest that the lane may use (one above its newest unfinished one), None
        to ask the chain. PayerEmpty (Transient) names the missing amount of native coin, FeeCapped
        (Transient) a price above the operator's.
        Unwanted (Rejected) when a simulation shows that no item would be executed.
        """

    async def broadcast(self, submission: Submission) -> None:
        """Send the signed bytes; again is harmless. Refused (Rejected) if they can never land."""

    async def landings(self, submissions: Sequence[Submission]) -> Landings:
        """What became of each by the chain's own rules, asked in one go; see Landings."""

    async def outbid(self, nonce: int, rivals: Sequence[Submission], *, empty: bool) -> Submission:
        """A dearer transaction for a nonce, so that it is the one that lands; nothing is sent.

        It carries the acts of ``rivals`` (the submissions on that nonce, oldest first, possibly
        none); if ``empty`` it executes nothing and only uses the nonce up. FeeCapped (Transient)
        where the price would be above the operator's, PayerEmpty. Refused where the chain has
        no nonces.
        """

    async def balance(self) -> float:
        """What the payer holds, in whole native coins; for people, never for a decision."""

    async def close(self) -> None:
        """Release connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A deposit that is signed: whatever comes of it, only these bytes are sent for it.

    ``tx`` is the deposit's own transaction; ``raws`` also hold what must come before it.
    ``last_valid`` is the block height after which they can not land (Solana), else 0.
    """

    tx: str
    raws: tuple[bytes, ...]
    last_valid: int = 0


class Depositor(Protocol):
    """A user of one chain with a key: makes deposits and knows what accounts hold."""

    @property
    def account(self) -> Account:
        """The user's own account."""

    async def deposit(
        self, asset: str, shares: Shares, destination: ChainId, recipient: Account
    ) -> str:
        """Burn or lock shares towards a recipient; the included transaction's name.

        Approves and pays the fee as the chain wants it. Rejected with the chain's word if refused.
        """

    async def begin(
        self, asset: str, shares: Shares, destination: ChainId, recipient: Account
    ) -> Begun:
        """The first half of a deposit: sign it, and send it once.

        If the endpoint falls silent while it is sent, the bytes come back all the same; whatever
        is raised, nothing of the deposit was sent.
        """

    async def finish(self, begun: Begun) -> str:
        """The second half: send it until it is included; the transaction's name.

        Harmless to repeat, through other endpoints too. Rejected with the chain's word if it
        failed, Unavailable where the endpoint does not tell.
        """

    async def shares_of(self, account: Account, asset: str) -> Shares:
        """Shares an account holds at the newest height; 0 if it has none."""
