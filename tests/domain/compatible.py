"""What a change of a schema does to those who read and write by the former one."""

from __future__ import annotations

from typing import Any

_WORDS = frozenset({"title", "description", "default", "$schema"})
"""What is said to people and changes nothing."""


def breaks(old: Any, new: Any) -> list[str]:
    """What the new schema changes for readers or records of the old one; empty: nothing.

    Fields may be added that need not be there. All else breaks somebody: what is taken away or
    renamed misses a reader, what is wider is refused by one, what is narrower refuses old records.
    """
    return _node(_inlined(old, old), _inlined(new, new), "")


def _inlined(node: Any, schema: Any) -> Any:
    """The node without references and without words."""
    if isinstance(node, list):
        return [_inlined(one, schema) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(schema["$defs"][node["$ref"].removeprefix("#/$defs/")], schema)
    kept = {
        word: {name: _inlined(one, schema) for name, one in value.items()}
        if word == "properties"
        else _inlined(value, schema)
        for word, value in node.items()
        if word not in {*_WORDS, "$defs"}
    }
    return kept | ({"required": sorted(kept["required"])} if "required" in kept else {})


def _node(old: Any, new: Any, place: str) -> list[str]:
    if not isinstance(old, dict) or "properties" not in old:
        return _same(old, new, place)
    found = _same({**old, "properties": 0}, {**new, "properties": 0}, place)
    properties = new.get("properties", {})
    for name, field in old["properties"].items():
        if name in properties:
            found += _node(field, properties[name], f"{place}.{name}")
        else:
            found.append(f"{place}.{name} is gone")
    return found


def _same(old: Any, new: Any, place: str) -> list[str]:
    """Equal but for fields added somewhere inside."""
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        return [
            problem for word in old for problem in _node(old[word], new[word], f"{place}.{word}")
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [p for at, (a, b) in pairs for p in _node(a, b, f"{place}.{at}")]
    if isinstance(old, list) and isinstance(new, list) and place.endswith(("enum", "required")):
        gone, came = [x for x in old if x not in new], [x for x in new if x not in old]
        return [f"{place}: {came} came, {gone} went"] if gone or came else []
    return [] if old == new else [f"{place} was {old} and is {new}"]
