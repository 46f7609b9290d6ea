"""Random values of every type of a record, as the domain may make them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Le, MaxLen
from hypothesis import strategies as st

from relayer.domain import wire
from relayer.domain.transfer import IdWord

LETTERS = st.characters(exclude_categories=["Cs"])
"""Any but half of a surrogate pair, which alone is no text."""

TEXT = st.text(LETTERS, max_size=12)

WORDS = st.binary(min_size=32, max_size=32)
SHARES = st.integers(0, 10**30)

ALIASES: tuple[tuple[Any, st.SearchStrategy[Any]], ...] = (
    (wire.HexBytes, st.binary(max_size=80)),
    (wire.Word, WORDS),
    (IdWord, WORDS),
    (wire.AccountWord, WORDS),
    (wire.SharesText, st.integers(-(10**30), 10**30)),
    (wire.AmountText, SHARES),
    (wire.IntText, st.integers(-(10**79), 10**79)),
    (wire.Chain, st.from_regex(r"\A[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}\Z")),
)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type hint that stands in a record."""
    for alias, strategy in ALIASES:
        if kind == alias:
            return strategy
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _annotated(args[0], args[1:])
    if origin in {Union, UnionType}:
        return st.one_of(*map(values, args))
    if origin is Literal:
        return st.sampled_from(args)
    if origin is tuple:
        parts = st.lists(values(args[0]), max_size=2).map(tuple)
        return parts if args[-1] is ... else st.tuples(*map(values, args))
    if origin is Mapping:
        return st.dictionaries(TEXT, values(args[1]), max_size=2)
    return _plain(kind)


@lru_cache
def _plain(kind: Any) -> st.SearchStrategy[Any]:
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind, include_extras=True)
        return st.builds(kind, **{field.name: values(hints[field.name]) for field in fields(kind)})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    return {str: TEXT, bool: st.booleans(), NoneType: st.none()}[kind]


def _annotated(kind: Any, more: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    """A number within its bounds, a text within its length, or what the rest does not bound."""
    rules = [rule for one in more for rule in (one, *getattr(one, "metadata", ()))]
    low = next((int(str(rule.ge)) for rule in rules if isinstance(rule, Ge)), None)
    high = next((int(str(rule.le)) for rule in rules if isinstance(rule, Le)), None)
    longest = next((rule.max_length for rule in rules if isinstance(rule, MaxLen)), None)
    if kind is int:
        return st.integers(low, high)
    if kind is float:
        return st.floats(low, high).map(abs)
    return values(kind) if longest is None else st.text(LETTERS, max_size=longest)
