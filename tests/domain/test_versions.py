"""Records of every release are read for ever, and those of the next one taken or refused by name."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from relayer.domain.authority import SIGNED, Role, authentic
from relayer.domain.command import ordered
from relayer.domain.draft import Submission
from relayer.domain.errors import RecordRefused, StateRefused
from relayer.domain.gate import SUPPLY_RECORDS, Gate, GatePolicy, Lease
from relayer.domain.keep import Keeper
from relayer.domain.records import INBOX, NUMBER_STATE, TRANSFER_STATE
from relayer.domain.schemas import RECORDS, schema_of
from relayer.domain.stage import Stage, Transfer
from relayer.domain.transfer import Route
from tests.domain.compatible import breaks
from tests.domain.golden import SEALED, TRANSFER, VALUES, kept
from tests.domain.samples import BNB, ID, SOLANA, deposit
from tests.services.bridge import OPERATOR

NOW = 1_790_000_005.0
FORMER = {"inbox": kept("schemas/inbox")}
NEXT = kept("next")


@pytest.mark.parametrize("release", ["v0", "v1"])
def test_records_of_former_releases_mean_what_they_meant(release: str) -> None:
    """Word for word as they were written; the oldest carry no version. Never write them anew."""
    for name, text in kept(release).items():
        kind, value = VALUES[name]
        assert RECORDS[kind].codec.decode(text.encode()) == value, name


def test_every_kind_of_record_is_kept() -> None:
    """Each member of each topic's union, and each reason for a state value."""
    found = {kind: set() for kind in RECORDS}  # type: dict[str, set[str]]
    for kind, value in VALUES.values():
        found[kind].add(type(value).__name__)
    for kind, names in found.items():
        members = {one["$ref"].rpartition("/")[2] for one in schema_of(kind).get("oneOf", ())}
        assert members <= names, kind
        assert names, kind
    assert set(kept("v1")) == set(VALUES)


@pytest.mark.parametrize("case", [one for one in NEXT if "reads" in one], ids=lambda c: c["name"])
def test_what_the_next_release_adds_is_passed_over(case: dict[str, Any]) -> None:
    """Unknown fields on every level change nothing of what is known."""
    value = RECORDS[case["kind"]].codec.decode(case["text"].encode())

    assert value == VALUES[case["reads"]][1]


@pytest.mark.parametrize("case", [one for one in NEXT if "refused" in one], ids=lambda c: c["name"])
def test_what_the_next_release_means_otherwise_is_refused_by_name(case: dict[str, Any]) -> None:
    """Another version, a word of an enumeration that came later, another type."""
    with pytest.raises(RecordRefused, match=case["refused"]):
        RECORDS[case["kind"]].codec.decode(case["text"].encode())


def _deposit(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema["$defs"]["Deposit"]
    return found


BREAKING: dict[str, Callable[[dict[str, Any]], object]] = {
    "a field is gone": lambda s: _deposit(s)["properties"].pop("flaw"),
    "a field that must be there": lambda s: _deposit(s)["required"].append("memo"),
    "a field that need not be there any more": lambda s: _deposit(s)["required"].remove("asset"),
    "another type": lambda s: _deposit(s)["properties"]["height"].update(type="string"),
    "a wider bound": lambda s: _deposit(s)["properties"]["height"].update(minimum=-1),
    "a word more": lambda s: s["$defs"]["Reason"]["enum"].append("later"),
    "a word less": lambda s: s["$defs"]["Reason"]["enum"].pop(),
    "another version": lambda s: _deposit(s)["properties"]["v"].update(const=2),
    "a new kind of record": lambda s: s["oneOf"].append({"type": "object"}),
    "inside a part": lambda s: s["$defs"]["Location"]["properties"].pop("inner"),
}


@pytest.mark.parametrize("change", BREAKING.values(), ids=list(BREAKING))
def test_a_change_that_breaks_readers_is_found(change: Callable[[dict[str, Any]], object]) -> None:
    """Whatever former readers would refuse or miss, and whatever refuses former records."""
    changed = copy.deepcopy(FORMER["inbox"])
    change(changed)

    assert breaks(FORMER["inbox"], changed) != []


def test_a_field_that_need_not_be_there_may_be_added() -> None:
    """On any level; and words for people may change."""
    changed = copy.deepcopy(FORMER["inbox"])
    changed["$defs"]["Location"]["properties"]["later"] = {"type": "integer"}
    changed["$defs"]["Deposit"]["description"] = "said better"

    assert breaks(FORMER["inbox"], changed) == []


def test_kept_state_opens_for_ever_with_fields_of_later_too() -> None:
    """The MAC covers the text as it was written, known fields or not."""
    keeper = Keeper(SEALED["secret"].encode()).at(SEALED["place"])
    for name in ("sealed", "sealed later"):
        proof = kept("proofs")[name]
        text = keeper.opened(SEALED["key"], bytes.fromhex(proof["value"]))

        assert text is not None
        assert text == proof["text"].encode()
        assert keeper.decode(SEALED["key"], text, TRANSFER_STATE) == TRANSFER


def test_state_that_the_next_release_means_otherwise_stops_the_lane_in_words() -> None:
    """An authentic value of version 2, or a cursor that is no number, is never guessed."""
    keeper = Keeper(b"secret")
    newer = json.dumps({**json.loads(kept("v1")["transfer"]), "v": 2}).encode()

    with pytest.raises(StateRefused, match=r"version .* reads 1.*run the version that wrote it"):
        keeper.decode("transfer/x", newer, TRANSFER_STATE)
    for text in (b"1_0", b"007", b"\xd9\xa3", b"-2", b"", b"1e3", b"true"):
        with pytest.raises(StateRefused, match="unreadable"):
            keeper.decode("cursor", text, NUMBER_STATE)


def test_words_signed_by_a_later_release_count_as_they_were_signed() -> None:
    """The signature is over the bytes as received; what is unknown in them is passed over."""
    signed = SIGNED.decode(kept("proofs")["command"].encode())
    command = ordered(signed, {OPERATOR.public}, NOW)
    lease = SUPPLY_RECORDS.decode(kept("proofs")["lease"].encode())
    gate = Gate(policy=GatePolicy(monitors=frozenset({OPERATOR.public}), operators=frozenset()))
    taken = gate.fold_supply(kept("proofs")["lease"].encode(), NOW)

    assert command == VALUES["command"][1]
    assert "later" in authentic(signed, Role.OPERATOR, {OPERATOR.public})
    assert lease is not None
    assert isinstance(taken, Lease)
    assert taken == VALUES["lease"][1]


def test_a_halt_has_one_digest_for_every_release() -> None:
    """It is of the bytes on the topic: a resume lifts it wherever it was read, today and later."""
    for halt in kept("proofs")["halts"].values():
        gate = Gate(policy=GatePolicy(monitors=frozenset(), operators=frozenset()))
        gate.fold_control(halt["text"].encode(), NOW, 1)

        assert [digest.hex() for digest in gate.halts] == [halt["digest"]]


def test_a_halt_of_a_version_that_is_not_read_stops_everything() -> None:
    """What it is about is not known here, so all stands still until it is lifted."""
    gate = Gate(policy=GatePolicy(monitors=frozenset(), operators=frozenset()))
    gate.fold_control(b'{"type":"halt","v":2,"scope":"something new"}', NOW, 1)
    told = gate.refusal(Route(source=BNB, destination=SOLANA, asset="TSLAx"), NOW)

    assert told is not None
    assert "later release" in told[1]
    with pytest.raises(RecordRefused, match="version"):
        gate.fold_control(b'{"type":"signed","v":2}', NOW, 2)


def test_what_a_lane_keeps_of_the_largest_record_it_reads_again() -> None:
    """Whoever writes the largest deposits, and errors, cannot make a lane refuse its own state."""
    huge = deposit(asset="x" * 128)
    room = INBOX.most - len(INBOX.encode(huge))
    padded = INBOX.encode(huge)[:-1] + b"," + b'"padding":"' + b"x" * (room - 13) + b'"}'
    transfer = Transfer(
        deposit=INBOX.decode(padded),  # type: ignore[arg-type]  # it is a deposit
        stage=Stage.SEEN,
        since=1.0,
        seen_at=1.0,
        detail="x" * 10**6,
        order=SIGNED.decode(_largest_order()),
    )
    text = TRANSFER_STATE.encode(transfer)

    assert TRANSFER_STATE.decode(text).deposit == huge
    assert len(text) < TRANSFER_STATE.most
    with pytest.raises(RecordRefused, match="more than 65536"):
        INBOX.decode(padded + b" " * 4)


def _largest_order() -> bytes:
    shell = SIGNED.encode(VALUES["signed"][1])
    body = json.dumps("\x00" * ((INBOX.most - 500) // 6)).encode()
    start = shell.index(b'"body":') + 7
    end = shell.index(b',"signature"')
    order = shell[:start] + body + shell[end:]
    INBOX.decode(order)
    return order


def test_a_batch_of_the_largest_transaction_is_kept() -> None:
    """EVM nodes take transactions of up to 128 KiB; written as hex it still fits."""
    codec = RECORDS["state.relayer.submission"].codec
    largest = Submission(
        tx="0x" + "0" * 64, chain=BNB, ids=(ID,) * 100, raw=bytes(128 * 1024), made_at=1.0
    )

    assert codec.decode(codec.encode(largest)) == largest
