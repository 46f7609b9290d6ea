"""What is set in the library behind its back still means what it meant."""

from __future__ import annotations

from aiokafka.producer import sender

from relayer.bus.kafka_client import UNFINISHED


def test_the_library_waits_as_long_as_it_is_told_between_transactions() -> None:
    """It has no setting for it: another name there, and each commit after another waits 20 ms."""
    waiting = sender.AddPartitionsToTxnHandler.handle_response.__code__

    assert "BACKOFF_OVERRIDE" in waiting.co_names
    assert sender.BACKOFF_OVERRIDE == UNFINISHED
