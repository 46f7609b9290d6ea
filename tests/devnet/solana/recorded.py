"""The recordings of a real Agave validator, and how its answers are compared with the devnet's."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).resolve().parents[2] / "recordings" / "solana" / "agave-4.2.2"
_BASE58 = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,}")
_KEPT = {
    "confirmationStatus",
    "decimals",
    "encoding",
    "extension",
    "memo",
    "name",
    "program",
    "state",
    "type",
    "uiAmountString",
    "version",
}
_EXACT = {"err", "status", "Err"}
_LOGS = {"logs", "logMessages"}


@cache
def exchanges(case: str) -> tuple[dict[str, Any], ...]:
    """Return what was recorded in `case`: requests with their answers, and notes between them."""
    recorded: list[dict[str, Any]] = json.loads((_FOLDER / f"{case}.json").read_text())["exchanges"]
    return tuple(recorded)


@cache
def frames(case: str) -> tuple[dict[str, Any], ...]:
    """Return the WebSocket messages recorded in `case`, in both directions."""
    recorded: list[dict[str, Any]] = json.loads((_FOLDER / f"{case}.json").read_text())["messages"]
    return tuple(recorded)


def exchange(case: str, note: str) -> dict[str, Any]:
    """Return the only exchange of `case` with this note."""
    (found,) = [one for one in exchanges(case) if one.get("note") == note]
    return found


def worded(text: str) -> str:
    """Return a sentence without its addresses and numbers."""
    return re.sub(r"\d+", "N", _BASE58.sub("<key>", text))


def shape(value: Any, key: str = "") -> Any:
    """Return what stays of a result when the values that differ from run to run are taken out."""
    if key in _EXACT and value:
        return json.dumps(value, sort_keys=True)
    match value:
        case bool() | None:
            return value
        case dict():
            return {name: shape(one, name) for name, one in sorted(value.items())}
        case list() if key in _LOGS:
            return [worded(line) for line in value]
        case list():
            distinct: list[Any] = []
            for one in (shape(one, key) for one in value):
                if one not in distinct:
                    distinct.append(one)
            return sorted(distinct, key=json.dumps)
        case str() if key in _KEPT:
            return value
        case str() if _BASE58.fullmatch(value):
            return "base58"
        case _:
            return type(value).__name__


def answer_shape(answer: Any) -> Any:
    """Return the shape of a whole answer: its result, or code, sentence and data of its error."""
    if not isinstance(answer, dict):
        return shape(answer)
    if "error" not in answer:
        return {"result": shape(answer.get("result"))}
    error = answer["error"]
    message = worded(str(error["message"]))
    return {"code": error["code"], "message": message, "data": shape(error.get("data"))}
