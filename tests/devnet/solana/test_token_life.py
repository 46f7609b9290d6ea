"""Tokens as the bridge uses them: quorum mints, memo burns, receipts, and final views of it all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from relayer.devnet.solana import SolanaDevnetConfig
from tests.devnet.solana.conftest import ChainTime
from tests.devnet.solana.instructions import (
    MULTISIG_BYTES,
    ata,
    burn,
    create_ata,
    create_multisig,
    create_plain_mint,
    create_xstock,
    freeze,
    give_authority,
    memo,
    mint_to,
    name_xstock,
    set_multiplier,
    xstock_bytes,
)
from tests.devnet.solana.stage import Stage

PARSED: dict[str, Any] = {
    "commitment": "processed",
    "encoding": "jsonParsed",
}


@dataclass(frozen=True, kw_only=True)
class Bridge:
    """An xStock whose mint authority is a 2-of-3 multisig, a receipt mint, and a holder."""

    admin: Keypair
    user: Keypair
    attesters: tuple[Keypair, Keypair, Keypair]
    quorum: Pubkey
    mint: Pubkey
    receipts: Pubkey

    @property
    def account(self) -> Pubkey:
        """The user's token account."""
        return ata(self.user.pubkey(), self.mint)

    def delivery(self, transfer: str, amount: int) -> list[Instruction]:
        """Freeze the receipt of `transfer` and mint to the user, in one transaction."""
        ident = Pubkey.from_bytes(hashlib.sha256(transfer.encode()).digest())
        payer, two = self.admin.pubkey(), [key.pubkey() for key in self.attesters[:2]]
        return [
            create_ata(payer, ident, self.receipts),
            freeze(ata(ident, self.receipts), self.receipts, self.quorum, two),
            create_ata(payer, self.user.pubkey(), self.mint),
            mint_to(self.mint, self.account, amount, self.quorum, two),
        ]

    @property
    def signers(self) -> tuple[Keypair, ...]:
        """The payer and two attesters."""
        return (self.admin, *self.attesters[:2])


@pytest.fixture
def config() -> SolanaDevnetConfig:
    """The settings that the local world runs with."""
    return SolanaDevnetConfig()


@pytest_asyncio.fixture
async def bridge(stage: Stage) -> Bridge:
    """Set everything up, final."""
    admin, user, mint, receipts, quorum = (Keypair() for _ in range(5))
    attesters = (Keypair(), Keypair(), Keypair())
    stage.fund(admin.pubkey(), user.pubkey())
    rent = stage.net.node.bank.minimum_balance
    who = admin.pubkey()
    members = [key.pubkey() for key in attesters]
    steps = create_multisig(who, quorum.pubkey(), rent(MULTISIG_BYTES), 2, members)
    await stage.land(steps, admin, quorum)
    size = xstock_bytes()[1]
    await stage.land(create_xstock(who, mint.pubkey(), rent(size), who), admin, mint)
    await stage.land([name_xstock(mint.pubkey(), who)], admin)
    await stage.land(create_plain_mint(who, receipts.pubkey(), rent(82), who), admin, receipts)
    await stage.land(
        [
            give_authority(mint.pubkey(), 0, who, quorum.pubkey()),
            give_authority(receipts.pubkey(), 0, who, quorum.pubkey()),
            give_authority(receipts.pubkey(), 1, who, quorum.pubkey()),
        ],
        admin,
    )
    stage.blocks(4)
    return Bridge(
        admin=admin,
        user=user,
        attesters=attesters,
        quorum=quorum.pubkey(),
        mint=mint.pubkey(),
        receipts=receipts.pubkey(),
    )


async def test_an_xstock_has_all_extensions_of_the_real_one(stage: Stage, bridge: Bridge) -> None:
    """The mint reads back with the eight extensions of the real mints, in parsed form."""
    answer = await stage.result("getAccountInfo", str(bridge.mint), PARSED)

    info = answer["value"]["data"]["parsed"]["info"]
    assert [one["extension"] for one in info["extensions"]] == [
        "metadataPointer",
        "permanentDelegate",
        "defaultAccountState",
        "confidentialTransferMint",
        "scaledUiAmountConfig",
        "pausableConfig",
        "transferHook",
        "tokenMetadata",
    ]
    assert info["mintAuthority"] == str(bridge.quorum)


async def test_a_delivery_lands_once_and_its_replay_fails_whole(
    stage: Stage, bridge: Bridge
) -> None:
    """The frozen receipt stops the second mint, with preflight and without."""
    await stage.land(bridge.delivery("t1", 100), *bridge.signers)
    stage.blocks(1)

    refused = await stage.send(stage.build(bridge.delivery("t1", 100), bridge.signers))
    forced = stage.build(bridge.delivery("t1", 100), bridge.signers)
    await stage.send(forced, skip_preflight=True)
    stage.blocks(1)

    assert refused["error"]["data"]["err"] == {"InstructionError": [1, {"Custom": 13}]}
    statuses = await stage.result("getSignatureStatuses", [str(forced.signatures[0])])
    assert statuses["value"][0]["err"] == {"InstructionError": [1, {"Custom": 13}]}
    balance = await stage.result("getTokenAccountBalance", str(bridge.account), PARSED)
    assert balance["value"]["amount"] == "100"


async def test_one_attester_alone_mints_nothing(stage: Stage, bridge: Bridge) -> None:
    """A 2-of-3 multisig with one signature is refused."""
    one = bridge.attesters[0]
    steps = [
        create_ata(bridge.admin.pubkey(), bridge.user.pubkey(), bridge.mint),
        mint_to(bridge.mint, bridge.account, 1, bridge.quorum, [one.pubkey()]),
    ]

    answer = await stage.send(stage.build(steps, [bridge.admin, one]))

    assert answer["error"]["data"]["err"] == {"InstructionError": [1, "MissingRequiredSignature"]}


async def test_a_burn_with_memo_is_found_by_its_beacon(stage: Stage, bridge: Bridge) -> None:
    """The beacon finds the burn, which then reads in the multisig form, as on the real node."""
    await stage.land(bridge.delivery("t2", 500), *bridge.signers)
    beacon, user = Keypair().pubkey(), bridge.user.pubkey()
    steps = [burn(bridge.mint, bridge.account, 200, user, beacon), memo("xs1|somewhere", user)]

    signature = await stage.land(steps, bridge.user)
    stage.blocks(4)

    found = await stage.result("getSignaturesForAddress", str(beacon))
    assert [one["signature"] for one in found] == [signature]
    assert found[0]["memo"] == "[13] xs1|somewhere"
    options = {"encoding": "jsonParsed", "maxSupportedTransactionVersion": 0}
    read = await stage.result("getTransaction", signature, options)
    parsed = read["transaction"]["message"]["instructions"][0]["parsed"]
    assert parsed["type"] == "burnChecked"
    assert parsed["info"]["multisigAuthority"] == str(user)
    assert parsed["info"]["signers"] == [str(beacon)]
    before, after = read["meta"]["preTokenBalances"], read["meta"]["postTokenBalances"]
    assert [one["uiTokenAmount"]["amount"] for one in (*before, *after)] == ["500", "300"]
    assert before[0]["owner"] == str(user)


async def _final_books(stage: Stage, bridge: Bridge, beacon: Pubkey) -> tuple[int, int, int]:
    """Return slot, supply and number of burns of the final view, all for one slot."""
    supply = await stage.result("getTokenSupply", str(bridge.mint))
    slot = supply["context"]["slot"]
    burns = await stage.result("getSignaturesForAddress", str(beacon), {"minContextSlot": slot})
    good = [one for one in burns if one["err"] is None and one["slot"] <= slot]
    return slot, int(supply["value"]["amount"]), len(good)


async def test_final_supply_and_final_history_tell_of_the_same_slot(
    stage: Stage, bridge: Bridge
) -> None:
    """At every block, the supply at finalized is what the final burns explain, never newer."""
    await stage.land(bridge.delivery("t3", 1_000), *bridge.signers)
    stage.blocks(4)
    beacon, user = Keypair().pubkey(), bridge.user.pubkey()
    seen = []
    for number in range(12):
        step = burn(bridge.mint, bridge.account, 10 + number, user, beacon)
        if number % 3 != 2:
            await stage.land([step], bridge.user)
        else:
            stage.blocks(1)
        seen.append(await _final_books(stage, bridge, beacon))
    stage.blocks(4)
    seen.append(await _final_books(stage, bridge, beacon))

    burned = [10 + number for number in range(12) if number % 3 != 2]
    for _, supply, count in seen:
        assert supply == 1_000 - sum(burned[:count])
    assert seen[0][2] == 0
    assert seen[-1][2] == len(burned)
    newest = await stage.result("getTokenSupply", str(bridge.mint), {"commitment": "processed"})
    assert int(newest["value"]["amount"]) == seen[-1][1]


@pytest.mark.parametrize("commitment", ["processed", "confirmed", "finalized"])
async def test_accounts_are_read_as_of_the_slot_that_the_answer_names(
    stage: Stage, bridge: Bridge, commitment: str
) -> None:
    """Every way of reading an account sees the state of its commitment, not the newest."""
    await stage.land(bridge.delivery("t4", 50), *bridge.signers)
    stage.blocks(4)
    amounts = {"processed": 53, "confirmed": 52, "finalized": 50}
    two = [key.pubkey() for key in bridge.attesters[:2]]
    for _ in range(3):
        step = mint_to(bridge.mint, bridge.account, 1, bridge.quorum, two)
        await stage.land([step, memo(str(_), bridge.admin.pubkey())], *bridge.signers)
    wanted, key = str(amounts[commitment]), str(bridge.account)
    options = {"commitment": commitment, "encoding": "jsonParsed"}

    balance = await stage.result("getTokenAccountBalance", key, options)
    several = await stage.result("getMultipleAccounts", [key], options)
    rule = {"mint": str(bridge.mint)}
    owned = await stage.result("getTokenAccountsByOwner", str(bridge.user.pubkey()), rule, options)

    assert balance["value"]["amount"] == wanted
    account = several["value"][0]["data"]["parsed"]["info"]
    assert account["tokenAmount"]["amount"] == wanted
    holder = owned["value"][0]["account"]["data"]["parsed"]["info"]
    assert holder["tokenAmount"]["amount"] == wanted
    slots = {one["context"]["slot"] for one in (balance, several, owned)}
    assert slots == {await stage.result("getSlot", options)}


async def test_a_simulation_runs_on_the_state_of_its_commitment(
    stage: Stage, bridge: Bridge
) -> None:
    """A burn of what is only minted since fails at finalized and passes at processed."""
    await stage.land(bridge.delivery("t5", 10), *bridge.signers)
    stage.blocks(4)
    more = mint_to(
        bridge.mint, bridge.account, 5, bridge.quorum, [k.pubkey() for k in bridge.attesters[:2]]
    )
    await stage.land([more], *bridge.signers)
    text = _encoded(stage, [burn(bridge.mint, bridge.account, 15, bridge.user.pubkey())], bridge)
    errors = {}
    for commitment in ("processed", "finalized"):
        options = {"encoding": "base64", "commitment": commitment, "replaceRecentBlockhash": True}
        answer = await stage.result("simulateTransaction", text, options)
        errors[commitment] = answer["value"]["err"]

    assert errors == {"processed": None, "finalized": {"InstructionError": [0, {"Custom": 1}]}}
    newest = await stage.result("getTokenAccountBalance", str(bridge.account), PARSED)
    assert newest["value"]["amount"] == "15"


def _encoded(stage: Stage, steps: list[Instruction], bridge: Bridge) -> str:
    return stage.encode(stage.build(steps, [bridge.user]))


async def test_a_scheduled_multiplier_takes_effect_with_chain_time(
    stage: Stage, bridge: Bridge, chain_time: ChainTime
) -> None:
    """Raw amounts stay; the amount for people changes when the chain's clock gets there."""
    await stage.land(bridge.delivery("t6", 300_000_000), *bridge.signers)
    since = int(chain_time.now) + 100
    step = set_multiplier(bridge.mint, bridge.admin.pubkey(), 2.5, since)
    await stage.land([step], bridge.admin)
    before = await stage.result("getTokenSupply", str(bridge.mint), PARSED)

    chain_time.now = float(since)
    stage.blocks(1)

    after = await stage.result("getTokenSupply", str(bridge.mint), PARSED)
    assert (before["value"]["amount"], before["value"]["uiAmountString"]) == ("300000000", "3")
    assert (after["value"]["amount"], after["value"]["uiAmountString"]) == ("300000000", "7.5")
