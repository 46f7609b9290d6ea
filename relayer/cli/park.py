"""``relayer park``: set a transfer aside; counts by the operator's signature alone."""

from __future__ import annotations

from relayer.cli.order import order_command

command = order_command(
    "park",
    "Set the transfer NAME aside until it is retried or refunded.",
    minutes=10,
)
