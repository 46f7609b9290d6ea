"""When a demo kills its relayer: at moments drawn from a seed, spread over the whole burst.

A moment is a number of deliveries, so that a kill falls while others are on their way, however
quick the machine is; and an age of the process, so that some fall while it starts and restores.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

_LAST: Final = 0.85
"""No kill waits for more than this part of the deliveries: what is left is in flight then."""

_YOUNG: Final = (0.0, 1.5)
_GROWN: Final = (1.5, 4.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Kill once ``delivered`` transfers are delivered and the process is ``age`` seconds old."""

    delivered: int
    age: float


def moments(crashes: int, transfers: int, seed: int) -> list[Moment]:
    """So many moments, in order; every third one is likely to meet the process starting."""
    dice = random.Random(seed)  # noqa: S311 - moments that can be drawn again, not secrets
    most = int(transfers * _LAST)
    counts = sorted(dice.randint(0, most) for _ in range(crashes))
    return [
        Moment(delivered=count, age=dice.uniform(*(_YOUNG if number % 3 == 2 else _GROWN)))
        for number, count in enumerate(counts)
    ]
