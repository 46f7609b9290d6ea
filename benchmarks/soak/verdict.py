"""Whether a run was good: what must not grow did not, judged over the last process's life."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Final

from benchmarks.soak.watch import Sample

ENOUGH: Final = 8
"""Samples of one process below which its growth is not judged."""

MEMORY_SLACK: Final = 8 * 2**20
FILE_SLACK: Final = 2 * 2**20
COUNT_SLACK: Final = 12
TIDY_SLACK: Final = 60.0
"""Seconds by which a record may outlive its retention, until it is tidied away."""


def judge(
    samples: Sequence[Sample], retention: Mapping[str, float], *, growth: bool = True
) -> list[str]:
    """What is wrong with a run by its samples; ``retention`` is in seconds per topic."""
    wrong = [f"{s.nameless} transfers wait without a reason" for s in samples if s.nameless][:1]
    wrong += _expired(samples, retention)
    if growth:
        wrong += _growth(samples)
    return wrong


def last_life(samples: Sequence[Sample]) -> list[Sample]:
    """The samples of the last process, without the quarter in which it warms up."""
    alive = [sample for sample in samples if sample.pid == samples[-1].pid]
    return alive[len(alive) // 4 :]


def _expired(samples: Sequence[Sample], retention: Mapping[str, float]) -> list[str]:
    last = samples[-1]
    return [
        f"{topic} holds a record of {age:.0f} s ago; kept are {retention[topic]:.0f} s"
        for topic, age in last.ages.items()
        if topic in retention and age > retention[topic] + TIDY_SLACK
    ]


def _growth(samples: Sequence[Sample]) -> list[str]:
    alive = last_life(samples)
    if len(alive) < ENOUGH:
        return [f"only {len(alive)} samples of the last process: too few to judge its growth"]
    half = len(alive) // 2
    early, late = alive[:half], alive[half:]
    rules: dict[str, tuple[Callable[[Sample], float], float, float]] = {
        "memory": (lambda s: s.resident, 1.05, MEMORY_SLACK),
        "the bus's file": (lambda s: s.bus, 1.2, FILE_SLACK),
        "the bus's -wal file": (lambda s: s.wal, 1.5, FILE_SLACK),
        "tasks": (lambda s: s.tasks, 1.1, COUNT_SLACK),
        "file descriptors": (lambda s: s.descriptors, 1.1, COUNT_SLACK),
        "threads": (lambda s: s.threads, 1.0, 2),
    }
    wrong = []
    for name, (of, factor, slack) in rules.items():
        before, after = median(map(of, early)), median(map(of, late))
        if after > before * factor + slack:
            wrong.append(f"{name} grew from {before:.0f} to {after:.0f}")
    first, second = log_per_transfer(early), log_per_transfer(late)
    if first and second > 2 * first:
        wrong.append(f"log per transfer grew from {first:.0f} to {second:.0f} bytes")
    return wrong


def log_per_transfer(samples: Sequence[Sample]) -> float:
    """Bytes of log per delivery over some samples; 0 if nothing was delivered."""
    done = samples[-1].done - samples[0].done
    return (samples[-1].log - samples[0].log) / done if done > 0 else 0.0
