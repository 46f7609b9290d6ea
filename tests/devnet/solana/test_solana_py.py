"""The unmodified client library works against the devnet, well beyond what a relayer calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Finalized, Processed
from solana.rpc.core import RPCException
from solana.rpc.models import MemcmpOpts, TokenAccountOpts, TxOpts
from solana.rpc.websocket_api import connect
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.rpc.config import RpcTransactionLogsFilterMentions
from solders.rpc.responses import (
    AccountNotification,
    LogsNotification,
    RootNotification,
    SignatureNotification,
    SlotNotification,
    SubscriptionResult,
)
from solders.transaction import VersionedTransaction

from relayer.devnet.solana import SolanaDevnet, SolanaDevnetConfig
from tests.devnet.solana.instructions import (
    MINT_BYTES,
    ata,
    create_ata,
    create_plain_mint,
    memo,
    mint_to,
    pay,
)
from tests.devnet.solana.stage import TOKEN_2022

CONFIRMED = TxOpts(preflight_commitment=Confirmed)


@pytest_asyncio.fixture
async def net() -> AsyncIterator[SolanaDevnet]:
    """A devnet whose clock runs, quickly."""
    async with SolanaDevnet(SolanaDevnetConfig(slot_seconds=0.02)) as running:
        yield running


@pytest_asyncio.fixture
async def client(net: SolanaDevnet) -> AsyncIterator[AsyncClient]:
    """The library's client at confirmed."""
    async with AsyncClient(net.url, commitment=Confirmed) as connected:
        yield connected


@pytest_asyncio.fixture
async def payer(client: AsyncClient) -> Keypair:
    """A wallet funded through the library."""
    key = Keypair()
    airdrop = await client.request_airdrop(key.pubkey(), 10 * 10**9)
    await client.confirm_transaction(airdrop.value, Finalized, sleep_seconds=0.02)
    return key


async def signed(client: AsyncClient, steps: list[Any], *signers: Keypair) -> VersionedTransaction:
    """Return a transaction on a confirmed blockhash; the first signer pays."""
    latest = await client.get_latest_blockhash()
    blockhash = latest.value.blockhash
    message = MessageV0.try_compile(signers[0].pubkey(), steps, [], blockhash)
    return VersionedTransaction(message, list(signers))


async def sent(client: AsyncClient, steps: list[Any], *signers: Keypair) -> Any:
    """Send, wait for finalized, and return the signature."""
    answer = await client.send_transaction(await signed(client, steps, *signers), CONFIRMED)
    done = await client.confirm_transaction(answer.value, Finalized, sleep_seconds=0.02)
    assert done.value[0] is not None
    assert done.value[0].err is None
    return answer.value


async def test_the_library_reads_the_cluster(client: AsyncClient) -> None:
    """Every call about the cluster parses into the library's own types."""
    assert await client.is_connected()
    calls = (
        client.get_version,
        client.get_genesis_hash,
        client.get_identity,
        client.get_epoch_info,
        client.get_epoch_schedule,
        client.get_cluster_nodes,
        client.get_first_available_block,
        client.get_minimum_ledger_slot,
        client.get_slot,
        client.get_block_height,
        client.get_transaction_count,
        client.get_supply,
        client.get_vote_accounts,
        client.get_inflation_governor,
        client.get_inflation_rate,
        client.get_slot_leader,
        client.get_leader_schedule,
        client.get_largest_accounts,
        client.get_recent_performance_samples,
    )

    answers = [await call() for call in calls]

    assert [type(one).__name__ for one in answers if not type(one).__name__.endswith("Resp")] == []


async def test_the_library_sends_waits_and_reads_back(client: AsyncClient, payer: Keypair) -> None:
    """A transfer with a memo, in all encodings, by signature, by address and in its block."""
    target = Keypair().pubkey()
    steps = [pay(payer.pubkey(), target, 5 * 10**6), memo("hello", payer.pubkey())]

    signature = await sent(client, steps, payer)

    assert (await client.get_balance(target)).value == 5 * 10**6
    slots = set()
    for encoding in ("json", "jsonParsed", "base64", "base58"):
        read = await client.get_transaction(
            signature, encoding, max_supported_transaction_version=0
        )
        assert read.value is not None
        slots.add(read.value.slot)
    found = await client.get_signatures_for_address(target, limit=5)
    assert [(one.signature, one.memo) for one in found.value] == [(signature, "[5] hello")]
    (slot,) = slots
    for encoding in ("json", "jsonParsed", "base64"):
        block = await client.get_block(slot, encoding, max_supported_transaction_version=0)
        assert block.value is not None
    assert slot in (await client.get_blocks(slot, slot + 3)).value
    assert (await client.get_block_time(slot)).value == found.value[0].block_time


async def test_the_library_reads_tokens(client: AsyncClient, payer: Keypair) -> None:
    """Mint, supply, balances, holders and program accounts in both forms."""
    mint, who = Keypair(), payer.pubkey()
    rent = (await client.get_minimum_balance_for_rent_exemption(MINT_BYTES)).value
    holder = ata(who, mint.pubkey())
    steps = [
        *create_plain_mint(who, mint.pubkey(), rent, who, decimals=8),
        create_ata(who, who, mint.pubkey()),
        mint_to(mint.pubkey(), holder, 42, who),
    ]
    await sent(client, steps, payer, mint)

    assert (await client.get_token_supply(mint.pubkey())).value.amount == "42"
    assert (await client.get_token_account_balance(holder)).value.ui_amount_string == "0.00000042"
    opts = TokenAccountOpts(mint=mint.pubkey())
    owned = await client.get_token_accounts_by_owner_json_parsed(who, opts)
    assert [one.pubkey for one in owned.value] == [holder]
    largest = await client.get_token_largest_accounts(mint.pubkey())
    assert [one.address for one in largest.value] == [holder]
    rules = [MemcmpOpts(offset=0, bytes=str(mint.pubkey()))]
    found = await client.get_program_accounts(TOKEN_2022, encoding="base64", filters=rules)
    assert [one.pubkey for one in found.value] == [holder]
    pair = await client.get_multiple_accounts([mint.pubkey(), Keypair().pubkey()])
    assert [one and one.owner for one in pair.value] == [TOKEN_2022, None]
    parsed = await client.get_account_info_json_parsed(mint.pubkey())
    assert parsed.value is not None


async def test_a_refused_transaction_raises_with_the_typed_answer(
    client: AsyncClient, payer: Keypair
) -> None:
    """The exception carries the node's logs and error, as with the real node."""
    broke = await signed(client, [pay(payer.pubkey(), Keypair().pubkey(), 10**17)], payer)

    with pytest.raises(RPCException) as caught:
        await client.send_transaction(broke, CONFIRMED)

    answer = caught.value.args[0]
    assert type(answer).__name__ == "SendTransactionPreflightFailureMessage"
    assert "insufficient lamports" in answer.data.logs[1]
    skipped = await client.send_transaction(
        await signed(client, [pay(payer.pubkey(), Keypair().pubkey(), 10**18)], payer),
        TxOpts(skip_preflight=True),
    )
    done = await client.confirm_transaction(skipped.value, Confirmed, sleep_seconds=0.02)
    assert done.value[0] is not None
    assert done.value[0].err is not None


async def test_the_library_simulates_and_prices(client: AsyncClient, payer: Keypair) -> None:
    """Simulation, fees and priority fees parse."""
    transaction = await signed(client, [memo("x", payer.pubkey())], payer)
    assert isinstance(transaction.message, MessageV0)

    simulated = await client.simulate_transaction(transaction, sig_verify=True)
    fee = await client.get_fee_for_message(transaction.message)

    assert simulated.value.err is None
    assert simulated.value.units_consumed
    assert fee.value == 5000
    await client.get_recent_prioritization_fees([payer.pubkey()])


async def _next_of(socket: Any, kinds: dict[type, int]) -> dict[type, list[Any]]:
    found: dict[type, list[Any]] = {kind: [] for kind in kinds}
    async with asyncio.timeout(10):
        while any(len(found[kind]) < count for kind, count in kinds.items()):
            for message in await socket.recv():
                if type(message) in found:
                    found[type(message)].append(message)
    return found


async def test_the_library_subscribes(
    net: SolanaDevnet, client: AsyncClient, payer: Keypair
) -> None:
    """Slots, roots, logs, a signature and an account arrive as the library's notifications."""
    transaction = await signed(client, [memo("watched", payer.pubkey())], payer)
    async with connect(net.ws_url) as socket:
        await socket.slot_subscribe()
        await socket.root_subscribe()
        await socket.logs_subscribe(RpcTransactionLogsFilterMentions(payer.pubkey()), Confirmed)
        await socket.signature_subscribe(transaction.signatures[0], Finalized)
        await socket.account_subscribe(payer.pubkey(), Processed)
        await _next_of(socket, {SubscriptionResult: 5})

        await client.send_transaction(transaction, CONFIRMED)
        kinds = dict.fromkeys(
            (SlotNotification, RootNotification, LogsNotification, SignatureNotification), 1
        )
        found = await _next_of(socket, {**kinds, AccountNotification: 1})

    logs = found[LogsNotification][0].result.value
    assert logs.signature == transaction.signatures[0]
    assert any("watched" in line for line in logs.logs)
    assert found[SignatureNotification][0].result.value.err is None


async def test_blocks_go_on_by_themselves_at_their_pace(net: SolanaDevnet) -> None:
    """Slots advance with time, and no slot has two blocks."""
    before = net.node.chain.height
    await asyncio.sleep(0.5)
    made = net.node.chain.height - before

    assert 10 <= made <= 26
    slots = net.node.chain.slots_between(0, 10**9)
    assert len(slots) == len(set(slots)) == net.node.chain.height + 1


def test_two_devnets_are_two_chains() -> None:
    """Without a given genesis, no two have the same genesis hash; with one, they have."""
    first, second = (SolanaDevnet(SolanaDevnetConfig()) for _ in range(2))
    fixed = [SolanaDevnet(SolanaDevnetConfig(genesis=bytes(range(32)))) for _ in range(2)]

    assert first.genesis_hash != second.genesis_hash
    assert fixed[0].genesis_hash == fixed[1].genesis_hash
    assert Pubkey.from_string(first.genesis_hash) != Pubkey.default()
