"""Attack, topic, how it is counted, and what it comes to: docs/security.md shows the same rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from relayer.domain.distrust import Decline, Distrust
from tests.attacks import claims, gates, questions
from tests.attacks.siege import Siege

Write = Callable[[Siege], Awaitable[object]]

REFUSED: Final = "relayer_records_refused_total"
DECLINED: Final = "relayer_attestations_declined_total"


@dataclass(frozen=True, slots=True)
class Attack:
    """One row. It is written again until it is counted, for its moment may have passed."""

    name: str
    topic: str
    reason: Distrust | Decline
    write: Write

    def counted(self, siege: Siege) -> float:
        """How often it was noticed so far."""
        if isinstance(self.reason, Decline):
            return siege.counted(DECLINED, reason=self.reason)
        topic = gates.NAMES[self.topic]
        return siege.counted(REFUSED, topic=topic, reason=self.reason)


INBOX, ASK, SUPPLY, CONTROL, STREAM = "inbox", "signing.requests", "supply", "control", "transfers"

ATTACKS: Final = (
    Attack("a deposit that nobody made", INBOX, Distrust.NOT_ON_CHAIN, claims.invented),
    Attack("a deposit of a reorged block", INBOX, Distrust.NOT_ON_CHAIN, claims.reorged),
    Attack("a deposit with another amount", INBOX, Distrust.ALTERED, claims.another_amount),
    Attack("a deposit with another recipient", INBOX, Distrust.ALTERED, claims.another_recipient),
    Attack("a delivered deposit told again", INBOX, Distrust.REPEATED, claims.replayed),
    Attack("a deposit of another lane", INBOX, Distrust.OTHER_LANE, claims.misplaced),
    Attack("a delivery that did not happen", INBOX, Distrust.UNCONFIRMED, claims.delivered),
    Attack("a void that did not happen", INBOX, Distrust.UNCONFIRMED, claims.voided),
    Attack("a delivery of an id that is not open", INBOX, Distrust.LATE, claims.delivered_before),
    Attack("a refund that is due for no deposit", INBOX, Distrust.NOT_ON_CHAIN, claims.due),
    Attack("a refund that is due for a delivered one", INBOX, Distrust.REPEATED, claims.due_again),
    Attack("a signature of garbage", INBOX, Distrust.FORGED_SIGNATURE, claims.garbage_signature),
    Attack("a signature of a removed attester", INBOX, Distrust.FORGED_SIGNATURE, claims.removed),
    Attack("a signature over another draft", INBOX, Distrust.OTHER_DRAFT, claims.other_draft),
    Attack("a signature for another transfer", INBOX, Distrust.LATE, claims.replayed_signature),
    Attack("a refund that no operator ordered", INBOX, Distrust.NOT_AUTHENTIC, claims.unordered),
    Attack("an order with a monitor's key", INBOX, Distrust.NOT_AUTHENTIC, claims.by_monitor),
    Attack("an order that has expired", INBOX, Distrust.EXPIRED, claims.expired_order),
    Attack("an order to park, taken before", INBOX, Distrust.REPLAYED, claims.replayed_order),
    Attack("an order for what is closed", INBOX, Distrust.NOT_APPLICABLE, claims.closed_order),
    Attack("a record of a future version", INBOX, Distrust.FUTURE_VERSION, claims.future),
    Attack("garbage", INBOX, Distrust.UNREADABLE, claims.garbage),
    Attack("a record of a million bytes", INBOX, Distrust.TOO_LARGE, claims.large),
    Attack("a record nested ten thousand times", INBOX, Distrust.UNREADABLE, claims.nested),
    Attack("numbers that no float holds", INBOX, Distrust.NUMBER, claims.numbers),
    Attack("a record without a value", INBOX, Distrust.EMPTY, claims.nothing),
    Attack("a request with a swapped draft", ASK, Decline.OTHER_DRAFT, questions.swapped),
    Attack("a request that pays the thief", ASK, Decline.OTHER_DRAFT, questions.for_the_thief),
    Attack("a request for no deposit", ASK, Decline.NOT_ON_CHAIN, questions.for_nothing),
    Attack("a request for what is delivered", ASK, Decline.RECEIPT, questions.again),
    Attack("a request to void without an order", ASK, Decline.NO_ORDER, questions.to_void),
    Attack("a request to refund what is not void", ASK, Decline.RECEIPT, questions.to_refund),
    Attack("a request that outlives the lease", ASK, Decline.TERMS, questions.long_lived),
    Attack("a request that is over", ASK, Decline.EXPIRED, questions.over),
    Attack("a request for a chain not served", ASK, Decline.NOT_SERVED, questions.elsewhere),
    Attack("a request that names two ids", ASK, Decline.NOT_SERVED, questions.of_two),
    Attack("garbage as a request", ASK, Distrust.UNREADABLE, questions.garbage),
    Attack("a lease with a stranger's key", SUPPLY, Distrust.NOT_AUTHENTIC, gates.strange_lease),
    Attack("a lease with the operator's key", SUPPLY, Distrust.NOT_AUTHENTIC, gates.other_role),
    Attack("a lease whose end was moved", SUPPLY, Distrust.NOT_AUTHENTIC, gates.moved_lease),
    Attack("a lease that was issued before", SUPPLY, Distrust.REPLAYED, gates.replayed_lease),
    Attack("a reading that nobody signed", SUPPLY, Distrust.NOT_AUTHENTIC, gates.nobodys_reading),
    Attack("a reading that a thief signed", SUPPLY, Distrust.NOT_AUTHENTIC, gates.strange_reading),
    Attack("a reading that was changed", SUPPLY, Distrust.NOT_AUTHENTIC, gates.changed_reading),
    Attack("a reading that was told before", SUPPLY, Distrust.REPLAYED, gates.replayed_reading),
    Attack("garbage as a reading", SUPPLY, Distrust.UNREADABLE, gates.garbage_supply),
    Attack("a resume of a stranger", CONTROL, Distrust.NOT_AUTHENTIC, gates.strange_resume),
    Attack("a resume that has expired", CONTROL, Distrust.EXPIRED, gates.expired_resume),
    Attack("a resume that was used", CONTROL, Distrust.REPLAYED, gates.replayed_resume),
    Attack("a halt of what is not served", CONTROL, Distrust.NOT_SERVED, gates.strange_halt),
    Attack("garbage as a halt", CONTROL, Distrust.UNREADABLE, gates.garbage_control),
    Attack("a fact at a time no calendar has", STREAM, Distrust.NUMBER, gates.timeless_fact),
    Attack("a fact that is yet to come", STREAM, Distrust.NUMBER, gates.coming_fact),
    Attack("garbage as a fact", STREAM, Distrust.UNREADABLE, gates.garbage_fact),
)
