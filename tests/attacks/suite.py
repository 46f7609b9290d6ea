"""The attacks of the table on a running bridge: one suite for every bus."""

from __future__ import annotations

import asyncio

import pytest

from tests.attacks.siege import Siege
from tests.attacks.table import ATTACKS, Attack

NOTICED = 20.0
"""Seconds within which an attack is counted."""


class Attacks:
    """What may be tried while everything runs."""

    @pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: one.name)
    async def test_it_is_counted_and_changes_nothing(self, siege: Siege, attack: Attack) -> None:
        """By its reason, while an honest transfer that runs beside it is delivered."""
        before = attack.counted(siege)
        async with asyncio.timeout(NOTICED):
            while attack.counted(siege) <= before:
                await attack.write(siege)
                await siege.moment()
        siege.release()

        await siege.serves()

    async def test_nothing_was_minted_lost_or_given_back(self, siege: Siege) -> None:
        """After all of them: every honest deposit once, the supply is whole, no service ended."""
        await siege.is_whole()
