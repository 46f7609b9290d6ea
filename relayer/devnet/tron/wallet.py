"""The paths that only the full node serves: broadcasting, pool, resources, chain parameters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relayer.devnet.tron import addresses, messages
from relayer.devnet.tron.admission import check_signature
from relayer.devnet.tron.faultwords import ApiError, Refused
from relayer.devnet.tron.reading import (
    View,
    address_in,
    hex_in,
    show_contract,
    show_resources,
    visible_in,
)
from relayer.devnet.tron.rendering import (
    read_transaction,
    render,
    render_address,
    render_transaction,
    txid,
)

if TYPE_CHECKING:
    from relayer.devnet.tron.node import TronNode
    from relayer.devnet.tron.web import Answer

_BASE58 = frozenset("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")
_NOT_HEX = "exception decoding Hex string: invalid characters encountered in Hex string"
_CUT = (
    "While parsing a protocol message, the input ended unexpectedly in the middle of a field.  "
    "This could mean either that the input has been truncated or that an embedded message "
    "misreported its own length."
)


@dataclass(frozen=True, slots=True)
class Wallet:
    """Answers of the full node alone."""

    view: View

    @property
    def node(self) -> TronNode:
        """The node behind."""
        return self.view.node

    def paths(self) -> dict[str, Answer]:
        """Return what the full node serves beside the reading paths."""
        return {
            "broadcasttransaction": self.broadcast,
            "broadcasthex": self.broadcast_hex,
            "getsignweight": self.sign_weight,
            "getaccountresource": self.resources,
            "getaccountnet": self.net,
            "getcontract": self.contract,
            "getcontractinfo": self.contract_info,
            "validateaddress": self.validate,
            "getpendingsize": self.pending_size,
            "gettransactionlistfrompending": self.pending_list,
            "gettransactionfrompending": self.pending,
            "getchainparameters": self.parameters,
            "getnodeinfo": self.node_info,
            "listnodes": self.nodes,
            "listwitnesses": self.witnesses,
            "getbandwidthprices": self.bandwidth_prices,
            "getmemofee": self.memo_fee,
            "getburntrx": self.burnt,
        }

    async def broadcast(self, body: dict[str, Any]) -> Any:
        """Take a transaction in JSON; a refusal has no `result` and a hex message."""
        transaction = read_transaction(body)
        identity = txid(transaction).hex()
        try:
            await self.node.broadcast(transaction)
        except Refused as refused:
            message = _worded(refused).encode().hex()
            return {"code": refused.code, "txid": identity, "message": message}
        return {"result": True, "txid": identity}

    async def broadcast_hex(self, body: dict[str, Any]) -> Any:
        """Take a transaction as hex of its protobuf; a refusal has `result: false` in plain words."""
        transaction = _read_hex(str(body.get("transaction", "")))
        answer: dict[str, Any] = {"result": True, "code": "SUCCESS"}
        words, shown = "", _text_form(transaction)
        try:
            await self.node.broadcast(transaction)
        except Refused as refused:
            answer, words = {"result": False, "code": refused.code}, _worded(refused)
        return {**answer, "txid": txid(transaction).hex(), "message": words, "transaction": shown}

    async def sign_weight(self, body: dict[str, Any]) -> Any:
        """Return what the signatures of a transaction weigh; accounts have one key here."""
        transaction, visible = read_transaction(body), visible_in(body)
        if not transaction.raw_data.contract:
            words = "Invalid transaction: no valid contract"
            return {"result": {"code": "OTHER_ERROR", "message": words}}
        owner = getattr(messages.unpack(transaction.raw_data.contract[0]), "owner_address", b"")
        shown_owner = render_address(owner, visible=visible)
        key = {"address": shown_owner, "weight": 1}
        identity = txid(transaction).hex()
        result = _weighed(transaction, owner)
        answer: dict[str, Any] = {
            "result": result,
            "permission": {"keys": [key], "threshold": 1, "permission_name": "owner"},
            "transaction": {
                "result": {"result": True},
                "txid": identity,
                "transaction": render_transaction(transaction, visible=visible),
            },
        }
        if not result:
            answer |= {"approved_list": [shown_owner], "current_weight": 1}
        return answer

    async def resources(self, body: dict[str, Any]) -> Any:
        """The bandwidth and energy limits of an account."""
        return self._resources(body, energy=True)

    async def net(self, body: dict[str, Any]) -> Any:
        """The bandwidth limits of an account."""
        return self._resources(body, energy=False)

    def _resources(self, body: dict[str, Any], *, energy: bool) -> dict[str, Any]:
        top = self.view.top
        account = top.world.accounts.get(address_in(body, "address"))
        return {} if account is None else show_resources(account, top.timestamp, energy=energy)

    async def contract(self, body: dict[str, Any]) -> Any:
        """A contract's bytecode, ABI and settings."""
        found = self.view.top.world.contracts.get(_contract_address(body))
        return {} if found is None else show_contract(found, visible=visible_in(body))

    async def contract_info(self, body: dict[str, Any]) -> Any:
        """The same with the code that runs."""
        address = _contract_address(body)
        found = self.view.top.world.contracts.get(address)
        if found is None:
            return {}
        code = await self.node.engine.code(address[1:], self.view.top.number)
        shown = show_contract(found, visible=visible_in(body))
        return {"runtimecode": code.hex(), "smart_contract": shown, "contract_state": {}}

    async def validate(self, body: dict[str, Any]) -> Any:
        """Tell whether a text is an address, and in which form."""
        text = str(body.get("address", ""))
        try:
            addresses.from_visible(text)
        except addresses.AddressError:
            is_hex = text.startswith("41") and len(text) == 2 * addresses.LENGTH
            if is_hex:
                return {"result": True, "message": "Hex string format"}
            return {"result": False, "message": "Invalid address"}
        return {"result": True, "message": "Base58check format"}

    async def pending_size(self, body: dict[str, Any]) -> Any:  # noqa: ARG002 (a path's shape)
        """How many transactions wait in the pool."""
        return {"pendingSize": len(self.node.chain.pool)}

    async def pending_list(self, body: dict[str, Any]) -> Any:  # noqa: ARG002 (a path's shape)
        """The ids of the transactions in the pool."""
        pool = self.node.chain.pool
        return {"txId": [one.hex() for one in pool]} if pool else {}

    async def pending(self, body: dict[str, Any]) -> Any:
        """A transaction of the pool."""
        found = self.node.chain.pooled(hex_in(body, "value"))
        return {} if found is None else render_transaction(found, visible=visible_in(body))

    async def parameters(self, body: dict[str, Any]) -> Any:  # noqa: ARG002 (a path's shape)
        """The chain parameters that fees depend on, in sun."""
        prices = self.node.prices
        known = {
            "getMaintenanceTimeInterval": 21_600_000,
            "getCreateAccountFee": prices.new_account_bandwidth,
            "getTransactionFee": prices.bandwidth,
            "getCreateNewAccountFeeInSystemContract": prices.new_account,
            "getCreateNewAccountBandwidthRate": 1,
            "getAllowCreationOfContracts": 1,
            "getRemoveThePowerOfTheGr": None,
            "getEnergyFee": prices.energy,
            "getMaxCpuTimeOfOneTx": 80,
            "getTotalEnergyLimit": 180_000_000_000,
            "getMultiSignFee": 1_000_000,
            "getMaxFeeLimit": prices.max_fee_limit,
            "getFreeNetLimit": 600,
            "getTotalNetLimit": 43_200_000_000,
            "getMemoFee": prices.memo,
            "getAllowTvmShangHai": 1,
            "getAllowTvmCancun": 1,
        }
        rows = ({"key": key, "value": value} for key, value in known.items())
        return {
            "chainParameter": [
                {name: one for name, one in row.items() if one is not None} for row in rows
            ]
        }

    async def node_info(self, body: dict[str, Any]) -> Any:  # noqa: ARG002 (a path's shape)
        """The node's version and heights; its solid block runs ahead of the solid port's."""
        head = self.view.top
        ahead = self.node.chain.blocks[max(0, head.number - self.node.chain.solid_lag // 2)]
        return {
            "activeConnectCount": 0,
            "beginSyncNum": head.number,
            "block": f"Num:{head.number},ID:{head.id.hex()}",
            "cheatWitnessInfoMap": {},
            "configNodeInfo": {
                "codeVersion": "4.8.0",
                "p2pVersion": "55511",
                "versionNum": "18631",
            },
            "currentConnectCount": 0,
            "machineInfo": {},
            "passiveConnectCount": 0,
            "peerList": [],
            "solidityBlock": f"Num:{ahead.number},ID:{ahead.id.hex()}",
            "totalFlow": 0,
        }

    async def nodes(self, body: dict[str, Any]) -> Any:  # noqa: ARG002 (a path's shape)
        """The peers: none."""
        return {}

    async def witnesses(self, body: dict[str, Any]) -> Any:
        """The one witness."""
        address = render_address(self.node.witness_address, visible=visible_in(body))
        head = self.view.top.number
        row = {"address": address, "voteCount": 1, "url": "http://devnet.local"}
        return {
            "witnesses": [{**row, "totalProduced": head, "latestBlockNum": head, "isJobs": True}]
        }

    async def bandwidth_prices(self, body: dict[str, Any]) -> Any:  # noqa: ARG002 (a path's shape)
        """The prices of a byte in sun since genesis."""
        return {"prices": f"0:{self.node.prices.bandwidth}"}

    async def memo_fee(self, body: dict[str, Any]) -> Any:  # noqa: ARG002 (a path's shape)
        """The price of a memo in sun since genesis."""
        return {"prices": f"0:{self.node.prices.memo}"}

    async def burnt(self, body: dict[str, Any]) -> Any:  # noqa: ARG002 (a path's shape)
        """The sun burnt so far, which the devnet does not count."""
        return {"burnTrxAmount": 0}


def energy_prices(view: View) -> Answer:
    """Return the path that both ports serve for the prices of energy in sun since genesis."""

    async def answer(_: dict[str, Any]) -> Any:
        return {"prices": f"0:{view.node.prices.energy}"}

    return answer


def _weighed(transaction: Any, owner: bytes) -> dict[str, str]:
    """Return what is wrong with the signatures of an owner's transaction, nothing if all is well."""
    if not transaction.signature:
        return {"code": "NOT_ENOUGH_PERMISSION"}
    try:
        check_signature(transaction, owner)
    except Refused as refused:
        words = refused.words.removeprefix("Validate signature error: ")
        return {"code": "PERMISSION_ERROR", "message": words}
    return {}


def _contract_address(body: dict[str, Any]) -> bytes:
    """Return the address of a contract asked for; base58 is demanded when visible."""
    text = str(body.get("value", ""))
    if visible_in(body):
        for at, character in enumerate(text):
            if character not in _BASE58:
                words = f"Illegal character {character} at {at}"
                raise ApiError("java.lang.IllegalArgumentException", words)
    return address_in(body, "value")


def _worded(refused: Refused) -> str:
    if refused.code == "CONTRACT_VALIDATE_ERROR":
        return f"Contract validate error : {refused.words}"
    return refused.words


def _read_hex(text: str) -> Any:
    try:
        return messages.parse("Transaction", bytes.fromhex(text))
    except ValueError as error:
        raise ApiError("org.bouncycastle.util.encoders.DecoderException", _NOT_HEX) from error
    except messages.DecodeError as error:
        raise ApiError("com.google.protobuf.InvalidProtocolBufferException", _CUT) from error


def _text_form(transaction: Any) -> str:
    """Return the transaction as broadcasthex repeats it: JSON in a text, parameters in hex."""
    shown = {
        key: value for key, value in render(transaction, visible=False).items() if key != "ret"
    }
    return json.dumps(shown, separators=(",", ": "))
