"""A devnet on which the recorded requests can be asked again: same contracts, same transactions.

Blocks are made only by `step`, so that what is in the pool is known. Recorded addresses, ids and
heights are replaced by the devnet's own wherever they stand in a request.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from coincurve import PrivateKey

from relayer.devnet.tron import TronDevnet, addresses, messages
from relayer.devnet.tron.rendering import render_transaction, txid
from tests.devnet.tron.recorded import Exchange, exchanges

OWNER = "22edcae25297cdcfdc624f3e46cee73c8c716ed4"
SECOND = "d677fa6bd36cd13b966796480c6ca68cb4e59dc8"
POOR_IN_TOKENS = "b2dbadfd4595326d1b1cebc29f017cd086f1df8d"
FRESH = "03af509c26889d5773a55dcb2592244fc9865eff"
ABSENT = "5cee36d5cdf53a3da9d683a8da483102987244f5"
_MINUTE = 60_000


@dataclass(slots=True)
class Answer:
    """What the devnet said."""

    status: int
    body: Any


@dataclass(slots=True, repr=False)
class Stage:
    """A running devnet and what stands for what of the recording."""

    net: TronDevnet
    session: aiohttp.ClientSession
    known: dict[str, str] = field(default_factory=dict)
    keys: dict[bytes, PrivateKey] = field(default_factory=dict)

    @property
    def owner(self) -> bytes:
        """The account that sends most."""
        return bytes.fromhex("41" + self.known[OWNER])

    def transfer(self, amount: int, sender: str = OWNER) -> Any:
        """Return a signed transfer of TRX (amount in sun) to the second account."""
        inner = messages.new(
            "TransferContract",
            owner_address=bytes.fromhex("41" + self.known[sender]),
            to_address=bytes.fromhex("41" + self.known[SECOND]),
            amount=amount,
        )
        packed = [messages.pack("TransferContract", inner)]
        raw = messages.new("Raw", contract=packed, timestamp=self.net.node.chain.head.timestamp)
        transaction = messages.new("Transaction", raw_data=raw)
        return self.adapted(transaction.SerializeToString().hex())

    async def broadcast(self, transaction: Any, **changes: Any) -> Any:
        """Broadcast the JSON form with some of its fields changed."""
        body = render_transaction(transaction, visible=False) | {"visible": False} | changes
        return await self.post("/wallet/broadcasttransaction", **body)

    async def step(self, count: int = 1) -> None:
        """Make blocks."""
        node = self.net.node
        for _ in range(count):
            before = node.chain.head.number
            while node.chain.head.number == before:
                await asyncio.sleep(node.slot_ms / 1000)
                await node.produce()

    def learn(self, recorded: str, ours: str) -> None:
        """Let `ours` (hex) stand for `recorded`; addresses of 20 bytes in base58 as well."""
        self.known[recorded] = ours
        if len(recorded) == 40:
            pair = (bytes.fromhex("41" + one) for one in (recorded, ours))
            visible = [addresses.to_visible(one) for one in pair]
            self.known[visible[0]] = visible[1]

    def translated(self, value: Any) -> Any:
        """Return a recorded value with the devnet's addresses and ids in it."""
        text = json.dumps(value)
        for recorded, ours in self.known.items():
            text = text.replace(recorded, ours).replace(recorded.upper(), ours.upper())
        return json.loads(text)

    async def ask(self, one: Exchange, request: Any = None) -> Answer:
        """Ask a recorded question (or another one on its path) again."""
        body = self.translated(one.request) if request is None else request
        is_solid = one.port in (8091, 8555)
        url = (self.net.solidity_url if is_solid else self.net.full_url) + one.path
        if one.method == "GET":
            return await self._get(url, body)
        raw = body.get("raw_body") if isinstance(body, dict) and "raw_body" in body else None
        data = raw if raw is not None else json.dumps(body)
        async with self.session.request(one.method, url, data=data) as response:
            return await _answer(response)

    async def _get(self, url: str, body: Any) -> Answer:
        parameters = {key: str(value) for key, value in (body or {}).items()}
        async with self.session.get(url, params=parameters) as response:
            return await _answer(response)

    async def post(self, path: str, **body: Any) -> Any:
        """Ask the full node (or, by its path, the solid one)."""
        is_solid = path.startswith("/walletsolidity")
        base = self.net.solidity_url if is_solid else self.net.full_url
        async with self.session.post(base + path, json=body) as response:
            return (await _answer(response)).body

    def adapted(self, recorded: str, *, expiration: int | None = None) -> Any:
        """Return a recorded transaction (hex) for this chain: referring to it, signed anew."""
        transaction = messages.parse("Transaction", bytes.fromhex(self.translated(recorded)))
        solid, head = self.net.node.chain.solid, self.net.node.chain.head
        raw = transaction.raw_data
        raw.ref_block_bytes, raw.ref_block_hash = solid.id[6:8], solid.id[8:16]
        raw.expiration = head.timestamp + _MINUTE if expiration is None else expiration
        return self.signed(transaction)

    def signed(self, transaction: Any, key: PrivateKey | None = None) -> Any:
        """Sign with the key of the transaction's owner, or another one."""
        del transaction.signature[:]
        if key is None:
            contracts = transaction.raw_data.contract
            owner = messages.unpack(contracts[0]).owner_address if contracts else self.owner
            key = self.keys[owner]
        transaction.signature.append(key.sign_recoverable(txid(transaction), hasher=None))
        return transaction

    async def broadcast_hex(self, transaction: Any) -> Any:
        """Broadcast the protobuf form."""
        text = transaction.SerializeToString().hex()
        return await self.post("/wallet/broadcasthex", transaction=text)

    async def resend(self, one: Exchange) -> str:
        """Broadcast a recorded transaction, made fit; returns its id, which is learnt."""
        transaction = self.adapted(one.request["transaction"])
        answer = await self.broadcast_hex(transaction)
        assert answer["result"] is True, answer
        self.learn(one.answer["txid"], answer["txid"])
        return str(answer["txid"])


async def _answer(response: aiohttp.ClientResponse) -> Answer:
    text = await response.text()
    is_json = "json" in response.headers.get("Content-Type", "")
    return Answer(response.status, json.loads(text) if is_json else text)


async def set_up(stage: Stage) -> None:
    """Bring the chain to where the recordings were made."""
    for recorded, key in zip((OWNER, SECOND, POOR_IN_TOKENS), stage.net.keys, strict=False):
        _learn_key(stage, recorded, key)
    for recorded in (FRESH, ABSENT):
        _learn_key(stage, recorded, hashlib.sha256(recorded.encode()).digest())
    await stage.step(4)
    await _deploy(stage)
    await _send_outcomes(stage)
    await _send_others(stage)
    await stage.step(4)


def _learn_key(stage: Stage, recorded: str, key: bytes) -> None:
    address = addresses.of_private_key(key)
    stage.keys[address] = PrivateKey(key)
    stage.learn(recorded, address[1:].hex())


async def _deploy(stage: Stage) -> None:
    """Deploy the recorded contracts; each is learnt before the next, which may name it."""
    for one in exchanges("deploy_flow"):
        if not one.path.endswith("/deploycontract"):
            continue
        raw = messages.parse("Raw", bytes.fromhex(stage.translated(one.answer["raw_data_hex"])))
        wrapped = messages.new("Transaction", raw_data=raw).SerializeToString().hex()
        transaction = stage.adapted(wrapped)
        answer = await stage.broadcast_hex(transaction)
        assert answer["result"] is True, answer
        await stage.step()
        info = await stage.post("/wallet/gettransactioninfobyid", value=answer["txid"])
        assert info["receipt"]["result"] == "SUCCESS", info
        stage.learn(one.answer["txID"], answer["txid"])
        stage.learn(one.answer["contract_address"][2:], info["contract_address"][2:])


async def _send_outcomes(stage: Stage) -> None:
    """Send the transactions of all outcomes into one block."""
    for one in exchanges("tx_outcomes"):
        if one.path.endswith("/broadcasthex"):
            await stage.resend(one)
    await stage.step()
    block = stage.net.node.chain.head
    stage.learn("000000000000005618370e368944d0a2a12e92e60d401730666124d8b22c27fd", block.id.hex())


async def _send_others(stage: Stage) -> None:
    """Send the transfer of the life cycle, and two calls of which one calls on."""
    lifecycle = exchanges("tx_lifecycle_transfer")
    built = lifecycle[0].answer
    raw = messages.parse("Raw", bytes.fromhex(stage.translated(built["raw_data_hex"])))
    wrapped = messages.new("Transaction", raw_data=raw).SerializeToString().hex()
    answer = await stage.broadcast_hex(stage.adapted(wrapped))
    stage.learn(built["txID"], answer["txid"])
    await stage.step()
    stage.learn(lifecycle_block(), stage.net.node.chain.head.id.hex())
    for one in exchanges("eip712_vault"):
        if one.note in ("approve vault", "lock"):
            await stage.resend(one)
            await stage.step()


def lifecycle_block() -> str:
    """Return the recorded id of the block with the transfer."""
    return "000000000000003070acc212d6e4a3a330605a7eee845aacf6bc90755755cafe"
