"""The Monitor: reads every chain itself, holds supply against backing, and issues leases."""
