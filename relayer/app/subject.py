"""What a monitor's file is about: a ledger is kept only for the history it was folded from."""

from __future__ import annotations

import hashlib
from typing import Final

from relayer.settings import Settings

_APART: Final = {"endpoints", "agreement", "payers", "poll_seconds", "timeout_seconds"}
"""How a chain is reached and paid decides nothing about what its history says."""


def subject_of(settings: Settings) -> str:
    """A name that changes with every setting that decides how the chains' history is read."""
    chains = [chain.model_dump_json(exclude=_APART) for chain in settings.chains]
    return hashlib.sha256("\n".join(sorted(chains)).encode()).hexdigest()
