"""The promises of ports/chain.py, tried on a chain: every adapter passes this one suite.

A test file makes a ``harness`` fixture and a subclass of `ChainConformance`.
"""

from __future__ import annotations

from tests.chains.acting import Acting
from tests.chains.books import Books
from tests.chains.drafting import Drafting
from tests.chains.reading import Reading
from tests.chains.stuck import Stuck


class ChainConformance(Reading, Drafting, Acting, Stuck, Books):
    """What every chain adapter must do."""
