"""The paths that run contracts without effect and that build transactions on the node."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eth_hash.auto import keccak

from relayer.devnet.tron import addresses, messages
from relayer.devnet.tron.admission import check_contract
from relayer.devnet.tron.evm import TIME_LIMIT_ENERGY, Execution, Message
from relayer.devnet.tron.faultwords import ApiError, Refused, invalid
from relayer.devnet.tron.reading import View, address_in, hex_in, number_in, visible_in
from relayer.devnet.tron.rendering import read_message, render_transaction, txid
from relayer.devnet.tron.views import show_log

if TYPE_CHECKING:
    from relayer.devnet.tron.web import Answer

_MINUTE_MS = 60_000
_VALIDATE = "org.tron.core.exception.ContractValidateException"
_CONSTANT = ("View", "Pure")
_PROGRAM = "class org.tron.core.vm.program.Program"
_TIMED_OUT = f"{_PROGRAM}$OutOfTimeException : CPU timeout for 'JUMP' operation executing"
_NO_OWNER = "class java.security.InvalidParameterException : owner_address isn't set."


@dataclass(frozen=True, slots=True)
class Calling:
    """Simulations and builders on one view."""

    view: View

    def paths(self) -> dict[str, Answer]:
        """Return what both ports serve."""
        return {
            "triggerconstantcontract": self.constant,
            "estimateenergy": self.estimate,
        }

    def full_paths(self) -> dict[str, Answer]:
        """Return what only the full node serves."""
        return {
            "triggersmartcontract": self.trigger,
            "createtransaction": self.transfer,
            "deploycontract": self.deploy,
        }

    def built(self, kind: str, inner: Any, body: dict[str, Any]) -> Any:
        """Return an unsigned transaction as the node builds it: solid reference, one minute."""
        solid = self.view.node.chain.solid
        return messages.new(
            "Transaction",
            raw_data=messages.new(
                "Raw",
                ref_block_bytes=solid.id[6:8],
                ref_block_hash=solid.id[8:16],
                expiration=self.view.top.timestamp + _MINUTE_MS,
                timestamp=int(time.time() * 1000),
                fee_limit=number_in(body, "fee_limit"),
                data=hex_in(body, "extra_data"),
                contract=[messages.pack(kind, inner, number_in(body, "Permission_id"))],
            ),
        )

    async def constant(self, body: dict[str, Any]) -> Any:
        """Run a call (or a creation) on this view's newest block."""
        try:
            kind, inner, message, code = self._read(body)
            execution = await self.view.node.call(message, self.view.top, code)
        except Refused as refused:
            return _refusal(refused)
        if self.view.node.faults.take_cold():
            return _refusal(Refused("OTHER_ERROR", _TIMED_OUT))
        if not execution.succeeded and execution.result != "REVERT":
            return _refusal(Refused("OTHER_ERROR", _exception_words(execution)))
        return self._constant_answer(kind, inner, execution, body)

    def _constant_answer(
        self, kind: str, inner: Any, execution: Execution, body: dict[str, Any]
    ) -> dict[str, Any]:
        visible = visible_in(body)
        transaction = self.built(kind, inner, body)
        shown = render_transaction(transaction, visible=visible, marked=True)
        shown = {"ret": [{} if execution.succeeded else {"ret": "FAILED"}], **shown}
        if kind == "CreateSmartContract":
            created = addresses.of_contract(txid(transaction), inner.owner_address)
            shown["contract_address"] = created.hex()
        answer: dict[str, Any] = {"result": {"result": True}}
        if not execution.succeeded:
            answer["result"]["message"] = execution.words.encode().hex()
        if execution.energy:
            answer["energy_used"] = execution.energy
        answer["constant_result"] = [execution.output.hex()]
        if execution.logs:
            answer["logs"] = [show_log(log, visible=visible) for log in execution.logs]
        return {**answer, "transaction": shown}

    async def estimate(self, body: dict[str, Any]) -> Any:
        """Return the energy a call needs, with the node's generous margin."""
        try:
            _, _, message, code = self._read(body)
            execution = await self.view.node.call(message, self.view.top, code)
        except Refused as refused:
            return _refusal(refused)
        if not execution.succeeded:
            return _refusal(Refused("CONTRACT_EXE_ERROR", execution.words))
        return {"result": {"result": True}, "energy_required": execution.energy * 5 // 4}

    def _read(self, body: dict[str, Any]) -> tuple[str, Any, Message, bytes | None]:
        """Return the contract type, its message, what to run and the code to run; raises `Refused`."""
        owner = address_in(body, "owner_address")
        if not addresses.is_address(owner):
            raise Refused(
                "OTHER_ERROR",
                "class java.security.InvalidParameterException : owner_address isn't set.",
            )
        contract, data = address_in(body, "contract_address"), call_data(body)
        value = number_in(body, "call_value")
        if not contract:
            return self._creation(owner, data, value)
        if contract not in self.view.top.world.contracts:
            raise invalid("Smart contract is not exist.")
        inner = messages.new(
            "TriggerSmartContract",
            owner_address=owner,
            contract_address=contract,
            data=data,
            call_value=value,
        )
        message = Message(
            sender=owner[1:], to=contract[1:], data=data, value=value, energy=TIME_LIMIT_ENERGY
        )
        return "TriggerSmartContract", inner, message, None

    def _creation(self, owner: bytes, code: bytes, value: int) -> tuple[str, Any, Message, bytes]:
        contract = messages.new(
            "SmartContract",
            origin_address=owner,
            bytecode=code,
            consume_user_resource_percent=100,
            origin_energy_limit=1,
        )
        inner = messages.new("CreateSmartContract", owner_address=owner, new_contract=contract)
        to = keccak(owner + code)[-20:]
        message = Message(sender=owner[1:], to=to, value=value, energy=TIME_LIMIT_ENERGY)
        return "CreateSmartContract", inner, message, code

    async def trigger(self, body: dict[str, Any]) -> Any:
        """Build a contract call; a view function by its ABI is run at once."""
        owner, contract = address_in(body, "owner_address"), address_in(body, "contract_address")
        fee_limit, world = number_in(body, "fee_limit"), self.view.top.world
        most = self.view.node.prices.max_fee_limit
        if contract not in world.contracts:
            return _refusal(invalid("No contract or not a valid smart contract"))
        if not 0 <= fee_limit <= most:
            return _refusal(invalid(f"feeLimit must be >= 0 and <= {most}"))
        data = call_data(body)
        if _is_constant(world.contracts[contract], data):
            return await self.constant(body)
        inner = messages.new(
            "TriggerSmartContract",
            owner_address=owner,
            contract_address=contract,
            data=data,
            call_value=number_in(body, "call_value"),
        )
        transaction = self.built("TriggerSmartContract", inner, body)
        shown = render_transaction(transaction, visible=visible_in(body), marked=True)
        return {"result": {"result": True}, "transaction": shown}

    async def transfer(self, body: dict[str, Any]) -> Any:
        """Build a TRX transfer; what its contract refuses is an `Error`."""
        inner = read_message("TransferContract", body, visible=visible_in(body))
        node = self.view.node
        if inner.owner_address not in self.view.top.world.accounts:
            raise ApiError(_VALIDATE, "Validate TransferContract error, no OwnerAccount.")
        transaction = self.built("TransferContract", inner, body)
        try:
            check_contract(
                "TransferContract", inner, transaction.raw_data, self.view.top.world, node.prices
            )
            await node.check_balance(transaction)
        except Refused as refused:
            raise ApiError(_VALIDATE, refused.words) from refused
        return render_transaction(transaction, visible=visible_in(body), marked=True)

    async def deploy(self, body: dict[str, Any]) -> Any:
        """Build the creation of a contract; `abi` is JSON in a text."""
        visible, owner = visible_in(body), address_in(body, "owner_address")
        abi = body.get("abi") or "[]"
        entries = json.loads(abi) if isinstance(abi, str) else abi
        fields = {
            "abi": {"entrys": entries["entrys"] if isinstance(entries, dict) else entries},
            "bytecode": str(body.get("bytecode", "")) + str(body.get("parameter") or ""),
            "call_value": number_in(body, "call_value"),
            "name": body.get("name", ""),
            "consume_user_resource_percent": number_in(body, "consume_user_resource_percent"),
            "origin_energy_limit": number_in(body, "origin_energy_limit"),
        }
        contract = read_message("SmartContract", fields, visible=visible)
        contract.origin_address = owner
        inner = messages.new("CreateSmartContract", owner_address=owner, new_contract=contract)
        transaction = self.built("CreateSmartContract", inner, body)
        shown = render_transaction(transaction, visible=visible, marked=True)
        created = addresses.of_contract(txid(transaction), owner)
        return {**shown, "contract_address": created.hex()}


def call_data(body: dict[str, Any]) -> bytes:
    """Return the call data of a request: selector and parameter, or data; raises `ApiError`."""
    selector = body.get("function_selector")
    if selector:
        return keccak(str(selector).encode())[:4] + hex_in(body, "parameter")
    return hex_in(body, "data")


def _is_constant(contract: Any, data: bytes) -> bool:
    for entry in contract.abi.entrys:
        inputs = ",".join(one.type for one in entry.inputs)
        if keccak(f"{entry.name}({inputs})".encode())[:4] == data[:4]:
            word = messages.mutability_name(entry.stateMutability)
            return entry.constant or word in _CONSTANT
    return False


def _exception_words(execution: Execution) -> str:
    """Return how the node words a constant call that ended badly; its limit is one of time."""
    if execution.result == "OUT_OF_ENERGY":
        return _TIMED_OUT
    kind = {
        "ILLEGAL_OPERATION": "IllegalOperationException",
        "BAD_JUMP_DESTINATION": "BadJumpDestinationException",
        "STACK_TOO_SMALL": "StackTooSmallException",
        "STACK_TOO_LARGE": "StackTooLargeException",
    }[execution.result]
    return f"{_PROGRAM}${kind} : {execution.words}"


def _refusal(refused: Refused) -> dict[str, Any]:
    return {"result": {"code": refused.code, "message": refused.words.encode().hex()}}
