"""JSON-RPC 2.0 as Agave speaks it: what a request is, and the answers to what is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from relayer.devnet.solana.rpcerror import (
    RpcError,
    invalid_params,
    invalid_request,
    parse_error,
)

_MEMBERS = frozenset({"jsonrpc", "method", "params", "id"})

Call = Callable[[str, list[Any]], Any]
"""What answers a method with its parameters; raises RpcError."""


def dumps(answer: Any) -> str:
    """Return `answer` as compact JSON."""
    return json.dumps(answer, separators=(",", ":"))


def failure(error: RpcError, ident: Any) -> dict[str, Any]:
    """Return an error answer to the request `ident`."""
    return {"jsonrpc": "2.0", "error": error.render(), "id": ident}


def _ident(request: dict[str, Any]) -> Any:
    ident = request.get("id")
    odd = isinstance(ident, bool | float | dict | list)
    if odd or (isinstance(ident, int) and ident < 0):
        raise parse_error()
    return ident


def _checked(request: dict[str, Any]) -> tuple[str, list[Any]]:
    method, params = request.get("method"), request.get("params")
    if not isinstance(method, str) or request.keys() - _MEMBERS:
        raise invalid_request()
    version = request.get("jsonrpc")
    if version is None:
        raise invalid_request("Unsupported JSON-RPC protocol version")
    if version != "2.0" or not isinstance(params, dict | list | None):
        raise invalid_request()
    if isinstance(params, dict):
        raise invalid_params("`params` should be an array")
    return method, params or []


def answer_one(request: Any, call: Call) -> dict[str, Any] | None:
    """Return the answer to one request, None for a notification."""
    if not isinstance(request, dict):
        raise parse_error()
    ident = _ident(request)
    try:
        method, params = _checked(request)
        result = call(method, params)
    except RpcError as error:
        return failure(error, ident) if "id" in request else None
    if "id" not in request:
        return None
    return {"jsonrpc": "2.0", "result": result, "id": ident}


def answer_text(text: str | bytes, call: Call) -> str:
    """Return the answer to the body `text`: one request or a batch; empty where none is due."""
    try:
        body = json.loads(text)
        if isinstance(body, list):
            answers = [answer_one(request, call) for request in body]
            due = [answer for answer in answers if answer is not None]
            return dumps(due) if due else ""
        one = answer_one(body, call)
    except (ValueError, RecursionError):
        return dumps(failure(parse_error(), None))
    except RpcError as error:
        return dumps(failure(error, None))
    return "" if one is None else dumps(one)
