"""A devnet whose blocks a test makes by hand, and the recordings asked on it again.

Recorded transactions are rewritten before they are sent: every key that signed is exchanged for
one whose secret the test has, addresses derived from them are derived again, the blockhash is a
fresh one, and signatures that were wrong on purpose are wrong again.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import aiohttp
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from relayer.devnet.solana import SolanaDevnet
from tests.devnet.solana.recorded import exchanges

TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
_SENT = ("sendTransaction", "simulateTransaction")


class Stage:
    """The devnet, a client for it, and what its test wants to do to it."""

    def __init__(self, net: SolanaDevnet, session: aiohttp.ClientSession) -> None:
        self.net = net
        self._session = session

    async def post(self, body: str | bytes, **options: Any) -> tuple[int, str]:
        """Send `body` as it is and return status and text."""
        headers = options.pop("headers", {"content-type": "application/json"})
        method = options.pop("method", "POST")
        url = self.net.url + options.pop("path", "")
        skip = ["content-type"]
        async with self._session.request(
            method, url, data=body, headers=headers, skip_auto_headers=skip
        ) as response:
            return response.status, await response.text()

    async def call(self, method: str, *params: Any) -> dict[str, Any]:
        """Return the whole answer to one call."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        _, text = await self.post(json.dumps(request))
        answer: dict[str, Any] = json.loads(text)
        return answer

    async def result(self, method: str, *params: Any) -> Any:
        """Return the result of one call that must not fail."""
        answer = await self.call(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    def build(
        self,
        instructions: Sequence[Instruction],
        signers: Sequence[Keypair],
        tables: Sequence[AddressLookupTableAccount] = (),
    ) -> VersionedTransaction:
        """Return a transaction on the newest blockhash; the first signer pays."""
        chain = self.net.node.chain
        blockhash = chain.hash_of(chain.height)
        payer = signers[0].pubkey()
        message = MessageV0.try_compile(payer, list(instructions), list(tables), blockhash)
        return VersionedTransaction(message, list(signers))

    @staticmethod
    def encode(transaction: VersionedTransaction) -> str:
        """Return `transaction` in base64."""
        return base64.b64encode(bytes(transaction)).decode()

    async def send(
        self, transaction: VersionedTransaction, *, skip_preflight: bool = False
    ) -> dict[str, Any]:
        """Return the answer to sending `transaction`, with preflight on the newest block."""
        text = self.encode(transaction)
        options = {"encoding": "base64", "preflightCommitment": "processed"}
        options_all: dict[str, Any] = {**options, "skipPreflight": skip_preflight}
        return await self.call("sendTransaction", text, options_all)

    async def land(self, instructions: Sequence[Instruction], *signers: Keypair) -> str:
        """Send, make a block, and return the signature of what must have succeeded."""
        answer = await self.send(self.build(instructions, signers))
        assert "result" in answer, answer
        self.blocks(1)
        statuses = await self.result("getSignatureStatuses", [answer["result"]])
        assert statuses["value"][0]["err"] is None
        return str(answer["result"])

    def blocks(self, count: int) -> None:
        """Make `count` blocks."""
        for _ in range(count):
            self.net.node.produce()

    def fund(self, *keys: Pubkey, lamports: int = 1_000 * 10**9) -> None:
        """Give lamports to `keys` and wait until that is final."""
        for key in keys:
            self.net.node.airdrop(key, lamports)
        self.blocks(1 + self.net.config.finalized_lag_slots)


def decoded(text: Any) -> VersionedTransaction | None:
    """Return the transaction in base64 `text`, None where it is none."""
    try:
        transaction = VersionedTransaction.from_bytes(base64.b64decode(text, validate=True))
    except (ValueError, TypeError):
        return None
    return transaction if transaction.signatures else None


def _recorded_transactions(cases: tuple[str, ...]) -> list[VersionedTransaction]:
    found = []
    for case in cases:
        for one in exchanges(case):
            request = one.get("request")
            if isinstance(request, dict) and request.get("method") in _SENT and request["params"]:
                transaction = decoded(request["params"][0])
                if transaction is not None:
                    found.append(transaction)
    return found


def _associated(owner: bytes, mint: bytes) -> bytes:
    seeds = [owner, bytes(TOKEN_2022), mint]
    return bytes(Pubkey.find_program_address(seeds, ASSOCIATED)[0])


@cache
def owned_key(recorded: Pubkey) -> Keypair:
    """Return the key that stands for one that signed in the recordings."""
    return Keypair.from_seed(hashlib.sha256(bytes(recorded)).digest())


class Rewriting:
    """The exchange of recorded keys, signatures and blockhashes for those of this run."""

    def __init__(self, cases: tuple[str, ...], mints: tuple[Pubkey, ...] = ()) -> None:
        """Learn which keys sign in the recordings of `cases`; `mints` never did but are theirs."""
        self._bytes: dict[bytes, bytes] = {}
        self._texts: dict[str, str] = {}
        self._sent: dict[str, str] = {}
        self.payers: list[Pubkey] = []
        transactions = _recorded_transactions(cases)
        for transaction in transactions:
            keys = list(transaction.message.account_keys)
            signers = keys[: transaction.message.header.num_required_signatures]
            for key in signers:
                self._map(bytes(key), bytes(owned_key(key).pubkey()))
            if signers[0] not in self.payers:
                self.payers.append(signers[0])
        for mint in mints:
            self._map(bytes(mint), bytes(owned_key(mint).pubkey()))
        every = {bytes(key) for one in transactions for key in one.message.account_keys}
        for owner in every:
            for known in [key for key in every if key in self._bytes]:
                self._map_associated(owner, known, every)

    def _map_associated(self, owner: bytes, mint: bytes, every: set[bytes]) -> None:
        recorded = _associated(owner, mint)
        if recorded in every:
            self._map(recorded, _associated(self._bytes.get(owner, owner), self._bytes[mint]))

    def _map(self, recorded: bytes, mine: bytes) -> None:
        self._bytes[recorded] = mine
        self._texts[str(Pubkey.from_bytes(recorded))] = str(Pubkey.from_bytes(mine))
        self._texts[base64.b64encode(recorded).decode()] = base64.b64encode(mine).decode()

    def key(self, recorded: Pubkey) -> Pubkey:
        """Return the key of this run."""
        return Pubkey.from_bytes(self._bytes.get(bytes(recorded), bytes(recorded)))

    def learn(self, recorded: str, mine: str) -> None:
        """Exchange the text `recorded` for `mine` from now on."""
        self._texts[recorded] = mine

    def value(self, value: Any) -> Any:
        """Return `value` with all known texts exchanged."""
        match value:
            case str():
                return self._texts.get(value, value)
            case list():
                return [self.value(one) for one in value]
            case dict():
                return {name: self.value(one) for name, one in value.items()}
            case _:
                return value

    def transaction(self, text: str, blockhash: Hash) -> str:
        """Return the recorded transaction signed anew; the same each time it is asked for."""
        if text not in self._sent:
            transaction = decoded(text)
            if transaction is None:
                return text
            self._sent[text] = self._signed_anew(transaction, base64.b64decode(text), blockhash)
        return self._sent[text]

    def message(self, text: str, blockhash: Hash) -> str:
        """Return the recorded message with the keys of this run and a fresh blockhash."""
        body = base64.b64decode(text)
        message = _message(body)
        return base64.b64encode(self._body(body, message, blockhash)).decode()

    def _body(self, body: bytes, message: Message | MessageV0, blockhash: Hash) -> bytes:
        for old, new in self._bytes.items():
            body = body.replace(old, new)
        old_hash = bytes(message.recent_blockhash)
        if old_hash[8:] == bytes(24):  # an unknown blockhash was made of a counter: it stays
            return body
        return body.replace(old_hash, bytes(blockhash))

    def _signed_anew(self, recorded: VersionedTransaction, raw: bytes, blockhash: Hash) -> str:
        body = self._body(to_bytes_versioned(recorded.message), recorded.message, blockhash)
        message = _message(body)
        keys = list(recorded.message.account_keys)
        right = recorded.verify_with_results()
        signatures = [
            _signature(old, owned_key(keys[at]).sign_message(body), right=right[at])
            for at, old in enumerate(recorded.signatures)
        ]
        mine = VersionedTransaction.populate(message, signatures)
        self.learn(str(recorded.signatures[0]), str(signatures[0]))
        tail = raw[len(bytes(recorded)) :]
        return base64.b64encode(bytes(mine) + tail).decode()


def _signature(recorded: Signature, mine: Signature, *, right: bool) -> Signature:
    if right:
        return mine
    if recorded == Signature.default():
        return recorded
    flipped = bytearray(bytes(mine))
    flipped[10] ^= 1
    return Signature.from_bytes(bytes(flipped))


def _message(body: bytes) -> Message | MessageV0:
    if body[0] & 0x80:
        return MessageV0.from_bytes(body[1:])
    return Message.from_bytes(body)
