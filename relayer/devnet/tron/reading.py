"""The paths that read blocks, transactions, accounts and contracts, for either view of the chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relayer.devnet.tron.faultwords import ApiError
from relayer.devnet.tron.rendering import read_address, render, render_address, render_transaction
from relayer.devnet.tron.views import show_block, show_info
from relayer.devnet.tron.world import FREE_BANDWIDTH

if TYPE_CHECKING:
    from relayer.devnet.tron.chain import Block, Included
    from relayer.devnet.tron.node import TronNode
    from relayer.devnet.tron.web import Answer

_PARSE = "org.tron.core.services.http.JsonFormat$ParseException"
_MOST_BLOCKS = 100
_TOTAL_NET = 43_200_000_000
_TOTAL_ENERGY = 186_042_168_764
_OPERATIONS = "7fff1fc0033e0100000000000000000000000000000000000000000000000000"


@dataclass(frozen=True, slots=True, repr=False)
class View:
    """The chain up to the head or, when `solid`, up to the newest solid block."""

    node: TronNode
    solid: bool

    @property
    def top(self) -> Block:
        """The newest block of this view."""
        return self.node.chain.solid if self.solid else self.node.chain.head

    def block(self, number: int) -> Block | None:
        """Return a block of this view by number."""
        return self.node.chain.blocks.get(number) if number <= self.top.number else None

    def block_of_id(self, block_id: bytes) -> Block | None:
        """Return a block of this view by id."""
        found = self.node.chain.by_id(block_id)
        return found if found is not None and found.number <= self.top.number else None

    def included(self, txid: bytes) -> Included | None:
        """Return a transaction of this view that is in a block."""
        found = self.node.chain.find(txid)
        return found if found is not None and found.number <= self.top.number else None


def visible_in(body: dict[str, Any]) -> bool:
    """Tell whether a request wants base58 addresses."""
    return body.get("visible") is True


def number_in(body: dict[str, Any], key: str) -> int:
    """Return an integer field, 0 when absent; raises `ApiError` for text, as the node does."""
    value = body.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int):
        text = f'""{value}""'
        raise ApiError(_PARSE, f"1:8: Couldn't parse integer: For input string: {text}")
    return value


def hex_in(body: dict[str, Any], key: str) -> bytes:
    """Return a hex field (0x is allowed), empty when absent; raises `ApiError`."""
    text = str(body.get(key, "")).removeprefix("0x")
    try:
        return bytes.fromhex(text.rjust(len(text) + len(text) % 2, "0"))
    except ValueError as error:
        raise ApiError(_PARSE, "1:10: INVALID hex String") from error


def address_in(body: dict[str, Any], key: str) -> bytes:
    """Return an address field, empty when absent; raises `ApiError`."""
    if key not in body:
        return b""
    try:
        return read_address(body[key], visible=visible_in(body))
    except ApiError as error:
        raise ApiError(_PARSE, "1:12: INVALID hex String") from error


@dataclass(frozen=True, slots=True)
class Reading:
    """Answers of one view."""

    view: View

    def paths(self) -> dict[str, Answer]:
        """Return what both ports serve, by the last part of the path."""
        return {
            "getnowblock": self.now_block,
            "getblock": self.block_of_text,
            "getblockbynum": self.block_by_num,
            "getblockbyid": self.block_by_id,
            "getblockbylatestnum": self.latest_blocks,
            "getblockbylimitnext": self.block_range,
            "gettransactionbyid": self.transaction,
            "gettransactioninfobyid": self.info,
            "gettransactioninfobyblocknum": self.infos,
            "gettransactioncountbyblocknum": self.count,
            "getaccount": self.account,
        }

    async def now_block(self, body: dict[str, Any]) -> Any:  # noqa: ARG002 (a path's shape)
        """The newest block; the node does not look for `visible` here."""
        return show_block(self.view.top, visible=False)

    async def block_of_text(self, body: dict[str, Any]) -> Any:
        """A block by number or id in a text, the newest without; header only unless `detail`."""
        text = body.get("id_or_num")
        visible, detail = visible_in(body), body.get("detail") is True
        if text is None:
            return show_block(self.view.top, visible=visible, detail=detail)
        if not isinstance(text, str):
            raise ApiError(_PARSE, "1:14: Expected string.")
        if text.isdigit() and len(text) < 64:
            return _shown(self.view.block(int(text)), visible=visible, detail=detail)
        try:
            block_id = bytes.fromhex(text.removeprefix("0x"))
        except ValueError as error:
            raise ApiError("", "id must be legal block hash.") from error
        if len(block_id) != 32:
            raise ApiError("", "id must be legal block hash.")
        return _shown(self.view.block_of_id(block_id), visible=visible, detail=detail)

    async def block_by_num(self, body: dict[str, Any]) -> Any:
        """A block by number, genesis without one."""
        return _shown(self.view.block(number_in(body, "num")), visible=visible_in(body))

    async def block_by_id(self, body: dict[str, Any]) -> Any:
        """A block by id."""
        return _shown(self.view.block_of_id(hex_in(body, "value")), visible=visible_in(body))

    async def latest_blocks(self, body: dict[str, Any]) -> Any:
        """The newest `num` blocks; nothing for 0 and for 100 and more."""
        count = number_in(body, "num")
        if not 0 < count < _MOST_BLOCKS:
            return {}
        top = self.view.top.number
        return self._range(max(0, top - count + 1), top + 1, body)

    async def block_range(self, body: dict[str, Any]) -> Any:
        """Blocks from `startNum` to before `endNum`; nothing for more than 100."""
        start, end = number_in(body, "startNum"), number_in(body, "endNum")
        if start < 0 or end <= start or end - start > _MOST_BLOCKS:
            return {}
        return self._range(start, end, body)

    def _range(self, start: int, end: int, body: dict[str, Any]) -> dict[str, Any]:
        blocks = [self.view.block(number) for number in range(start, end)]
        visible = visible_in(body)
        return {"block": [show_block(one, visible=visible) for one in blocks if one is not None]}

    async def transaction(self, body: dict[str, Any]) -> Any:
        """A transaction in a block; on the full view one in the pool too, with its contractRet."""
        txid = hex_in(body, "value")
        included = self.view.included(txid)
        found = included.transaction if included is not None else None
        if found is None and not self.view.solid:
            found = self.view.node.chain.pooled(txid)
        return {} if found is None else render_transaction(found, visible=visible_in(body))

    async def info(self, body: dict[str, Any]) -> Any:
        """What came of a transaction in a block."""
        included = self.view.included(hex_in(body, "value"))
        return {} if included is None else show_info(included, visible=visible_in(body))

    async def infos(self, body: dict[str, Any]) -> Any:
        """The same for a whole block: `[]` for an empty and for a future one."""
        number = number_in(body, "num")
        if number <= 0:
            return {}
        block, visible = self.view.block(number), visible_in(body)
        return [] if block is None else [show_info(one, visible=visible) for one in block.included]

    async def count(self, body: dict[str, Any]) -> Any:
        """How many transactions a block has; 0 for a future one."""
        block = self.view.block(number_in(body, "num"))
        return {"count": 0 if block is None else len(block.included)}

    async def account(self, body: dict[str, Any]) -> Any:
        """An account with its balance in sun after the newest block of this view."""
        address, visible, top = address_in(body, "address"), visible_in(body), self.view.top
        account = top.world.accounts.get(address)
        if account is None:
            return {}
        (balance,) = await self.view.node.engine.balances([address[1:]], top.number)
        shown = render_address(address, visible=visible)
        answer: dict[str, Any] = {
            "account_name": account.name if visible else account.name.encode().hex(),
            "type": "Contract" if account.is_contract else "",
            "address": shown,
            "balance": balance,
            "create_time": account.created_ms,
            "latest_opration_time": account.operated_ms,
            "free_net_usage": account.free_used,
            "latest_consume_free_time": account.free_used_ms,
        }
        return {key: value for key, value in answer.items() if value} | _fixed_part(shown, account)


def _fixed_part(shown: str, account: Any) -> dict[str, Any]:
    """Return the part of an account that the devnet never changes."""
    key = [{"address": shown, "weight": 1}]
    permissions: dict[str, Any] = {
        "owner_permission": {"permission_name": "owner", "threshold": 1, "keys": key},
        "active_permission": [
            {
                "type": "Active",
                "id": 2,
                "permission_name": "active",
                "threshold": 1,
                "operations": _OPERATIONS,
                "keys": key,
            }
        ],
    }
    return {
        "net_window_size": 28800,
        "account_resource": {"energy_window_size": 28800},
        **({} if account.is_contract or not account.created_ms else permissions),
        "frozenV2": [{}, {"type": "ENERGY"}, {"type": "TRON_POWER"}],
        "asset_optimized": True,
    }


def _shown(block: Block | None, *, visible: bool, detail: bool = True) -> dict[str, Any]:
    return {} if block is None else show_block(block, visible=visible, detail=detail)


def show_contract(contract: Any, *, visible: bool) -> dict[str, Any]:
    """Return a stored SmartContract message as getcontract does."""
    return render(contract, visible=visible)


def show_resources(account: Any, now_ms: int, *, energy: bool) -> dict[str, Any]:
    """Return the bandwidth (and energy) limits of an account; zero fields left out."""
    used = FREE_BANDWIDTH - account.free_left(now_ms)
    answer: dict[str, Any] = {"freeNetUsed": used} if used else {}
    answer |= {"freeNetLimit": FREE_BANDWIDTH, "TotalNetLimit": _TOTAL_NET}
    return answer | ({"TotalEnergyLimit": _TOTAL_ENERGY} if energy else {})
