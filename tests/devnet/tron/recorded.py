"""The recordings of a real java-tron node, and how its answers are compared with the devnet's."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).resolve().parents[2] / "recordings" / "tron"
_WORDED = ("message", "resMessage", "Error")
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]+\Z")
_BASE58 = re.compile(r"T[1-9A-HJ-NP-Za-km-z]{33}")
_SIZES = {40: "address of 20", 42: "address of 21", 64: "hash", 130: "signature", 512: "bloom"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One recorded request and its answer."""

    method: str
    port: int
    path: str
    request: Any
    status: int
    answer: Any
    note: str


@cache
def exchanges(case: str) -> tuple[Exchange, ...]:
    """Return the exchanges of a recorded case."""
    recorded = json.loads((_FOLDER / f"{case}.json").read_text())["exchanges"]
    return tuple(
        Exchange(
            one.get("method", "POST"),
            one.get("port", 8090),
            one["path"],
            one["request"],
            one["status"],
            one.get("response", one.get("response_text")),
            str(one.get("note")),
        )
        for one in recorded
    )


def exchange(case: str, note: str) -> Exchange:
    """Return the exchange with this note."""
    (found,) = [one for one in exchanges(case) if one.note == note]
    return found


def shape(value: Any, key: str = "") -> Any:
    """Return what stays of an answer when the values that differ from run to run are taken out."""
    match value:
        case dict():
            return {name: shape(one, name) for name, one in value.items()}
        case list():
            return [shape(one) for one in value]
        case str():
            return _text_shape(value, key)
        case _:
            return type(value).__name__


def _text_shape(text: str, key: str) -> str:
    if key in _WORDED:
        return _normalised(_decoded(text))
    if key == "transaction" and text.startswith("{"):
        return "a transaction in a text"
    if _BASE58.fullmatch(text):
        return "base58"
    if text and _HEX.match(text) and (text.startswith("0x") or len(text) % 2 == 0):
        digits = text.removeprefix("0x")
        prefix = "0x" if text.startswith("0x") else ""
        return prefix + _SIZES.get(len(digits), "hex" if digits else "nothing")
    return _normalised(text)


def _decoded(text: str) -> str:
    if text and _HEX.match(text) and len(text) % 2 == 0:
        return "hex of: " + bytes.fromhex(text).decode()
    return text


def _normalised(text: str) -> str:
    text = re.sub(r"[0-9a-f]{40,}", "<hex>", text)
    text = _BASE58.sub("<address>", text)
    text = re.sub(r"Servlet-[0-9a-f]+", "Servlet", text)
    return re.sub(r"\d+", "<n>", text)


def differences(recorded: Any, ours: Any, *, ignored: tuple[str, ...] = ()) -> list[str]:
    """Return where two answers differ in shape, words or types; `ignored` names keys left out."""
    return list(_differ(shape(recorded), shape(ours), "", ignored))


def _differ(recorded: Any, ours: Any, at: str, ignored: tuple[str, ...]) -> Any:
    if isinstance(recorded, dict) and isinstance(ours, dict):
        for key in sorted(recorded.keys() | ours.keys()):
            if key in ignored:
                continue
            if key not in ours or key not in recorded:
                where = "devnet" if key not in ours else "recording"
                yield f"{at}.{key}: not in the {where}'s answer"
            else:
                yield from _differ(recorded[key], ours[key], f"{at}.{key}", ignored)
    elif isinstance(recorded, list) and isinstance(ours, list):
        if bool(recorded) != bool(ours):
            yield f"{at}: {len(recorded)} recorded, the devnet has {len(ours)}"
        for index, pair in enumerate(zip(recorded, ours, strict=False)):
            yield from _differ(*pair, f"{at}[{index}]", ignored)
    elif recorded != ours:
        yield f"{at}: {recorded!r} recorded, the devnet has {ours!r}"
