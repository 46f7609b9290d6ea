"""Parameters of JSON-RPC calls, read and refused in the words of the real node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from base58 import b58decode
from solders.pubkey import Pubkey

from relayer.devnet.solana.chain import Commitment
from relayer.devnet.solana.rpcerror import RpcError, invalid_params, min_context_slot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relayer.devnet.solana.node import Node

_U64_MAX = 2**64 - 1
ENCODINGS = ("binary", "base58", "base64", "jsonParsed", "base64+zstd")
_COMMITMENTS = tuple(c.value for c in Commitment)


def describe(value: Any) -> str:
    """Return how the node names a JSON value of the wrong type."""
    match value:
        case None:
            return "null"
        case bool():
            return f"boolean `{str(value).lower()}`"
        case int() if value > _U64_MAX:
            return f"floating point `{float(value)}`"
        case int():
            return f"integer `{value}`"
        case float():
            return f"floating point `{value}`"
        case str():
            return f'string "{value}"'
        case list():
            return "sequence"
        case _:
            return "map"


def wrong_type(value: Any, expected: str) -> RpcError:
    """Return the refusal of `value` where `expected` should stand."""
    return invalid_params(f"Invalid params: invalid type: {describe(value)}, expected {expected}.")


def unknown_variant(value: str, known: Sequence[str]) -> RpcError:
    """Return the refusal of a word that is not one of `known`."""
    names = ", ".join(f"`{name}`" for name in known)
    return invalid_params(f"Invalid params: unknown variant `{value}`, expected one of {names}.")


def as_u64(value: Any, kind: str = "u64") -> int:
    """Return `value` as an unsigned integer, or raise the refusal."""
    if isinstance(value, bool) or not isinstance(value, int) or value > _U64_MAX:
        raise wrong_type(value, kind)
    if value < 0:
        raise invalid_params(f"Invalid params: invalid value: integer `{value}`, expected {kind}.")
    return value


def _decoded(text: str, size: int) -> bytes:
    try:
        data = bytes(b58decode(text.encode()))
    except (ValueError, UnicodeEncodeError) as error:
        raise invalid_params("Invalid param: Invalid") from error
    if len(data) != size:
        raise invalid_params("Invalid param: WrongSize")
    return data


def as_pubkey(value: Any) -> Pubkey:
    """Return `value` as a public key, or raise the refusal."""
    if not isinstance(value, str):
        raise wrong_type(value, "a string")
    return Pubkey.from_bytes(_decoded(value, 32))


def as_signature(value: Any) -> str:
    """Return `value` if it is a signature in base58, or raise the refusal."""
    if not isinstance(value, str):
        raise wrong_type(value, "a string")
    _decoded(value, 64)
    return value


def as_list(value: Any) -> list[Any]:
    """Return `value` if it is a list, or raise the refusal."""
    if not isinstance(value, list):
        raise wrong_type(value, "a sequence")
    return value


class Options:
    """The configuration object of a call; unknown members are ignored, as the node does."""

    def __init__(self, members: dict[str, Any]) -> None:
        """Wrap the members."""
        self.members = members

    def commitment(self) -> Commitment:
        """Return the commitment; anything misspelt silently means finalized, as on the node."""
        word = self.members.get("commitment")
        if isinstance(word, str) and word in _COMMITMENTS:
            return Commitment(word)
        return Commitment.FINALIZED

    def strict_commitment(self, name: str) -> Commitment:
        """Return the commitment under `name`; here the node refuses a misspelt one."""
        word = self.members.get(name)
        if word is None:
            return Commitment.FINALIZED
        if not isinstance(word, str):
            raise wrong_type(word, "string or map")
        if word not in _COMMITMENTS:
            raise unknown_variant(word, _COMMITMENTS)
        return Commitment(word)

    def u64(self, name: str, kind: str = "u64") -> int | None:
        """Return the unsigned integer under `name`, None where it is absent."""
        value = self.members.get(name)
        return None if value is None else as_u64(value, kind)

    def flag(self, name: str) -> bool:
        """Return the boolean under `name`, False where it is absent."""
        value = self.members.get(name)
        if value is not None and not isinstance(value, bool):
            raise wrong_type(value, "a boolean")
        return bool(value)

    def text(self, name: str) -> str | None:
        """Return the string under `name`, None where it is absent."""
        value = self.members.get(name)
        if value is not None and not isinstance(value, str):
            raise wrong_type(value, "a string")
        return value

    def encoding(self, default: str = "binary") -> str:
        """Return the account encoding."""
        value = self.text("encoding")
        if value is None:
            return default
        if value not in ENCODINGS:
            raise unknown_variant(value, ENCODINGS)
        return value

    def height(self, node: Node, commitment: Commitment | None = None) -> int:
        """Return the height to read at; raises -32016 below `minContextSlot`."""
        height = node.chain.tip(commitment or self.commitment())
        wanted, slot = self.u64("minContextSlot"), node.chain.slot_of(height)
        if wanted is not None and slot < wanted:
            raise min_context_slot(slot)
        return height


class Params:
    """The positional parameters of a call."""

    def __init__(self, values: list[Any]) -> None:
        """Wrap the values."""
        self.values = values

    def get(self, index: int) -> Any:
        """Return the parameter at `index`, None where it is absent."""
        return self.values[index] if index < len(self.values) else None

    def options(self, index: int, name: str) -> Options:
        """Return the configuration at `index`; `name` is what the node calls its type."""
        value = self.get(index)
        if value is None:
            return Options({})
        if not isinstance(value, dict):
            raise wrong_type(value, f"struct {name}")
        return Options(value)

    def u64(self, index: int, kind: str = "u64") -> int:
        """Return the unsigned integer at `index`."""
        return as_u64(self.get(index), kind)

    def pubkey(self, index: int) -> Pubkey:
        """Return the public key at `index`."""
        return as_pubkey(self.get(index))

    def signature(self, index: int) -> str:
        """Return the signature at `index`."""
        return as_signature(self.get(index))

    def text(self, index: int) -> str:
        """Return the string at `index`."""
        value = self.get(index)
        if not isinstance(value, str):
            raise wrong_type(value, "a string")
        return value
