"""What the node checks before a transaction enters its pool, in its own order and words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coincurve import PublicKey

from relayer.devnet.tron import addresses, messages
from relayer.devnet.tron.faultwords import Refused, invalid
from relayer.devnet.tron.rendering import txid

if TYPE_CHECKING:
    from relayer.devnet.tron.chain import Chain
    from relayer.devnet.tron.world import Prices, World

MAX_SIZE = 512_000
_DAY_MS = 86_400_000
_SIGNATURE = 65
_CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def check_form(transaction: Any, chain: Chain, slot_ms: int) -> Any:
    """Check all that does not need the EVM; returns the message inside. Raises `Refused`.

    `slot_ms` is the length of a slot in milliseconds.
    """
    raw = transaction.raw_data
    if not raw.contract:
        raise invalid("No contract!")
    if raw.expiration < chain.head.timestamp + slot_ms:
        raise _expired()
    inner = _inner(raw.contract[0])
    check_signature(transaction, getattr(inner, "owner_address", b""))
    if not chain.refers(raw.ref_block_bytes, raw.ref_block_hash):
        raise Refused("TAPOS_ERROR", "Tapos check error.")
    _check_size(transaction)
    if raw.expiration > chain.head.timestamp + _DAY_MS:
        raise _expired()
    identity = txid(transaction)
    if len(raw.contract) > 1:
        raise invalid(
            f"tx {identity.hex()} contract size should be exactly 1,"
            f" this is extend feature ,actual :{len(raw.contract)}"
        )
    if identity in chain.pool or chain.find(identity) is not None:
        raise duplicate()
    if inner is None:
        raise invalid("Contract type error, the devnet does not know it")
    return inner


def duplicate() -> Refused:
    """Return the refusal of a transaction that is in the pool or in a block."""
    return Refused("DUP_TRANSACTION_ERROR", "Dup transaction.")


def _expired() -> Refused:
    return Refused("TRANSACTION_EXPIRATION_ERROR", "Transaction expired")


def _inner(contract: Any) -> Any | None:
    try:
        return messages.unpack(contract)
    except messages.DecodeError as error:
        raise invalid("Protocol buffer parse error") from error


def _check_size(transaction: Any) -> None:
    size = transaction.ByteSize()
    if size > MAX_SIZE:
        raise Refused(
            "TOO_BIG_TRANSACTION_ERROR",
            f"Too big transaction with result, TxId {txid(transaction).hex()},"
            f" the size is {size} bytes, maxTxSize {MAX_SIZE}",
        )


def check_signature(transaction: Any, owner: bytes) -> None:
    """Check that the owner, and nobody else, signed; raises `Refused`."""
    signatures = list(transaction.signature)
    if not signatures:
        raise _bad_signature("miss sig or contract")
    if len(signatures) > 1:
        count = len(signatures)
        raise _bad_signature(f"Signature count is {count} more than key counts of permission : 1")
    signer = recover(signatures[0], txid(transaction))
    if signer != owner:
        raise _bad_signature(
            f"{signatures[0].hex()} is signed by {addresses.to_visible(signer)}"
            " but it is not contained of permission."
        )


def _bad_signature(words: str) -> Refused:
    return Refused("SIGERROR", f"Validate signature error: {words}")


def recover(signature: bytes, identity: bytes) -> bytes:
    """Return the address that signed a transaction id; v is 0/1 or 27/28. Raises `Refused`."""
    if len(signature) < _SIGNATURE:
        raise _bad_signature(f"Signature size is {len(signature)}")
    v = signature[64] if signature[64] < 27 else signature[64] - 27
    r, s = (int.from_bytes(signature[at : at + 32], "big") for at in (0, 32))
    if v > 1 or not (0 < r < _CURVE_ORDER and 0 < s < _CURVE_ORDER):
        raise _bad_signature("java.lang.IllegalArgumentException: Invalid point compression")
    try:
        key = PublicKey.from_signature_and_message(
            signature[:64] + bytes([v]), identity, hasher=None
        )
    except ValueError as error:
        words = "java.lang.IllegalArgumentException: Invalid point compression"
        raise _bad_signature(words) from error
    return addresses.of_public_key(key)


def check_contract(kind: str, inner: Any, raw: Any, world: World, prices: Prices) -> None:
    """Check what the contract types demand of world and fields (balances aside)."""
    owner = inner.owner_address
    if not addresses.is_address(owner):
        raise invalid("Invalid ownerAddress!")
    if owner not in world.accounts:
        raise invalid(f"account [{addresses.to_visible(owner)}] does not exist")
    match kind:
        case "TransferContract":
            _check_transfer(inner, world)
        case "TriggerSmartContract":
            _check_fee_limit(raw, prices)
            _check_trigger(inner, world)
        case "CreateSmartContract":
            _check_fee_limit(raw, prices)
        case _:
            raise invalid(f"{kind} is not part of the devnet")


def _check_transfer(inner: Any, world: World) -> None:
    if not addresses.is_address(inner.to_address):
        raise invalid("Invalid toAddress!")
    if inner.to_address == inner.owner_address:
        raise invalid("Cannot transfer TRX to yourself.")
    if inner.amount <= 0:
        raise invalid("Amount must be greater than 0.")
    if inner.to_address in world.contracts:
        raise invalid("Cannot transfer TRX to a smartContract.")


def _check_fee_limit(raw: Any, prices: Prices) -> None:
    if not 0 <= raw.fee_limit <= prices.max_fee_limit:
        raise invalid(f"feeLimit must be >= 0 and <= {prices.max_fee_limit}")


def _check_trigger(inner: Any, world: World) -> None:
    if inner.contract_address not in world.contracts:
        raise invalid("No contract or not a smart contract")
    if inner.call_value < 0:
        raise invalid("callValue must be >= 0")
