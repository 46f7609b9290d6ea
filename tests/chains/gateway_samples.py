"""A gateway on paper, with deposits in and out, for tests that need no chain."""

from __future__ import annotations

from relayer.chains.gateway.place import GatewayPlace
from relayer.domain.address import (
    Account,
    ChainId,
    account_from_evm,
    account_from_tron,
)
from relayer.domain.amount import WAD, Shares
from relayer.domain.draft import Act, Attestation, Draft, payload_digest
from relayer.domain.transfer import (
    ActKind,
    Deposit,
    Location,
    Mode,
    TokenPlace,
    counted_id,
    located_id,
)
from relayer.signing.local import Secp256k1Signer

BNB = ChainId("eip155:56")
TRON = ChainId("tron:0x2b6653dc")
SOLANA = ChainId("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp")
GATEWAY = account_from_evm(b"\x0a" * 20)
TRON_GATEWAY = account_from_tron(b"\x0b" * 20)
SIGNERS = [Secp256k1Signer(bytes([31 + number]) * 32) for number in range(3)]
TERMS = {"deadline": "1800000000", "epoch": "3"}
TSLAX = TokenPlace(asset="TSLAx", token=account_from_evm(b"\x01" * 20), mode=Mode.BURN_MINT)
AAPLX = TokenPlace(asset="AAPLx", token=account_from_evm(b"\x02" * 20), mode=Mode.LOCK_RELEASE)

PLACE = GatewayPlace(
    chain=BNB,
    gateway=GATEWAY,
    tokens=(TSLAX, AAPLX),
    peers=(SOLANA, TRON),
    attesters=tuple(signer.public for signer in SIGNERS),
    quorum=2,
)


def from_solana(*, shares: int = WAD) -> Deposit:
    """A located deposit towards BNB."""
    return Deposit(
        id=located_id(SOLANA, b"\x07" * 64, 2, -1),
        source=SOLANA,
        destination=BNB,
        asset="TSLAx",
        shares=Shares(shares),
        sender=Account(b"\x08" * 32),
        refund_to=Account(b"\x08" * 32),
        recipient=account_from_evm(b"\x09" * 20),
        location=Location(tx="sig", index=2),
        height=10,
        time=1_700_000_000,
    )


def from_tron(*, nonce: int = 4) -> Deposit:
    """A counted deposit towards BNB."""
    return Deposit(
        id=counted_id(TRON, TRON_GATEWAY, BNB, nonce),
        source=TRON,
        destination=BNB,
        asset="AAPLx",
        shares=Shares(3 * WAD),
        sender=account_from_tron(b"\x08" * 20),
        refund_to=account_from_tron(b"\x08" * 20),
        recipient=account_from_evm(b"\x09" * 20),
        gateway=TRON_GATEWAY,
        nonce=nonce,
        location=Location(tx="ab" * 32, index=3),
        height=10,
        time=1_700_000_000,
    )


def from_here(*, nonce: int = 9) -> Deposit:
    """A deposit of the gateway itself, towards Solana."""
    return Deposit(
        id=counted_id(BNB, GATEWAY, SOLANA, nonce),
        source=BNB,
        destination=SOLANA,
        asset="TSLAx",
        shares=Shares(5 * WAD),
        sender=account_from_evm(b"\x0c" * 20),
        refund_to=account_from_evm(b"\x0d" * 20),
        recipient=Account(b"\x0e" * 32),
        gateway=GATEWAY,
        nonce=nonce,
        location=Location(tx="0x" + "cd" * 32, index=3),
        height=10,
        time=1_700_000_000,
    )


def unsigned(kind: ActKind, deposit: Deposit, payload: bytes) -> Act:
    """An act with a draft and no signatures."""
    digest = payload_digest(payload)
    draft = Draft(
        kind=kind, id=deposit.id, chain=BNB, terms=TERMS, digest=digest, dies_at=1_800_000_000
    )
    return Act(deposit=deposit, draft=draft, attestations=())


async def attestation(signer: Secp256k1Signer, deposit: Deposit, payload: bytes) -> Attestation:
    """A signature over a payload."""
    return Attestation(
        id=deposit.id,
        digest=payload_digest(payload),
        attester=signer.public,
        signature=await signer.sign(payload),
    )
