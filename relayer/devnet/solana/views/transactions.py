"""Transactions in answers: json, jsonParsed, base64, base58, and their meta."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solders.message import MessageV0

from relayer.devnet.solana.rpcerror import unsupported_version
from relayer.devnet.solana.views.amounts import token_amount
from relayer.devnet.solana.views.instructions import compiled_view, parsed_view
from relayer.devnet.solana.wire import base58

if TYPE_CHECKING:
    from relayer.devnet.solana.ledger import Landed
    from relayer.devnet.solana.outcome import Loaded, Outcome, TokenBalance
    from relayer.devnet.solana.wire import Envelope

ENCODINGS = ("json", "jsonParsed", "base64", "base58", "binary")
DETAILS = ("full", "accounts", "signatures", "none")
_ACCOUNTS_META = (
    "err",
    "fee",
    "postBalances",
    "postTokenBalances",
    "preBalances",
    "preTokenBalances",
    "status",
)
_PAGE_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How a caller wants transactions written; `version` is the highest that it reads."""

    encoding: str = "json"
    details: str = "full"
    version: int | None = None
    rewards: bool = True


def status_of(outcome: Outcome) -> dict[str, Any]:
    """Return the older form of the error: Ok or Err."""
    return {"Ok": None} if outcome.error is None else {"Err": outcome.error}


def balance_views(balances: list[TokenBalance]) -> list[dict[str, Any]]:
    """Return token balances; amounts there ignore the multiplier, as on the node."""
    return [
        {
            "accountIndex": one.index,
            "mint": str(one.mint),
            "owner": str(one.owner),
            "programId": str(one.program),
            "uiTokenAmount": token_amount(one.amount, one.decimals),
        }
        for one in balances
    ]


def loaded_addresses(loaded: Loaded) -> dict[str, Any]:
    """Return the accounts that came from lookup tables."""
    return {
        "readonly": [str(key) for key in loaded.from_tables_readonly],
        "writable": [str(key) for key in loaded.from_tables_writable],
    }


def inner_views(outcome: Outcome, *, parsed: bool) -> list[dict[str, Any]]:
    """Return the inner instructions, grouped by the outer one that made them."""
    keys = outcome.loaded.keys
    groups = []
    for index, inner in enumerate(outcome.inner):
        if not inner:
            continue
        views = []
        for one in inner:
            # solders declares stack_height as a function of the class; it is a method.
            compiled, depth = one.instruction(), one.stack_height()  # type: ignore[attr-defined]
            view = parsed_view if parsed else compiled_view
            views.append(view(compiled, keys, depth))
        groups.append({"index": index, "instructions": views})
    return groups


def cost_units(envelope: Envelope, outcome: Outcome) -> int:
    """Return the cost by which the node packs blocks: signatures, locks, data, units, memory."""
    signatures = 720 * int(envelope.message.header.num_required_signatures)
    locks = 300 * sum(outcome.loaded.writable)
    data = sum(len(bytes(one.data)) for one in envelope.instructions) // 4
    pages = -(-outcome.loaded_bytes // _PAGE_BYTES)
    return signatures + locks + data + outcome.units + 8 * pages


def meta_view(
    envelope: Envelope, outcome: Outcome, *, parsed: bool, rewards: bool = True
) -> dict[str, Any]:
    """Return `meta` of a landed transaction."""
    meta: dict[str, Any] = {
        "computeUnitsConsumed": outcome.units,
        "costUnits": cost_units(envelope, outcome),
        "err": outcome.error,
        "fee": outcome.fee,
        "innerInstructions": inner_views(outcome, parsed=parsed),
        "logMessages": outcome.logs,
        "postBalances": outcome.post_balances,
        "postTokenBalances": balance_views(outcome.post_tokens),
        "preBalances": outcome.pre_balances,
        "preTokenBalances": balance_views(outcome.pre_tokens),
        "rewards": [] if rewards else None,
        "status": status_of(outcome),
    }
    if not parsed:
        meta["loadedAddresses"] = loaded_addresses(outcome.loaded)
    if outcome.returned is not None:
        meta["returnData"] = returned_view(outcome)
    return meta


def returned_view(outcome: Outcome) -> Any:
    """Return what the last program returned, None where there is nothing."""
    if outcome.returned is None:
        return None
    program, data = outcome.returned
    return {"data": [base64.b64encode(data).decode(), "base64"], "programId": str(program)}


def key_views(envelope: Envelope, loaded: Loaded) -> list[dict[str, Any]]:
    """Return the accounts with what they may do and where they came from."""
    own = len(envelope.keys)
    called = {envelope.program(one) for one in envelope.instructions}
    return [
        {
            "pubkey": str(key),
            "signer": envelope.signer(index),
            "source": "transaction" if index < own else "lookupTable",
            "writable": loaded.writable[index] and key not in called,
        }
        for index, key in enumerate(loaded.keys)
    ]


def _lookups(message: MessageV0) -> list[dict[str, Any]]:
    return [
        {
            "accountKey": str(one.account_key),
            "readonlyIndexes": list(one.readonly_indexes),
            "writableIndexes": list(one.writable_indexes),
        }
        for one in message.address_table_lookups
    ]


def _message(envelope: Envelope, loaded: Loaded, *, parsed: bool) -> dict[str, Any]:
    message, view = envelope.message, parsed_view if parsed else compiled_view
    body: dict[str, Any] = {
        "instructions": [view(one, loaded.keys, 1) for one in envelope.instructions],
        "recentBlockhash": str(envelope.blockhash),
    }
    if parsed:
        body["accountKeys"] = key_views(envelope, loaded)
    else:
        header = message.header
        body["accountKeys"] = [str(key) for key in envelope.keys]
        body["header"] = {
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
            "numRequiredSignatures": header.num_required_signatures,
        }
    if isinstance(message, MessageV0):
        body["addressTableLookups"] = _lookups(message)
    return body


def _encoded(envelope: Envelope, loaded: Loaded, encoding: str) -> Any:
    match encoding:
        case "base64":
            return [base64.b64encode(envelope.raw).decode(), "base64"]
        case "base58":
            return [base58(envelope.raw), "base58"]
        case "binary":
            return base58(envelope.raw)
        case _:
            return {
                "message": _message(envelope, loaded, parsed=encoding == "jsonParsed"),
                "signatures": [str(one) for one in envelope.transaction.signatures],
            }


def _check_version(envelope: Envelope, wanted: Wanted) -> None:
    version = envelope.version
    if isinstance(version, int) and (wanted.version is None or wanted.version < version):
        raise unsupported_version(version)


def _accounts_entry(landed: Landed) -> dict[str, Any]:
    envelope, outcome = landed.envelope, landed.outcome
    meta = meta_view(envelope, outcome, parsed=True)
    return {
        "meta": {name: meta[name] for name in _ACCOUNTS_META},
        "transaction": {
            "accountKeys": key_views(envelope, outcome.loaded),
            "signatures": [str(one) for one in envelope.transaction.signatures],
        },
    }


def block_entry(landed: Landed, wanted: Wanted) -> dict[str, Any]:
    """Return a transaction as it stands in getBlock; raises -32015 for a version too new."""
    _check_version(landed.envelope, wanted)
    if wanted.details == "accounts":
        entry = _accounts_entry(landed)
    else:
        parsed = wanted.encoding == "jsonParsed"
        envelope, outcome = landed.envelope, landed.outcome
        meta = meta_view(envelope, outcome, parsed=parsed, rewards=wanted.rewards)
        entry = {
            "meta": meta,
            "transaction": _encoded(envelope, outcome.loaded, wanted.encoding),
        }
    if wanted.version is not None:
        entry["version"] = landed.envelope.version
    return entry


def transaction_view(landed: Landed, wanted: Wanted) -> dict[str, Any]:
    """Return the answer of getTransaction; raises -32015 for a version too new."""
    full = Wanted(encoding=wanted.encoding, version=wanted.version)
    entry = block_entry(landed, full)
    return {
        "blockTime": landed.time,
        **entry,
        "slot": landed.slot,
        "transactionIndex": landed.index,
    }
