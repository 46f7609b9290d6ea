"""``relayer refund``: give the shares of a transfer back; counts by the operator's signature alone."""

from __future__ import annotations

from relayer.cli.order import order_command

command = order_command(
    "refund",
    "Give the shares of the transfer NAME back: its delivery is voided, then its source refunds it to who deposited. Should a delivery that is under way land first, the transfer closes as delivered.",
    minutes=60,
)
