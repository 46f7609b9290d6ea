"""Deposits to give back, operators' orders, and the public stream, for tests of refunds."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import aclosing

from relayer.bus.sqlite import SqliteBus
from relayer.domain.address import ChainId
from relayer.domain.amount import RAW_UNIT, Shares
from relayer.domain.authority import Role, Signed, to_sign
from relayer.domain.command import COMMAND, Command, Verb
from relayer.domain.reasons import Reason
from relayer.domain.records import (
    INBOX,
    TRANSFERS,
    TRANSFERS_TOPIC,
    RefundDue,
    TransferTold,
    inbox,
)
from relayer.domain.stage import Stage
from relayer.domain.transfer import Deposit, Location, TransferId
from relayer.ports.bus import Out
from relayer.signing.local import Ed25519Signer
from tests.domain.samples import BNB, SOLANA, deposit
from tests.services.bridge import OPERATOR, Bridge


def a_deposit(number: int = 1, **changes: object) -> Deposit:
    return deposit(
        id=TransferId(number.to_bytes(32, "big")),
        shares=Shares(5 * RAW_UNIT),
        location=Location(tx=f"tx{number}", index=0),
        **changes,
    )


def a_refused(bridge: Bridge, number: int = 1) -> Deposit:
    """A deposit whose delivery the destination refuses."""
    made = bridge.chains[BNB].deposit(a_deposit(number))
    bridge.chains[SOLANA].refused.add(made.id)
    return made


def a_garbage(bridge: Bridge) -> Deposit:
    """A deposit that names no destination."""
    return bridge.chains[BNB].deposit(a_deposit(destination=None, flaw=Reason.MEMO_MALFORMED))


async def signed_by(
    command: Command, signer: Ed25519Signer = OPERATOR, role: Role = Role.OPERATOR
) -> Signed:
    body = COMMAND.encode(command).decode()
    signature = await signer.sign(to_sign(role, body))
    return Signed(role=role, key=signer.public, body=body, signature=signature)


def a_command(made: Deposit, verb: Verb = Verb.REFUND, *, seconds: int = 600) -> Command:
    now = int(time.time())
    return Command(
        command=secrets.token_bytes(32),
        verb=verb,
        transfer=made.id,
        chain=made.destination or made.source,
        reason="tried",
        issued_at=now,
        expires_at=now + seconds,
    )


async def tell(bus: SqliteBus, chain: ChainId, record: Signed | RefundDue) -> None:
    value = INBOX.encode(record)
    await bus.publish([Out(topic=inbox(chain), partition=0, key="x", value=value)])


async def order(bus: SqliteBus, made: Deposit, verb: Verb = Verb.REFUND) -> None:
    command = a_command(made, verb)
    await tell(bus, command.chain, await signed_by(command))


class Stream:
    """The public stream, read along."""

    def __init__(self, bus: SqliteBus) -> None:
        self.told: list[TransferTold] = []
        self._task = asyncio.create_task(self._follow(bus))

    async def _follow(self, bus: SqliteBus) -> None:
        async with aclosing(bus.follow(TRANSFERS_TOPIC, None)) as records:
            async for record in records:
                self.told.append(TRANSFERS.decode(record.value or b""))

    def has(self, stage: Stage, reason: Reason | None = None) -> Callable[[], bool]:
        """Whether a stage was told, under a reason if one is named."""
        return lambda: any(
            t.stage is stage and (reason is None or t.reason is reason) for t in self.told
        )

    async def close(self) -> None:
        """Stop reading."""
        self._task.cancel()


def is_refunded(bridge: Bridge, made: Deposit) -> Callable[[], bool]:
    return lambda: made.id in bridge.chains[made.source].refunded


def is_whole(bridge: Bridge) -> bool:
    """Whether the shares of both chains are what they were at the start."""
    return sum(chain.supply for chain in bridge.chains.values()) == 2 * 10**24
