"""What a process can run."""

from __future__ import annotations

from enum import StrEnum


class Service(StrEnum):
    """A service, by the name under which it is started."""

    LISTENER = "listener"
    RELAYER = "relayer"
    ATTESTER = "attester"
    MONITOR = "monitor"
    TRACKER = "tracker"
