from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.domain.authority import SIGNED, Role
from relayer.domain.distrust import Distrust
from relayer.domain.errors import RecordRefused
from relayer.domain.gate import MONITOR_WORDS, SUPPLY_RECORDS, Gate, MonitorWord
from relayer.domain.reasons import Reason
from relayer.domain.supply import Finding
from relayer.domain.verdict import MOST_FINDINGS
from relayer.domain.wire import MOST_WORDS
from relayer.signing.local import Ed25519Signer
from tests.domain.gates import (
    MONITORS,
    NOW,
    OPERATOR,
    ROUTE,
    STRANGER,
    a_gate,
    a_lease,
    a_verdict,
    give,
    said,
    signed,
)

AT_ODDS = (Reason.HALTED, Reason.MULTIPLIER_DIFFERS)


async def _leased(*monitors: int) -> Gate:
    gate = a_gate()
    for monitor in monitors or (0,):
        await give(gate, a_lease(), MONITORS[monitor])
    assert gate.refusal(ROUTE, NOW + 1) is None
    return gate


@pytest.mark.parametrize(
    ("withheld", "held"),
    [
        (Reason.MULTIPLIER_DIFFERS, Reason.MULTIPLIER_DIFFERS),
        (Reason.HALTED, Reason.NO_LEASE),
        (Reason.NO_LEASE, None),
        (None, None),
    ],
)
async def test_what_a_monitor_found_ends_its_lease_and_names_the_reason(
    withheld: Reason | None, held: Reason | None
) -> None:
    """At odds ends at once, under its name; what was merely unreadable leaves the lease to its end."""
    gate = await _leased()

    await give(gate, a_verdict(withheld))

    refusal = gate.refusal(ROUTE, NOW + 1)
    assert refusal == (None if held is None else (held, "what was found"))


async def test_a_finding_ends_the_leases_of_its_own_monitor_alone() -> None:
    """Where one monitor's lease is enough the other's still opens the gate."""
    gate = await _leased(0, 1)

    await give(gate, a_verdict(Reason.MULTIPLIER_DIFFERS, monitor=1), MONITORS[1])

    assert gate.refusal(ROUTE, NOW + 1) is None
    assert gate.good_until("TSLAx", NOW + 1) == int(NOW) + 30
    assert [one.expires_at for one in gate.leases("TSLAx")] == [NOW + 30, NOW]


async def test_the_next_lease_opens_the_gate_again() -> None:
    """When chains agree again nothing but the monitor's word is needed; an old one is not taken."""
    gate = await _leased()
    await give(gate, a_verdict(Reason.MULTIPLIER_DIFFERS))
    for sequence in (1, 2):
        with pytest.raises(RecordRefused, match="not newer"):
            await give(gate, a_lease(sequence))

    await give(gate, a_lease(3))

    assert gate.refusal(ROUTE, NOW + 1) is None


@pytest.mark.parametrize("withheld", AT_ODDS)
async def test_what_nobody_signed_ends_nothing_and_says_nothing(withheld: Reason) -> None:
    """In a monitor's name, with no signature, another's, an operator's, or over other words."""
    gate = await _leased()
    verdict = a_verdict(withheld)
    body = MONITOR_WORDS.encode(verdict).decode()
    genuine = SIGNED.decode(await said(a_verdict(None)))
    forged = [
        SUPPLY_RECORDS.encode(verdict),
        await said(verdict, STRANGER),
        await said(verdict, MONITORS[1]),
        SUPPLY_RECORDS.encode(await signed(body, OPERATOR)),
        SUPPLY_RECORDS.encode(await signed(body, MONITORS[0], Role.OPERATOR)),
        SUPPLY_RECORDS.encode(replace(genuine, body=body)),
        SUPPLY_RECORDS.encode(replace(genuine, signature=b"")),
    ]

    for record in forged:
        with pytest.raises(RecordRefused) as refused:
            gate.fold_supply(record, NOW + 1)
        assert refused.value.why is Distrust.NOT_AUTHENTIC
    assert gate.refusal(ROUTE, NOW + 1) is None
    assert gate.verdict("TSLAx") is None


@pytest.mark.parametrize("withheld", AT_ODDS)
async def test_a_reading_told_again_ends_no_later_lease(withheld: Reason) -> None:
    """What was true before the lease says nothing against it."""
    gate = a_gate()
    told = await said(a_verdict(withheld))
    gate.fold_supply(told, NOW)
    await give(gate, a_lease(3))

    with pytest.raises(RecordRefused) as refused:
        gate.fold_supply(told, NOW + 1)

    assert refused.value.why is Distrust.REPLAYED
    assert gate.refusal(ROUTE, NOW + 1) is None


async def test_the_past_of_a_monitor_that_is_silent_cannot_be_told_again() -> None:
    """A gate that began anew knows no sequence of it; the age of each word is enough."""
    gate = await _leased(1)
    last = gate.policy.max_lag
    for sequence in (5, 6):
        with pytest.raises(RecordRefused) as refused:
            await give(gate, a_verdict(Reason.HALTED, sequence), now=NOW + last + 2)
        assert refused.value.why is Distrust.REPLAYED
    assert gate.verdict("TSLAx") is None

    await give(gate, a_verdict(Reason.HALTED, 5), now=NOW + last + 1)

    assert gate.verdict("TSLAx") is not None


async def test_an_old_reading_gives_no_reason() -> None:
    """It names why leases are missing for as long as evidence counts."""
    gate = a_gate()
    await give(gate, a_verdict(Reason.MULTIPLIER_DIFFERS, at=NOW - 50))

    assert gate.refusal(ROUTE, NOW + 60) == (Reason.MULTIPLIER_DIFFERS, "what was found")
    assert gate.refusal(ROUTE, NOW + 600) == (
        Reason.NO_LEASE,
        "0 of 1 fresh leases for TSLAx",
    )


async def test_a_reading_of_an_asset_that_is_not_served_is_not_kept() -> None:
    """A monitor may serve more than this process does."""
    gate = a_gate(assets=frozenset({"NVDAx"}))

    with pytest.raises(RecordRefused, match="not served"):
        await give(gate, a_verdict(None))

    assert gate.verdict("TSLAx") is None


WORDS = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from([None, *AT_ODDS]), st.booleans()), max_size=12
)


@given(words=WORDS)
def test_whatever_order_words_come_in_the_newest_alone_counts(
    words: list[tuple[int, Reason | None, bool]],
) -> None:
    """A thief tells recorded words again as he likes: the gate is as open as its newest word says."""
    gate, newest, opened = a_gate(), 0, False
    for sequence, withheld, is_lease in words:
        record = _record(a_lease(sequence) if is_lease else a_verdict(withheld, sequence))
        if sequence <= newest:
            with pytest.raises(RecordRefused, match="not newer"):
                gate.fold_supply(record, NOW)
        else:
            gate.fold_supply(record, NOW)
            opened = is_lease or (opened and withheld is None)
            newest = sequence
        assert (gate.refusal(ROUTE, NOW) is None) is opened


def _record(word: MonitorWord, signer: Ed25519Signer = MONITORS[0]) -> bytes:
    """The same as ``said``, for a test that cannot await."""
    made = said(word, signer)
    try:
        while True:
            made.send(None)
    except StopIteration as done:
        record: bytes = done.value
        return record


async def test_the_longest_reading_fits_into_a_signed_record() -> None:
    """As many findings as are named, in the longest words, on one asset: it is told, not refused."""
    worst = Finding(rule="B", asset="x" * 128, chain=None, detail='"' * MOST_WORDS, latches=True)
    verdict = replace(a_verdict(Reason.HALTED), findings=(worst,) * MOST_FINDINGS)

    taken = a_gate().fold_supply(await said(verdict), NOW)

    assert taken == verdict
