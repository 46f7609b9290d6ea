"""Methods about accounts and their lamports."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from base58 import b58decode
from solders.account import Account

from relayer.devnet.solana.methods.method import Method, at_slot
from relayer.devnet.solana.params import Options, as_list, as_pubkey, as_u64, unknown_variant
from relayer.devnet.solana.programs import SYSTEM, TOKEN_PROGRAMS
from relayer.devnet.solana.rpcerror import invalid_params, invalid_request
from relayer.devnet.solana.tokenstate import token_account
from relayer.devnet.solana.views.accounts import Encoding, account_view

if TYPE_CHECKING:
    from relayer.devnet.solana.node import Node
    from relayer.devnet.solana.params import Params

_CONFIG = "RpcAccountInfoConfig"
_MAX_KEYS = 100
_MAX_FILTERS = 4
_MAX_ACCOUNT_BYTES = 10 * 1024 * 1024
_FILTERS = ("dataSize", "memcmp", "tokenAccountState")
_PROBE = Account(lamports=0, data=b"", owner=SYSTEM)


def encoding_of(options: Options) -> Encoding:
    """Return how the caller wants account data written."""
    piece = options.members.get("dataSlice")
    if piece is None:
        return Encoding(name=options.encoding())
    window = Options(piece if isinstance(piece, dict) else {})
    offset, length = window.u64("offset", "usize"), window.u64("length", "usize")
    if offset is None or length is None:
        missing = "offset" if offset is None else "length"
        raise invalid_params(f"Invalid params: missing field `{missing}`.")
    return Encoding(name=options.encoding(), window=(offset, length))


def _balance(node: Node, params: Params) -> Any:
    key = params.pubkey(0)
    height = params.options(1, "RpcContextConfig").height(node)
    account = node.bank.read(key, height)
    return at_slot(node, height, account.lamports if account else 0)


def _account_info(node: Node, params: Params) -> Any:
    key, options = params.pubkey(0), params.options(1, _CONFIG)
    height, encoding = options.height(node), encoding_of(options)
    return at_slot(node, height, account_view(node, key, height, encoding))


def _multiple_accounts(node: Node, params: Params) -> Any:
    keys, options = as_list(params.get(0)), params.options(1, _CONFIG)
    if len(keys) > _MAX_KEYS:
        raise invalid_params(f"Too many inputs provided; max {_MAX_KEYS}")
    wanted = [as_pubkey(key) for key in keys]
    height = options.height(node)
    encoding = Encoding(name=options.encoding("base64"), window=encoding_of(options).window)
    return at_slot(node, height, [account_view(node, key, height, encoding) for key in wanted])


def _memcmp(rule: Any) -> tuple[int, bytes]:
    offset, text, encoding = rule.get("offset"), rule.get("bytes"), rule.get("encoding")
    try:
        if isinstance(text, list):
            data = bytes(text)
        elif encoding == "base64":
            data = base64.b64decode(text, validate=True)
        else:
            data = bytes(b58decode(text))
    except (ValueError, binascii.Error, TypeError) as error:
        raise invalid_params(f"Invalid param: invalid {encoding or 'base58'} filter") from error
    return as_u64(offset, "usize"), data


def passes(rule: Any, account: Account) -> bool:
    """Return whether `account` passes one filter of getProgramAccounts; raises RpcError."""
    if rule == "tokenAccountState" or (isinstance(rule, dict) and "tokenAccountState" in rule):
        return token_account(account) is not None
    if not isinstance(rule, dict) or len(rule) != 1 or next(iter(rule)) not in _FILTERS:
        name = next(iter(rule)) if isinstance(rule, dict) and rule else str(rule)
        raise unknown_variant(name, _FILTERS)
    if "dataSize" in rule:
        return len(account.data) == as_u64(rule["dataSize"])
    offset, data = _memcmp(rule["memcmp"])
    return account.data[offset : offset + len(data)] == data


def _program_accounts(node: Node, params: Params) -> Any:
    program, options = params.pubkey(0), params.options(1, "RpcProgramAccountsConfig")
    rules = as_list(options.members.get("filters") or [])
    if len(rules) > _MAX_FILTERS:
        raise invalid_params(f"Too many filters provided; max {_MAX_FILTERS}")
    height, encoding = options.height(node), encoding_of(options)
    for rule in rules:
        passes(rule, _PROBE)
    found = [
        {"account": account_view(node, key, height, encoding), "pubkey": str(key)}
        for key, account in node.bank.owned(program, height)
        if all(passes(rule, account) for rule in rules)
    ]
    return at_slot(node, height, found) if options.flag("withContext") else found


def _rent_exemption(node: Node, params: Params) -> Any:
    size = params.u64(0, "usize")
    if size > _MAX_ACCOUNT_BYTES:
        raise invalid_request()
    params.options(1, "CommitmentConfig")
    return node.bank.minimum_balance(size)


def _largest_accounts(node: Node, params: Params) -> Any:
    height = params.options(0, "RpcLargestAccountsConfig").height(node)
    owners = (SYSTEM, *TOKEN_PROGRAMS)
    all_accounts = [pair for owner in owners for pair in node.bank.owned(owner, height)]
    all_accounts.sort(key=lambda pair: -pair[1].lamports)
    value = [{"address": str(k), "lamports": a.lamports} for k, a in all_accounts[:20]]
    return at_slot(node, height, value)


METHODS = {
    "getBalance": Method(_balance, 1, 2),
    "getAccountInfo": Method(_account_info, 1, 2),
    "getMultipleAccounts": Method(_multiple_accounts, 1, 2),
    "getProgramAccounts": Method(_program_accounts, 1, 2),
    "getMinimumBalanceForRentExemption": Method(_rent_exemption, 1, 2),
    "getLargestAccounts": Method(_largest_accounts),
}
