"""A chain's word for not executing an act, as a Reason: does it end by itself, or is it for good?

Words are the gateway's own (``CapExceeded``), a token's revert string, or what the Solana adapter
says of an error. ``TokenRefused`` alone is no word: it also means too little energy, as a node
gives an empty payer, and that ends by itself. A word that is not known here is SUBMISSION_FAILED: held, and tried again later
and later. What cannot end by itself is parked, so that no failing transaction is sent again and
again; the shares are then given back, or an operator retries.
"""

from __future__ import annotations

from typing import Final

from relayer.domain.reasons import Reason

_WORDS: Final = (
    ("receiver is sanctioned", Reason.RECIPIENT_SANCTIONED),
    ("TokenPaused", Reason.PAUSED),
    ("Paused(", Reason.PAUSED),
    ("transfer while paused", Reason.PAUSED),
    ("the token is paused", Reason.PAUSED),
    ("InventoryShort", Reason.NO_INVENTORY),
    ("the vault is short", Reason.NO_INVENTORY),
    ("CapExceeded", Reason.WINDOW_FULL),
    ("an account is frozen", Reason.RECIPIENT_FROZEN),
    ("BadRecipient", Reason.RECIPIENT_REFUSED),
    ("UnknownSource", Reason.UNKNOWN_ROUTE),
    ("UnlistedToken", Reason.UNKNOWN_ROUTE),
    ("Conflict", Reason.DELIVERY_REFUSED),
    ("BadAmount", Reason.DELIVERY_REFUSED),
    ("BadOrigin", Reason.DELIVERY_REFUSED),
    ("EffectMismatch", Reason.DELIVERY_REFUSED),
    ("UnknownDeposit", Reason.DELIVERY_REFUSED),
    ("BadSignatures", Reason.EPOCH_ENDED),
    ("the quorum's authority is another", Reason.EPOCH_ENDED),
    ("Expired", Reason.SUBMISSION_EXPIRED),
)

FOR_GOOD: Final = frozenset(
    {
        Reason.RECIPIENT_SANCTIONED,
        Reason.RECIPIENT_REFUSED,
        Reason.UNKNOWN_ROUTE,
        Reason.DELIVERY_REFUSED,
    }
)
"""Refusals that do not end by themselves: the Transfer is parked."""


def reason_of(word: str) -> Reason:
    """Why a chain did not execute an act; SUBMISSION_FAILED for a word that is not known."""
    return next((reason for part, reason in _WORDS if part in word), Reason.SUBMISSION_FAILED)
