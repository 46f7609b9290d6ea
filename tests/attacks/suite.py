"""The attacks of the table on a running bridge: one suite for every bus."""

from __future__ import annotations

import asyncio
import json

import pytest

from relayer.domain.authority import Signed
from relayer.domain.distrust import Distrust
from relayer.domain.gate import CONTROL_RECORDS, SUPPLY_RECORDS, Verdict
from relayer.domain.halt import HALTS_KEPT
from relayer.domain.reasons import Reason
from relayer.domain.records import CONTROL, SIGNING_REQUESTS, SUPPLY, inbox
from relayer.ports.bus import Out
from tests.attacks.claims import THIEF
from tests.attacks.floods import FLOODS, Flood, longest_wait
from tests.attacks.gates import (
    a_halt,
    a_resume,
    changed,
    forged_reading,
    recorded,
    resume,
    unsigned_reading,
)
from tests.attacks.siege import PATIENCE, Siege
from tests.attacks.table import ATTACKS, REFUSED, Attack
from tests.domain.samples import SOLANA
from tests.services.bridge import until

NOTICED = 20.0
"""Seconds within which an attack is counted."""


ENDING = (Reason.HALTED, Reason.MULTIPLIER_DIFFERS)
"""What a monitor takes its lease back for."""


def _ends(said: Signed) -> bool:
    return json.loads(said.body)["withheld"] in ENDING


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

    @pytest.mark.parametrize("flood", FLOODS, ids=lambda one: one.name)
    async def test_a_flood_is_refused_and_delays_nobody_for_long(
        self, siege: Siege, flood: Flood
    ) -> None:
        """Honest transfers go on while it comes in, and it is counted."""
        before = flood.counted(siege)

        assert await longest_wait(siege, flood) < PATIENCE
        await until(lambda: flood.counted(siege) - before > flood.count / 2)

    async def test_a_flood_of_halts_is_lifted_by_what_is_listed(self, siege: Siege) -> None:
        """Thousands of a scope that is served stop it, as one would; sixty-five names lift them."""
        halts = [CONTROL_RECORDS.encode(a_halt(reason=f"{n}")) for n in range(3_000)]
        await siege.write(CONTROL, *halts)
        await until(lambda: siege.counted("relayer_halts_active", scope="asset") > HALTS_KEPT)
        made = siege.make()
        await asyncio.sleep(0.3)
        assert not siege.is_delivered(made)()

        async with asyncio.timeout(NOTICED):
            while not siege.is_delivered(made)():
                await resume(siege, a_resume(*siege.listed()))
                await asyncio.sleep(0.1)
        assert siege.counted("relayer_halts_active", scope="asset") == 0

    async def test_no_forged_no_ends_a_lease(self, siege: Siege) -> None:
        """While the monitor lends nothing new, what it lent stands against each 'no' of a thief's.

        Made up, signed by the thief, or said by the monitor itself before it lent: all refused.
        """
        await siege.disagreement()
        genuine = [SUPPLY_RECORDS.encode(no) for no in recorded(siege, Verdict) if _ends(no)][-5:]
        assert genuine
        with siege.lending_nothing():
            lent = await siege.settled_leases()
            forged = [unsigned_reading(why) for why in ENDING]
            forged += [await forged_reading(THIEF, why) for why in ENDING]
            forged += [changed(yes, withheld=why) for why in ENDING for yes in recorded(siege)[-1:]]
            before = siege.refused_supply()
            await siege.write(SUPPLY, *(forged + genuine) * 20)
            await until(
                lambda: siege.refused_supply() - before >= 20 * len(forged + genuine), NOTICED
            )

            await siege.serves()
            assert siege.leases() == lent

    @pytest.mark.parametrize("topic", [inbox(SOLANA), SIGNING_REQUESTS])
    async def test_what_our_own_services_told_counts_once(self, siege: Siege, topic: str) -> None:
        """Their records, marks and all, told again: a few are looked at, as any stranger's are."""
        many = [siege.make() for _ in range(100)]
        await until(lambda: all(siege.is_delivered(made)() for made in many), PATIENCE)
        await until(lambda: len(siege.marked(topic)) >= len(many))
        told = siege.marked(topic)[-len(many) :]
        before = siege.counted(REFUSED, topic=topic, reason=Distrust.CROWDED)

        again = [Out(topic=topic, partition=0, key=r.key, value=r.value) for r in told]
        async with asyncio.timeout(NOTICED):
            while siege.counted(REFUSED, topic=topic, reason=Distrust.CROWDED) <= before:
                await siege.bus.publish(again)  # what is still open is refused by another name
                await siege.moment()
        await siege.serves()

    async def test_nothing_was_minted_lost_or_given_back(self, siege: Siege) -> None:
        """After all of them: every honest deposit once, the supply is whole, no service ended."""
        await siege.is_whole()
