"""Batches of Kafka, of which none that anybody may write stops whoever reads.

aiokafka raises for a batch that it cannot read, again at each try: one header whose name is no text
held a topic up for ever. A batch that is not sound stands as one record that nobody can decode, so
that it is passed over where all that cannot be decoded is, and counted there. Compressed ones are
not unpacked: 50 KB hold more than all memory, and nobody who should write here compresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka.record.default_records import DefaultRecord, DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

if TYPE_CHECKING:
    from collections.abc import Iterator

UNREADABLE: Final = b"a batch that cannot be read"
"""The value of the record that stands for such a batch: no record of ours, and no tombstone."""

_log = structlog.get_logger("relayer.bus")


class Batches:
    """The batches in one answer of a broker, in the form that aiokafka goes through them."""

    def __init__(self, data: bytes) -> None:
        """Read nothing yet."""
        self._all = MemoryRecords(data)

    def size_in_bytes(self) -> int:
        """Bytes of the whole answer."""
        size: int = self._all.size_in_bytes()
        return size

    def has_next(self) -> bool:
        """Whether another batch is there as a whole."""
        more: bool = self._all.has_next()
        return more

    def next_batch(self) -> Any:
        """The next batch. Control batches are the brokers' own, and hold no records."""
        batch = self._all.next_batch()
        ours = isinstance(batch, DefaultRecordBatch) and not batch.is_control_batch
        return Batch(batch) if ours else batch


class Batch:
    """One batch of records, as aiokafka asks about it."""

    def __init__(self, batch: Any) -> None:
        """Unpack nothing before the checksum was asked for."""
        self._batch = batch
        self.is_control_batch = False
        self.is_transactional: bool = batch.is_transactional
        self.producer_id: int | None = batch.producer_id
        self.base_offset: int = batch.base_offset
        self.next_offset: int = batch.next_offset

    def validate_crc(self) -> bool:
        """Whether it came as it was sent."""
        sound: bool = self._batch.validate_crc()
        return sound

    def __iter__(self) -> Iterator[Any]:
        """Go through its records, or the one that stands for them."""
        try:
            return iter(self._records())
        except Exception as error:  # noqa: BLE001 - whatever it is made of: nobody reads on behind it
            words = str(error)[:200] or type(error).__name__
            _log.debug("bus.batch_unreadable", offset=self.base_offset, error=words)
            return iter([self._stand_in()])

    def _records(self) -> list[Any]:
        """All records. Raises ValueError for a compressed batch, and for offsets that cannot be."""
        if self._batch.compression_type:
            msg = "it is compressed"
            raise ValueError(msg)
        records = list(self._batch)
        last = self.base_offset - 1
        for record in records:
            if not last < record.offset < self.next_offset:
                msg = f"a record in it says that it stands at {record.offset}"
                raise ValueError(msg)
            last = record.offset
        return records

    def _stand_in(self) -> Any:
        time: int = self._batch.max_timestamp
        return DefaultRecord(self.next_offset - 1, time, 0, None, UNREADABLE, [])
