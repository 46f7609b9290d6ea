"""The EVM engine under the Tron devnet: an Anvil that mines only when told to.

Addresses here are the 20 bytes of the EVM, amounts are in sun (one wei of the engine is one sun).
State that is set between two blocks belongs to the lower one, also when it is read later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from relayer.devnet.anvil import Anvil, AnvilConfig
from relayer.devnet.rpc import RpcFault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

_TRACE = {"tracer": "callTracer", "tracerConfig": {"withLog": True}}
_INTRINSIC = 21_000
_KEPT_STATES = 600
TIME_LIMIT_ENERGY = 20_000_000
"""What stands for the 80 ms that the TVM gives a transaction: more energy is OUT_OF_TIME."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """One event: the 20-byte address, topics and data."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalCall:
    """A call or creation made by a contract, value in sun."""

    sender: bytes
    to: bytes
    value: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is executed: value in sun, `energy` is the most it may use."""

    sender: bytes
    to: bytes
    data: bytes = b""
    value: int = 0
    energy: int = 0

    def request(self) -> dict[str, str]:
        """Return it as an Anvil transaction; the engine's own intrinsic gas comes on top."""
        return {
            "from": "0x" + self.sender.hex(),
            "to": "0x" + self.to.hex(),
            "data": "0x" + self.data.hex(),
            "value": hex(self.value),
            "gas": hex(self.energy + self.intrinsic),
            "gasPrice": "0x0",
        }

    @property
    def intrinsic(self) -> int:
        """Gas that the EVM takes before it runs and the TVM does not."""
        zeros = self.data.count(0)
        return _INTRINSIC + 4 * zeros + 16 * (len(self.data) - zeros)


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What came of a message: the TVM's word for it, energy used, output or revert data."""

    result: str
    energy: int
    output: bytes = b""
    words: str = ""
    logs: tuple[Log, ...] = ()
    internal: tuple[InternalCall, ...] = ()
    position: int = 0

    @property
    def succeeded(self) -> bool:
        """Tell whether its effects stand."""
        return self.result == "SUCCESS"


class Underfunded(Exception):
    """The sender has less than the value of the message."""


class EvmEngine:
    """One Anvil with the chain id of the Tron devnet."""

    def __init__(self, chain_id: int) -> None:
        """Prepare the process; it starts with the context."""
        self._anvil = Anvil(
            AnvilConfig(
                chain_id=chain_id,
                block_time=None,
                accounts=1,
                extra=(
                    *("--hardfork", "cancun", "--order", "fifo", "--auto-impersonate"),
                    *("--gas-price", "0", "--base-fee", "0", "--no-priority-fee"),
                    *("--disable-block-gas-limit", "--disable-code-size-limit"),
                    *("--disable-default-create2-deployer", "--disable-console-log"),
                    *("--prune-history", str(_KEPT_STATES)),
                    *("--transaction-block-keeper", str(_KEPT_STATES)),
                ),
            )
        )

    async def __aenter__(self) -> Self:
        """Start the process; raises `AnvilError`."""
        await self._anvil.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the process."""
        await self._anvil.stop()

    @property
    def pid(self) -> int | None:
        """The process id of the engine."""
        return self._anvil.pid

    async def balances(self, addresses: Sequence[bytes], block: int | None = None) -> list[int]:
        """Return balances in sun, at the head or after a block."""
        at = _at(block)
        answers = await self._anvil.rpc.batch(
            [("eth_getBalance", ["0x" + one.hex(), at]) for one in addresses]
        )
        return [int(one, 16) for one in answers]

    async def set_balances(self, balances: dict[bytes, int]) -> None:
        """Set balances in sun as part of the head block's state."""
        await self._anvil.rpc.batch(
            [("anvil_setBalance", ["0x" + one.hex(), hex(sun)]) for one, sun in balances.items()]
        )

    async def set_codes(self, codes: dict[bytes, bytes]) -> None:
        """Set the code of addresses as part of the head block's state."""
        await self._anvil.rpc.batch(
            [
                ("anvil_setCode", [f"0x{one.hex()}", f"0x{code.hex()}"])
                for one, code in codes.items()
            ]
        )

    async def code(self, address: bytes, block: int | None = None) -> bytes:
        """Return the code of an address, at the head or after a block."""
        text = await self._anvil.rpc.call("eth_getCode", "0x" + address.hex(), _at(block))
        return bytes.fromhex(text[2:])

    async def storage(self, address: bytes, slot: int, block: int | None = None) -> bytes:
        """Return one storage word."""
        where = ("0x" + address.hex(), hex(slot), _at(block))
        text = await self._anvil.rpc.call("eth_getStorageAt", *where)
        return bytes.fromhex(text[2:]).rjust(32, b"\0")

    async def simulate(
        self, message: Message, block: int | None = None, code: bytes | None = None
    ) -> Execution:
        """Run a message without effect, after a block; `code` stands in for that of the callee.

        Raises `Underfunded`.
        """
        options: dict[str, Any] = dict(_TRACE)
        if code is not None:
            options["stateOverrides"] = {"0x" + message.to.hex(): {"code": "0x" + code.hex()}}
        try:
            frame = await self._anvil.rpc.call(
                "debug_traceCall", message.request(), _at(block), options
            )
        except RpcFault as fault:
            if "nsufficient funds" in fault.words:
                raise Underfunded from fault
            raise
        execution = _execution(
            message,
            error=frame.get("error"),
            output=frame.get("output", "0x"),
            gas_used=int(frame["gasUsed"], 16),
        )
        return replace(execution, logs=tuple(_sorted_logs(frame)))

    async def mine(self, messages: Sequence[Message], timestamp: int) -> list[Execution | None]:
        """Mine one block (timestamp in seconds) of these messages, in their order.

        None stands for a message that the engine did not take.
        """
        rpc = self._anvil.rpc
        sent = await rpc.settle(
            [("eth_sendTransaction", [one]) for one in await self._numbered(messages)]
        )
        await rpc.call("evm_mine", hex(timestamp))
        if not messages:
            return []
        receipts, traces = await rpc.batch(
            [("eth_getBlockReceipts", ["latest"]), ("trace_block", ["latest"])]
        )
        mined = {one["transactionHash"]: one for one in receipts}
        frames: dict[str, list[dict[str, Any]]] = {}
        for frame in traces:
            frames.setdefault(frame["transactionHash"], []).append(frame)
        return [
            _mined(message, mined[one], frames[one]) if one in mined else None
            for message, one in zip(messages, sent, strict=True)
        ]

    async def _numbered(self, messages: Sequence[Message]) -> list[dict[str, str]]:
        """Return the requests with nonces: Anvil would give some the same one in a batch."""
        senders = list({one.sender for one in messages})
        counts = await self._anvil.rpc.batch(
            [("eth_getTransactionCount", [f"0x{one.hex()}", "latest"]) for one in senders]
        )
        nonces = {one: int(count, 16) for one, count in zip(senders, counts, strict=True)}
        requests = []
        for one in messages:
            requests.append({**one.request(), "nonce": hex(nonces[one.sender])})
            nonces[one.sender] += 1
        return requests

    async def roll_back(self, blocks: int) -> None:
        """Undo the last blocks with all their state."""
        await self._anvil.rpc.call("anvil_rollback", blocks)


def _at(block: int | None) -> str:
    return "latest" if block is None else hex(block)


def _mined(message: Message, receipt: dict[str, Any], frames: list[dict[str, Any]]) -> Execution:
    root, inner = frames[0], frames[1:]
    execution = _execution(
        message,
        error=root.get("error"),
        output=(root.get("result") or {}).get("output", "0x"),
        gas_used=int(receipt["gasUsed"], 16),
    )
    return replace(
        execution,
        logs=tuple(_log(one) for one in receipt["logs"]),
        internal=tuple(_internal(one) for one in inner if _is_internal(one))
        if execution.succeeded
        else (),
        position=int(receipt["transactionIndex"], 16),
    )


def _execution(message: Message, *, error: str | None, output: str, gas_used: int) -> Execution:
    result, words = _verdict(error, message.energy)
    return Execution(
        result=result,
        energy=min(message.energy, max(0, gas_used - message.intrinsic)),
        output=bytes.fromhex(output[2:]) if result in ("SUCCESS", "REVERT") else b"",
        words=words,
    )


def _verdict(error: str | None, limit: int) -> tuple[str, str]:
    """Return the TVM's result and words for the EVM's error; it does not say which opcode."""
    match error:
        case None:
            return "SUCCESS", ""
        case "execution reverted" | "Reverted":
            return "REVERT", "REVERT opcode executed"
        case text if "out of gas" in text.lower():
            used = f"curInvokeEnergyLimit[{limit}], curOpEnergy[3], usedEnergy[{limit}]"
            return "OUT_OF_ENERGY", f"Not enough energy for 'PUSH1' operation executing: {used}"
        case text if "jump" in text.lower():
            return "BAD_JUMP_DESTINATION", "Operation with pc isn't 'JUMPDEST'"
        case text if "stack underflow" in text.lower():
            return "STACK_TOO_SMALL", "Expected stack size is larger than actual"
        case text if "stack overflow" in text.lower():
            return "STACK_TOO_LARGE", "Expected stack size is smaller than actual"
        case _:
            return "ILLEGAL_OPERATION", "Invalid operation code: opCode[fe];"


def _log(raw: dict[str, Any]) -> Log:
    return Log(
        address=bytes.fromhex(raw["address"][2:]),
        topics=tuple(bytes.fromhex(one[2:]) for one in raw["topics"]),
        data=bytes.fromhex(raw["data"][2:]),
    )


def _sorted_logs(frame: dict[str, Any]) -> list[Log]:
    """Return the logs of a call trace in the order they were made; failed calls leave none."""
    found: list[tuple[int, Log]] = []
    frames = [frame]
    while frames:
        one = frames.pop()
        if "error" in one:
            continue
        found.extend((int(raw["index"], 16), _log(raw)) for raw in one.get("logs", ()))
        frames.extend(one.get("calls", ()))
    return [log for _, log in sorted(found, key=lambda pair: pair[0])]


def _is_internal(frame: dict[str, Any]) -> bool:
    """Tell whether the node lists this step: creations and plain calls that stood."""
    action = frame["action"]
    is_listed = "init" in action or action.get("callType") == "call"
    return is_listed and "error" not in frame


def _internal(frame: dict[str, Any]) -> InternalCall:
    action = frame["action"]
    creates = "init" in action
    to = frame["result"]["address"] if creates else action["to"]
    return InternalCall(
        sender=bytes.fromhex(action["from"][2:]),
        to=bytes.fromhex(to[2:]),
        value=int(action["value"], 16),
        note="create" if creates else "call",
    )
