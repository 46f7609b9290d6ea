"""Methods that send, simulate or price transactions."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from solders.message import Message, MessageV0, from_bytes_versioned

from relayer.devnet.solana import txerror
from relayer.devnet.solana.lookup import LookupFailed, load_accounts
from relayer.devnet.solana.methods.method import Method, at_slot
from relayer.devnet.solana.outcome import Loaded, Outcome
from relayer.devnet.solana.params import Options, as_list, as_pubkey, wrong_type
from relayer.devnet.solana.rpcerror import RpcError, invalid_params
from relayer.devnet.solana.views.accounts import Encoding, render_account
from relayer.devnet.solana.views.transactions import (
    balance_views,
    inner_views,
    loaded_addresses,
    returned_view,
)
from relayer.devnet.solana.wire import Envelope, budget_of, decode_transaction, fee_of

if TYPE_CHECKING:
    from solders.account import Account
    from solders.pubkey import Pubkey

    from relayer.devnet.solana.node import Node
    from relayer.devnet.solana.params import Params

_NOTHING = Loaded(keys=(), writable=())
_FEE_BLOCKS = 150


def _envelope(params: Params, options: Options) -> Envelope:
    return decode_transaction(params.text(0), options.text("encoding") or "base58")


def _check_tables(node: Node, envelope: Envelope, height: int) -> None:
    slot = node.chain.slot_of(height)
    try:
        load_accounts(envelope, lambda key: node.bank.read(key, height), slot)
    except LookupFailed as failed:
        words = txerror.words(failed.error)
        raise invalid_params(f"invalid transaction: {words}") from failed


def _simulated(
    node: Node, envelope: Envelope, height: int, *, verify: bool, check_age: bool = True
) -> tuple[Outcome, dict[Pubkey, Account], bool]:
    """Return outcome, written accounts, and whether the transaction was looked at at all."""
    if verify and not envelope.signatures_hold():
        return Outcome(error="SignatureFailure", fee=None, loaded=_NOTHING), {}, False
    error = node.simulation_refusal(envelope, height) if check_age else None
    if error is None:
        return *node.simulate(envelope, height), True
    slot = node.chain.slot_of(height)
    loaded = load_accounts(envelope, lambda key: node.bank.read(key, height), slot)
    accounts = [node.bank.read(key, height) for key in loaded.keys]
    lamports = [one.lamports if one else 0 for one in accounts]
    outcome = Outcome(
        error=error, fee=None, loaded=loaded, pre_balances=lamports, post_balances=lamports
    )
    return outcome, {}, True


def _simulation_view(outcome: Outcome) -> dict[str, Any]:
    return {
        "accounts": None,
        "err": outcome.error,
        "fee": outcome.fee,
        "innerInstructions": None,
        "loadedAccountsDataSize": outcome.loaded_bytes,
        "loadedAddresses": None,
        "logs": outcome.logs,
        "postBalances": None,
        "postTokenBalances": None,
        "preBalances": None,
        "preTokenBalances": None,
        "replacementBlockhash": None,
        "returnData": returned_view(outcome),
        "unitsConsumed": outcome.units,
    }


def _send(node: Node, params: Params) -> Any:
    options = params.options(1, "RpcSendTransactionConfig")
    commitment = options.strict_commitment("preflightCommitment")
    skip = options.flag("skipPreflight")
    options.u64("maxRetries", "usize")
    envelope = _envelope(params, options)
    height = options.height(node, commitment)
    _check_tables(node, envelope, height)
    if not skip:
        outcome, _, _ = _simulated(node, envelope, height, verify=True)
        if outcome.error is not None:
            text = f"Transaction simulation failed: {txerror.words(outcome.error)}"
            raise RpcError(-32002, text, _simulation_view(outcome))
    node.submit(envelope)
    return envelope.signature


def _accounts_asked(options: Options, envelope: Envelope) -> tuple[list[Pubkey], Encoding] | None:
    asked = options.members.get("accounts")
    if asked is None:
        return None
    if not isinstance(asked, dict):
        raise wrong_type(asked, "struct RpcSimulateTransactionAccountsConfig")
    rules = Options(asked)
    name = rules.encoding("base64")
    if name in ("binary", "base58"):
        raise invalid_params("base58 encoding not supported")
    addresses = as_list(asked.get("addresses"))
    if len(addresses) > len(envelope.keys):
        raise invalid_params(f"Too many accounts provided; max {len(envelope.keys)}")
    return [as_pubkey(one) for one in addresses], Encoding(name=name)


def _fresh(envelope: Envelope, blockhash: Any) -> Envelope:
    # The message with another blockhash; the signatures do not fit any more, and need not.
    message = envelope.message
    parts = (message.header, message.account_keys, blockhash, message.instructions)
    if isinstance(message, MessageV0):
        changed: Message | MessageV0 = MessageV0(*parts, message.address_table_lookups)
    else:
        header = message.header
        changed = Message.new_with_compiled_instructions(
            header.num_required_signatures,
            header.num_readonly_signed_accounts,
            header.num_readonly_unsigned_accounts,
            message.account_keys,
            blockhash,
            message.instructions,
        )
    transaction = envelope.transaction
    return Envelope(type(transaction).populate(changed, transaction.signatures))


def _simulate(node: Node, params: Params) -> Any:
    options = params.options(1, "RpcSimulateTransactionConfig")
    verify, replace = options.flag("sigVerify"), options.flag("replaceRecentBlockhash")
    envelope = _envelope(params, options)
    if verify and replace:
        raise invalid_params("sigVerify may not be used with replaceRecentBlockhash")
    height = options.height(node)
    _check_tables(node, envelope, height)
    asked = _accounts_asked(options, envelope)
    if replace:
        envelope = _fresh(envelope, node.chain.hash_of(height))
    outcome, written, seen = _simulated(
        node, envelope, height, verify=verify, check_age=not replace
    )
    view = _simulation_view(outcome)
    view["loadedAddresses"] = loaded_addresses(outcome.loaded)
    if seen:
        view["preBalances"], view["postBalances"] = outcome.pre_balances, outcome.post_balances
        view["preTokenBalances"] = balance_views(outcome.pre_tokens)
        view["postTokenBalances"] = balance_views(outcome.post_tokens)
    if options.flag("innerInstructions"):
        view["innerInstructions"] = inner_views(outcome, parsed=True)
    if replace:
        view["replacementBlockhash"] = {
            "blockhash": str(envelope.blockhash),
            "lastValidBlockHeight": height + node.chain.lifetime,
        }
    if asked is not None:
        view["accounts"] = _accounts_view(node, outcome, written, height, asked)
    return at_slot(node, height, view)


def _accounts_view(
    node: Node,
    outcome: Outcome,
    written: dict[Pubkey, Account],
    height: int,
    asked: tuple[list[Pubkey], Encoding],
) -> list[Any]:
    keys, encoding = asked
    views: list[Any] = []
    for key in keys:
        account = None
        if key in outcome.loaded.keys and outcome.error is None:
            account = written.get(key) or node.bank.read(key, height)
        views.append(account and render_account(node, key, account, height, encoding))
    return views


def _fee_for_message(node: Node, params: Params) -> Any:
    text, options = params.text(0), params.options(1, "RpcContextConfig")
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        bad = next((i for i, c in enumerate(text) if not (c.isalnum() or c in "+/=")), 0)
        reason = f"invalid base64 encoding: InvalidByte({bad}, {ord(text[bad])})"
        raise invalid_params(reason) from error
    try:
        message = from_bytes_versioned(data)
    except ValueError as error:
        what = "solana_message::versions::VersionedMessage"
        reason = f"failed to deserialize {what}: Attempting to read 1 bytes"
        raise invalid_params(reason) from error
    height = options.height(node)
    known = node.recent(message.recent_blockhash, height, node.chain.lifetime)
    return at_slot(node, height, fee_of(message) if known else None)


def _prioritization_fees(node: Node, params: Params) -> Any:
    keys = {as_pubkey(one) for one in as_list(params.get(0) or [])}
    fees = []
    newest = node.chain.height
    for height in range(max(newest - _FEE_BLOCKS, 1), newest + 1):
        landed = node.ledger.in_block(height)
        if landed:
            paid = [
                budget_of(one.envelope.message).unit_price
                for one in landed
                if not keys or keys <= set(one.outcome.loaded.keys)
            ]
            fees.append({"prioritizationFee": min(paid, default=0), "slot": landed[0].slot})
    return fees


def _airdrop(node: Node, params: Params) -> Any:
    recipient, lamports = params.pubkey(0), params.u64(1)
    params.options(2, "RpcRequestAirdropConfig")
    return node.airdrop(recipient, lamports)


METHODS = {
    "sendTransaction": Method(_send, 1, 2),
    "simulateTransaction": Method(_simulate, 1, 2),
    "getFeeForMessage": Method(_fee_for_message, 1, 2),
    "getRecentPrioritizationFees": Method(_prioritization_fees),
    "requestAirdrop": Method(_airdrop, 2, 3),
}
