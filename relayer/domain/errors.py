"""Every error the relayer raises on purpose.

RelayerError
├── Transient          try again later; nothing is decided yet
│   ├── Unavailable    an endpoint did not answer, or answered nonsense
│   │   └── WrongChain it serves another chain than it is configured for
│   ├── Disagreement   endpoints contradict each other
│   ├── HistoryPruned  the endpoint no longer holds the heights asked for
│   ├── PayerEmpty     the lane's payer is short of native coin
│   ├── FeeCapped      the chain asks a higher price than the operator allows
│   └── Lost           a commit is not known to have succeeded (relayer.ports.bus)
├── Rejected           never try again: this input is refused for good
│   ├── AddressRefused an account text or shape that is not valid on its chain
│   ├── AmountRefused  an amount that is not a whole, positive number of units
│   ├── MemoRefused    a memo outside the grammar
│   ├── RecordRefused  a bus record that does not decode or is not authentic
│   │   └── VersionRefused  it is of a version that this release does not read
│   ├── DraftRefused   a draft an attester must not sign
│   ├── Unwanted       a submission that would execute nothing (relayer.domain.draft)
│   └── Refused        signed bytes that can never land
└── Fatal              stop: a person has to look
    ├── SettingRefused a setting outside what is allowed
    └── StateRefused   authentic state that cannot be read
"""

from __future__ import annotations

from relayer.domain.distrust import Decline, Distrust


class RelayerError(Exception):
    """Root of all errors raised on purpose."""


class Transient(RelayerError):
    """Try again later; nothing is decided."""


class Unavailable(Transient):
    """An endpoint did not answer, or not in its protocol."""


class WrongChain(Unavailable):
    """An endpoint serves another chain than it is configured for: nothing it says counts."""


class Disagreement(Transient):
    """Endpoints of one chain contradict each other."""


class HistoryPruned(Transient):
    """The endpoint no longer holds the heights asked for; another one may."""


class PayerEmpty(Transient):
    """The lane's payer is short of native coin; the message names the missing amount."""


class FeeCapped(Transient):
    """The chain asks a higher price than the operator allows; the message names both."""


class Rejected(RelayerError):
    """Refused for good; trying again cannot help."""


class AddressRefused(Rejected):
    """An account text or shape that is not valid on its chain."""


class AmountRefused(Rejected):
    """An amount that is not a whole, positive number of units."""


class MemoRefused(Rejected):
    """A deposit memo outside the grammar."""


class RecordRefused(Rejected):
    """A bus record that does not decode, is too large, or is not authentic; ``why`` names it."""

    def __init__(self, message: str, why: Distrust = Distrust.UNREADABLE) -> None:
        """Say it in words, and by name."""
        super().__init__(message)
        self.why = why


class VersionRefused(RecordRefused):
    """A bus record of a version that this release does not read; ``kind`` is its type."""

    def __init__(self, message: str, kind: str) -> None:
        """Say it in words; ``kind`` is what the record says it is."""
        super().__init__(message, Distrust.FUTURE_VERSION)
        self.kind = kind


class DraftRefused(Rejected):
    """A draft that an attester must not sign; ``why`` names the reason."""

    def __init__(self, message: str, why: Decline = Decline.TERMS) -> None:
        """Say it in words, and by name."""
        super().__init__(message)
        self.why = why


class Refused(Rejected):
    """Signed bytes that can never land; the message has the node's word."""


class Fatal(RelayerError):
    """Stop: a person has to look."""


class SettingRefused(Fatal):
    """A setting outside what is allowed."""


class StateRefused(Fatal):
    """Authentic state that cannot be read."""
