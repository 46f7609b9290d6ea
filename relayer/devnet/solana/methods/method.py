"""What a JSON-RPC method is, and the shape of answers that name their slot."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from relayer.devnet.solana.node import Node
from relayer.devnet.solana.params import Params
from relayer.devnet.solana.rpcerror import invalid_params

API_VERSION = "4.2.2"


@dataclass(frozen=True, slots=True)
class Method:
    """A function of the node and the parameters, with how many of these it takes."""

    call: Callable[[Node, Params], Any]
    required: int = 0
    allowed: int = 1

    def __call__(self, node: Node, values: list[Any]) -> Any:
        """Return the result; raises RpcError as the node would."""
        count = len(values)
        if count < self.required:
            text = f"`params` should have at least {self.required} argument(s)"
            raise invalid_params(text)
        if count > self.allowed:
            raise _too_many(self, values)
        return self.call(node, Params(values))


def _too_many(method: Method, values: list[Any]) -> Exception:
    if method.allowed == 0:
        text = "Invalid parameters: No parameters were expected"
        return invalid_params(text, rust_debug(values))
    if method.required == method.allowed:
        expected = f"{method.allowed}"
    else:
        expected = f"from {method.required} to {method.allowed}"
    text = f"Invalid parameters: Expected {expected} parameters."
    return invalid_params(text, f'"Got: {len(values)}"')


def rust_debug(value: Any) -> str:
    """Return a JSON value as the node's language prints it, for the data of some errors."""
    match value:
        case None:
            return "Null"
        case bool():
            return f"Bool({str(value).lower()})"
        case int() | float():
            return f"Number({value})"
        case str():
            return f"String({json.dumps(value)})"
        case list():
            return f"Array([{', '.join(rust_debug(one) for one in value)}])"
        case _:
            members = (f"{json.dumps(k)}: {rust_debug(v)}" for k, v in value.items())
            return f"Object {{{', '.join(members)}}}"


def at_slot(node: Node, height: int, value: Any) -> dict[str, Any]:
    """Return `value` together with the slot of the block that was read."""
    slot = node.chain.slot_of(height)
    return {"context": {"apiVersion": API_VERSION, "slot": slot}, "value": value}
