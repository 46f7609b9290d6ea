"""``relayer retry``: look at a transfer again, now; counts by the operator's signature alone."""

from __future__ import annotations

from relayer.cli.order import order_command

command = order_command(
    "retry",
    "Look at the transfer NAME again: one that is parked, or that waits.",
    minutes=10,
)
