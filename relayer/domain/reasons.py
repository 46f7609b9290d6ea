"""Every wait and refusal has a name, one sentence for users and one for operators.

Persisted and used as a metric label: never rename or remove a member.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """Why a Transfer waits, is set aside, or was refused."""

    # Held: ends by itself.
    SOURCE_UNREADABLE = "source_unreadable"
    DESTINATION_UNREADABLE = "destination_unreadable"
    ENDPOINTS_DISAGREE = "endpoints_disagree"
    NO_LEASE = "no_lease"
    HALTED = "halted"
    PAUSED = "paused"
    MULTIPLIER_DIFFERS = "multiplier_differs"
    QUORUM_MISSING = "quorum_missing"
    WINDOW_FULL = "window_full"
    LARGE = "large"
    NO_INVENTORY = "no_inventory"
    PAYER_EMPTY = "payer_empty"
    SUBMISSION_FAILED = "submission_failed"
    SUBMISSION_EXPIRED = "submission_expired"
    BROADCAST_REFUSED = "broadcast_refused"
    RECIPIENT_FROZEN = "recipient_frozen"
    REFUND_ORDERED = "refund_ordered"
    VOID_PENDING = "void_pending"
    FEE_CAPPED = "fee_capped"
    EPOCH_ENDED = "epoch_ended"
    # Parked: waits for an operator.
    MEMO_MALFORMED = "memo_malformed"
    MEMO_AMBIGUOUS = "memo_ambiguous"
    FEE_UNDERPAID = "fee_underpaid"
    BY_DELEGATE = "by_delegate"
    INSIDE_CPI = "inside_cpi"
    UNKNOWN_ROUTE = "unknown_route"
    RECIPIENT_REFUSED = "recipient_refused"
    RECIPIENT_SANCTIONED = "recipient_sanctioned"
    BELOW_MINIMUM = "below_minimum"
    OVER_CAP = "over_cap"
    DELIVERY_REFUSED = "delivery_refused"
    BY_OPERATOR = "by_operator"
    ORDER_EXPIRED = "order_expired"
    # Refused: not a Transfer at all.
    NOT_A_DEPOSIT = "not_a_deposit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a Reason means to a user and what an operator does about it."""

    user: str
    operator: str


def _say(user: str, operator: str) -> Explanation:
    return Explanation(user=user, operator=operator)


EXPLANATIONS: Final[dict[Reason, Explanation]] = {
    Reason.SOURCE_UNREADABLE: _say(
        "We cannot read the source chain right now; your transfer goes on by itself.",
        "No source endpoint answers. Check its RPC endpoints; nothing else is needed.",
    ),
    Reason.DESTINATION_UNREADABLE: _say(
        "We cannot read the destination chain right now; your transfer goes on by itself.",
        "No destination endpoint answers. Check its RPC endpoints; nothing else is needed.",
    ),
    Reason.ENDPOINTS_DISAGREE: _say(
        "Two data sources of a chain disagree; we wait until they agree.",
        "Endpoints of one chain contradict each other. Find the lagging or lying one.",
    ),
    Reason.NO_LEASE: _say(
        "We are confirming that every share is backed; your transfer goes on by itself.",
        "No fresh lease for the asset. See why the monitor withholds it: `relayer supply`.",
    ),
    Reason.HALTED: _say(
        "Transfers are halted for safety while a person looks into it. Your shares are safe.",
        "A latched halt covers the route. Read its evidence, then `relayer resume`.",
    ),
    Reason.PAUSED: _say(
        "The token or the gateway is paused on the destination; your transfer resumes after it.",
        "Paused on the destination by its issuer or guardian. Resumes by itself.",
    ),
    Reason.MULTIPLIER_DIFFERS: _say(
        "A corporate action is being applied; your transfer resumes when all chains have it.",
        "Chains disagree on the effective multiplier. Resumes by itself when they agree.",
    ),
    Reason.QUORUM_MISSING: _say(
        "We wait for enough independent signatures.",
        "Attesters did not sign in time. Check that more than half of them are alive.",
    ),
    Reason.WINDOW_FULL: _say(
        "The delivery limit of this period is used up; your transfer goes on when it renews.",
        "The cap per window is in use. Resumes when the window renews; raise it if wanted.",
    ),
    Reason.LARGE: _say(
        "Large transfers wait a while for safety.",
        "Above the delay threshold of the route. Resumes by itself at the time shown.",
    ),
    Reason.NO_INVENTORY: _say(
        "Too few shares are available on the destination; your transfer goes on when there are.",
        "The inventory on the destination is short. Add inventory or raise the allowance.",
    ),
    Reason.PAYER_EMPTY: _say(
        "We cannot pay the network fee right now; your transfer goes on by itself.",
        "The lane's fee key is short of native coin. Fund it; it goes on by itself.",
    ),
    Reason.SUBMISSION_FAILED: _say(
        "A delivery attempt failed; we try again.",
        "A delivery transaction failed on chain. It is drafted again; see the detail.",
    ),
    Reason.SUBMISSION_EXPIRED: _say(
        "A delivery attempt was not included in time; we try again.",
        "A signed transaction can no longer land. It is drafted again.",
    ),
    Reason.BROADCAST_REFUSED: _say(
        "The destination network refused a delivery attempt; we try again.",
        "A node refused a signed transaction. It is drafted again; see the detail.",
    ),
    Reason.RECIPIENT_FROZEN: _say(
        "The recipient's account is frozen; your transfer goes on when it is thawed.",
        "The token account is frozen by its issuer. Resumes by itself; or refund.",
    ),
    Reason.REFUND_ORDERED: _say(
        "Your shares are being given back on the chain they came from.",
        "A refund was ordered: first the delivery is voided, then the source refunds.",
    ),
    Reason.VOID_PENDING: _say(
        "Your refund waits until it is final that nothing will be delivered.",
        "The void cannot be read as final on the destination yet. Goes on by itself.",
    ),
    Reason.FEE_CAPPED: _say(
        "The destination network is unusually expensive; your transfer goes on by itself.",
        "The chain asks more than the highest price allowed. Raise the cap, or wait.",
    ),
    Reason.EPOCH_ENDED: _say(
        "The destination's keys changed on the way, or it was paused; your transfer is signed anew.",
        "Signed for a former epoch or set of attesters. If it stays, compare attesters on chain.",
    ),
    Reason.MEMO_MALFORMED: _say(
        "The memo of your deposit names no valid destination; it can be refunded.",
        "The deposit's memo is outside the grammar. Refund it.",
    ),
    Reason.MEMO_AMBIGUOUS: _say(
        "Your deposit does not say clearly what to deliver; it can be refunded.",
        "Several burns or memos in one transaction. Refund it.",
    ),
    Reason.FEE_UNDERPAID: _say(
        "The fee of your deposit was too low; it can be refunded.",
        "The deposit paid less than the destination's fee. Refund it at the claimant's cost.",
    ),
    Reason.BY_DELEGATE: _say(
        "Your deposit was made by a delegate of the account; it can be refunded.",
        "Burned by a delegate, not the owner. Refund to the owner.",
    ),
    Reason.INSIDE_CPI: _say(
        "Your deposit was made from inside another program; it can be refunded.",
        "The burn stands in an inner instruction. Refund to the owner.",
    ),
    Reason.UNKNOWN_ROUTE: _say(
        "This route is not served; your deposit can be refunded.",
        "The destination is not configured for the asset. Add the route or refund.",
    ),
    Reason.RECIPIENT_REFUSED: _say(
        "The recipient cannot receive on the destination; your deposit can be refunded.",
        "The recipient is not an account that may receive. Refund it.",
    ),
    Reason.RECIPIENT_SANCTIONED: _say(
        "The recipient is on the token's sanctions list.",
        "Sanctioned recipient. Legal review first; then refund or leave parked.",
    ),
    Reason.BELOW_MINIMUM: _say(
        "The amount is below the minimum; your deposit can be refunded.",
        "Below the minimum of the route. Refund at the claimant's cost.",
    ),
    Reason.OVER_CAP: _say(
        "The amount is above the limit per transfer; your deposit can be refunded.",
        "Above the cap per transfer. Raise the cap and retry, or refund.",
    ),
    Reason.DELIVERY_REFUSED: _say(
        "The destination refuses this delivery; your deposit can be refunded.",
        "The gateway skips this item for good; see the code in the detail.",
    ),
    Reason.BY_OPERATOR: _say(
        "A person is looking at your transfer.",
        "Parked by an operator's command.",
    ),
    Reason.ORDER_EXPIRED: _say(
        "Your refund was not finished in time; a person orders it again.",
        "The refund command expired before its void was made. Order it again: `relayer refund`.",
    ),
    Reason.NOT_A_DEPOSIT: _say(
        "No deposit was found at this place.",
        "A record claims a deposit that the source chain does not have. Look for a forger.",
    ),
}
