"""Errors of the JSON-RPC interface, with the codes and words of Agave 4.2.2."""

from __future__ import annotations

from typing import Any


class RpcError(Exception):
    """One JSON-RPC error answer: numeric code, message, optional data."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        """Keep the three parts of the answer."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def render(self) -> dict[str, Any]:
        """Return the `error` member of the answer; `data` only where there is some."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            body["data"] = self.data
        return body


def invalid_params(message: str, data: Any = None) -> RpcError:
    """Return the -32602 error with `message`."""
    return RpcError(-32602, message, data)


def method_not_found() -> RpcError:
    """Return the -32601 error."""
    return RpcError(-32601, "Method not found")


def invalid_request(message: str = "Invalid request") -> RpcError:
    """Return the -32600 error."""
    return RpcError(-32600, message)


def parse_error() -> RpcError:
    """Return the -32700 error."""
    return RpcError(-32700, "Parse error")


def below_confirmed() -> RpcError:
    """Return the refusal of commitment `processed` by the methods that read history."""
    return invalid_params("Method does not support commitment below `confirmed`")


def min_context_slot(slot: int) -> RpcError:
    """Return -32016: the bank asked is only at `slot`."""
    return RpcError(-32016, "Minimum context slot has not been reached", {"contextSlot": slot})


def block_cleaned_up(slot: int, first: int) -> RpcError:
    """Return -32001: the block of `slot` was purged, `first` is the oldest one kept."""
    text = f"Block {slot} cleaned up, does not exist on node. First available block: {first}"
    return RpcError(-32001, text)


def block_not_available(slot: int) -> RpcError:
    """Return -32004: no block of `slot` yet at the commitment asked."""
    return RpcError(-32004, f"Block not available for slot {slot}")


def slot_skipped(slot: int) -> RpcError:
    """Return -32007: `slot` has no block and never will."""
    text = f"Slot {slot} was skipped, or missing due to ledger jump to recent snapshot"
    return RpcError(-32007, text)


def unsupported_version(version: int) -> RpcError:
    """Return -32015: the client did not say that it reads transactions of `version`."""
    text = (
        f"Transaction version ({version}) is not supported by the requesting client. Please try "
        "the request again with the following configuration parameter: "
        f'"maxSupportedTransactionVersion": {version}'
    )
    return RpcError(-32015, text)


def signature_not_found(signature: str) -> RpcError:
    """Return -32020: a `before` or `until` cursor that this node does not know."""
    return RpcError(-32020, f"Transaction {signature} not found")
