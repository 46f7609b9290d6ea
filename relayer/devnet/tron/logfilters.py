"""eth_getLogs and the filters of the node's JSON-RPC."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from relayer.devnet.tron import ethviews
from relayer.devnet.tron.jsonrpcfaults import RpcError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from relayer.devnet.tron.chain import Block
    from relayer.devnet.tron.reading import View

_MAX_TOPICS = 4
_MAX_SUBTOPICS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What a filter asks for; an empty set means any."""

    start: int
    end: int
    addresses: frozenset[bytes]
    topics: tuple[frozenset[bytes], ...]


@dataclass(slots=True)
class _Filter:
    """An installed filter and the next block it has not reported."""

    next_block: int
    request: dict[str, Any] | None


@dataclass(slots=True)
class LogFilters:
    """Logs of one view."""

    view: View
    _filters: dict[str, _Filter] = field(default_factory=dict)

    def methods(self) -> dict[str, Callable[..., Awaitable[Any]]]:
        """Return the methods by their names on the wire."""
        return {
            "eth_getLogs": self.logs,
            "eth_newFilter": self.new_filter,
            "eth_newBlockFilter": self.new_block_filter,
            "eth_getFilterChanges": self.changes,
            "eth_getFilterLogs": self.filter_logs,
            "eth_uninstallFilter": self.uninstall,
        }

    def block_at(self, which: Any) -> Block | None:
        """Return the block of a number (hex or decimal text) or tag; raises `RpcError`."""
        if which == "pending":
            raise RpcError(-32602, "TAG pending not supported")
        try:
            return self.view.block(self._height(which))
        except ValueError as error:
            raise RpcError(-32602, "invalid block number") from error

    def _height(self, which: Any) -> int:
        top = self.view.top.number
        match which:
            case "latest":
                return top
            case "earliest":
                return 0
            case "finalized":
                return max(0, top - self.view.node.chain.solid_lag)
            case str() if which.startswith("0x"):
                return int(which, 16)
            case _:
                return int(str(which))

    async def logs(self, request: Any) -> Any:
        """Return the logs in a range of blocks, or in the block of a hash."""
        return self._found(self._wanted(request))

    def _found(self, wanted: _Wanted) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for number in range(wanted.start, min(wanted.end, self.view.top.number) + 1):
            block = self.view.block(number)
            if block is None:
                continue
            for one in block.included:
                shown = ethviews.show_logs(one, block)
                pairs = zip(one.execution.logs, shown, strict=True)
                found.extend(row for log, row in pairs if _fits(log, wanted))
        return found

    def _wanted(self, request: Any) -> _Wanted:
        if not isinstance(request, dict):
            raise RpcError(-32602, "method parameters invalid", data=None)
        start, end = self._range(request)
        return _Wanted(
            start=start,
            end=end,
            addresses=frozenset(_addresses(request.get("address"))),
            topics=_topics(request.get("topics") or []),
        )

    def _range(self, request: dict[str, Any]) -> tuple[int, int]:
        block_hash = request.get("blockHash")
        if block_hash is None:
            return self._number_range(request)
        if "fromBlock" in request or "toBlock" in request:
            words = "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other"
            raise RpcError(-32602, words)
        block = self.view.block_of_id(ethviews.hash_of(block_hash))
        if block is None:
            raise RpcError(-32602, "invalid blockHash")
        return block.number, block.number

    def _number_range(self, request: dict[str, Any]) -> tuple[int, int]:
        top = self.view.top.number
        start = self._bound(request.get("fromBlock"), top)
        end = self._bound(request.get("toBlock"), top)
        if "fromBlock" not in request and "toBlock" in request:
            start = min(start, end)
        if start > end and "toBlock" in request:
            raise RpcError(-32602, "please verify: fromBlock <= toBlock")
        most = self.view.node.max_block_range
        if min(end, top) - start > most:
            raise RpcError(-32602, f"exceed max block range: {most}")
        return start, end

    def _bound(self, which: Any, default: int) -> int:
        if which is None:
            return default
        if which == "pending":
            raise RpcError(-32602, "TAG pending not supported")
        if isinstance(which, int) or not (which.startswith("0x") or which.isalpha()):
            raise RpcError(-32602, "Incorrect hex syntax")
        try:
            return self._height(which)
        except ValueError as error:
            raise RpcError(-32602, "invalid block number") from error

    async def new_filter(self, request: Any) -> str:
        """Install a filter for logs."""
        self._wanted(request)
        return self._install(request)

    async def new_block_filter(self) -> str:
        """Install a filter for blocks."""
        return self._install(None)

    def _install(self, request: dict[str, Any] | None) -> str:
        name = "0x" + secrets.token_hex(16)
        self._filters[name] = _Filter(self.view.top.number + 1, request)
        return name

    def _filter(self, name: str) -> _Filter:
        found = self._filters.get(name)
        if found is None:
            raise RpcError(-32000, "filter not found")
        return found

    async def changes(self, name: str) -> Any:
        """Return what is new since the last time: logs, or block ids."""
        found, top = self._filter(name), self.view.top.number
        start, found.next_block = found.next_block, top + 1
        if found.request is None:
            blocks = (self.view.block(number) for number in range(start, top + 1))
            return ["0x" + block.id.hex() for block in blocks if block is not None]
        asked = {key: value for key, value in found.request.items() if "Block" not in key}
        return self._found(
            self._wanted({**asked, "fromBlock": hex(start), "toBlock": hex(max(start, top))})
        )

    async def filter_logs(self, name: str) -> Any:
        """Return all logs of a filter."""
        found = self._filter(name)
        if found.request is None:
            raise RpcError(-32000, "filter not found")
        return self._found(self._wanted(found.request))

    async def uninstall(self, name: str) -> Any:
        """Forget a filter."""
        self._filter(name)
        del self._filters[name]
        return True


def _fits(log: Any, wanted: _Wanted) -> bool:
    if wanted.addresses and log.address not in wanted.addresses:
        return False
    if len(wanted.topics) > len(log.topics):
        return False
    pairs = zip(wanted.topics, log.topics, strict=False)
    return all(not allowed or topic in allowed for allowed, topic in pairs)


def _addresses(asked: Any) -> list[bytes]:
    listed = asked if isinstance(asked, list) else [] if asked is None else [asked]
    found = []
    for one in listed:
        text = str(one).removeprefix("0x")
        if len(text) != 40:
            raise RpcError(-32602, f"invalid address: {one}")
        found.append(bytes.fromhex(text))
    return found


def _topics(asked: list[Any]) -> tuple[frozenset[bytes], ...]:
    if len(asked) > _MAX_TOPICS:
        raise RpcError(-32602, "topics size should be <= 4")
    return tuple(frozenset(_alternatives(one)) for one in asked)


def _alternatives(asked: Any) -> list[bytes]:
    listed = asked if isinstance(asked, list) else [] if asked is None else [asked]
    if len(listed) > _MAX_SUBTOPICS:
        raise RpcError(-32602, f"exceed max topics: {_MAX_SUBTOPICS}")
    found = []
    for one in listed:
        text = str(one).removeprefix("0x")
        if len(text) != 64:
            raise RpcError(-32602, f"invalid topic(s): {one}")
        found.append(bytes.fromhex(text))
    return found
