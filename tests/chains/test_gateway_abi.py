"""The hand-written constants of the gateway are those of the compiled contract."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from eth_hash.auto import keccak

from contracts_abi import load
from relayer.chains.gateway import acts, events, reads
from relayer.chains.gateway.revert import ERRORS
from relayer.chains.gateway.words import selector

SOURCES = Path(__file__).parents[2] / "contracts" / "src"


def signatures(kind: str) -> set[str]:
    """The Solidity signatures of all functions, events or errors of the gateway."""
    return {
        f"{entry['name']}({','.join(map(spelled, entry['inputs']))})"
        for entry in load("Gateway").abi
        if entry["type"] == kind
    }


def spelled(argument: dict[str, Any]) -> str:
    """An argument's type as selectors spell it."""
    kind = str(argument["type"])
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(map(spelled, argument["components"]))
    return f"({inner}){kind.removeprefix('tuple')}"


@pytest.mark.parametrize(
    "signature",
    [
        *acts.SIGNATURES.values(),
        *acts.ITEM_SIGNATURES.values(),
        acts.DEPOSIT_SIGNATURE,
        reads.RECEIPTS_SIGNATURE,
        reads.SNAPSHOT_SIGNATURE,
        reads.ITEM_GAS_SIGNATURE,
    ],
)
def test_every_call_is_a_function_of_the_contract(signature: str) -> None:
    """The relayer calls nothing that the gateway does not have."""
    assert signature in signatures("function")
    assert len(selector(signature)) == 4


@pytest.mark.parametrize(
    "signature",
    [
        events.DEPOSITED_EVENT,
        events.DELIVERED_EVENT,
        events.REFUNDED_EVENT,
        events.VOIDED_EVENT,
        events.SKIPPED_EVENT,
    ],
)
def test_every_topic_is_an_event_of_the_contract(signature: str) -> None:
    """The relayer reads nothing that the gateway does not emit."""
    assert signature in signatures("event")


def test_every_error_with_a_name_is_one_of_the_contract() -> None:
    """Revert words are the contract's own."""
    assert set(ERRORS) <= signatures("error")


def test_what_is_indexed_is_read_from_topics() -> None:
    """The number of topics and of data words of each fact is what the contract emits."""
    shapes = {
        keccak(f"{entry['name']}({','.join(map(spelled, entry['inputs']))})".encode()): (
            1 + sum(argument["indexed"] for argument in entry["inputs"]),
            sum(not argument["indexed"] for argument in entry["inputs"]),
        )
        for entry in load("Gateway").abi
        if entry["type"] == "event"
    }
    assert {topic: shapes[topic] for topic in events._SHAPES} == events._SHAPES


def test_skip_codes_are_those_of_the_source() -> None:
    """Numbers and words of skip codes are the contract's."""
    source = (SOURCES / "IGateway.sol").read_text(encoding="utf-8")
    body = re.sub(r"//[^\n]*", "", source.split("enum SkipCode {")[1].split("}")[0])
    names = [name.strip() for name in body.split(",")]
    assert [code.word for code in events.SkipCode] == names
    assert [code.value for code in events.SkipCode] == list(range(len(names)))
    assert events.skip_word(99) == "SkipCode(99)"


@pytest.mark.parametrize("text", [acts.DELIVER_TYPE, acts.VOID_TYPE, acts.REFUND_TYPE])
def test_eip712_types_are_those_of_the_source(text: str) -> None:
    """The contract hashes the very same type texts."""
    assert f'"{text}"' in (SOURCES / "Quorum.sol").read_text(encoding="utf-8")


def test_the_books_have_the_words_that_are_read() -> None:
    """The struct of a token's books is as long as the decoder takes it to be."""
    snapshot = next(entry for entry in load("Gateway").abi if entry.get("name") == "snapshot")
    names = [part["name"] for part in snapshot["outputs"][4]["components"]]
    assert len(names) == reads._STATE_WORDS
    assert names[2:] == [
        "supply",
        "multiplier",
        "held",
        "inventory",
        "deposited",
        "delivered",
        "refunded",
        "tokenPaused",
    ]
