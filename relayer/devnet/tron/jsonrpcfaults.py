"""Errors of the node's JSON-RPC."""

from __future__ import annotations

from typing import Any


class RpcError(Exception):
    """An error answer; `data` is the text `{}` on most, absent when None."""

    def __init__(
        self, code: int, words: str, *, data: Any = "{}", is_unreadable: bool = False
    ) -> None:
        """Keep code, words and data; an unreadable request is answered with `id: "null"`."""
        super().__init__(words)
        self.code = code
        self.words = words
        self.data = data
        self.is_unreadable = is_unreadable

    def shown(self) -> dict[str, Any]:
        """Return the `error` member."""
        shown: dict[str, Any] = {"code": self.code, "message": self.words}
        if self.data is not None:
            shown["data"] = self.data
        return shown


def bad_parameters() -> RpcError:
    """Return the answer to a wrong number of parameters."""
    return RpcError(-32602, "method parameters invalid", data=None)
