"""Methods about tokens: supplies, balances and who holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relayer.devnet.solana.methods.accounts import encoding_of
from relayer.devnet.solana.methods.method import Method, at_slot
from relayer.devnet.solana.params import as_pubkey, wrong_type
from relayer.devnet.solana.programs import TOKEN_PROGRAMS
from relayer.devnet.solana.rpcerror import RpcError, invalid_params
from relayer.devnet.solana.tokenstate import TokenAccount, mint_state, token_account
from relayer.devnet.solana.views.accounts import render_account
from relayer.devnet.solana.views.parsed_accounts import ui_amount

if TYPE_CHECKING:
    from collections.abc import Callable

    from solders.account import Account
    from solders.pubkey import Pubkey

    from relayer.devnet.solana.node import Node
    from relayer.devnet.solana.params import Params

_LARGEST = 20


def _supply(node: Node, params: Params) -> Any:
    key = params.pubkey(0)
    height = params.options(1, "CommitmentConfig").height(node)
    account = node.bank.read(key, height)
    if account is None:
        raise invalid_params("Invalid param: could not find account")
    mint = mint_state(account)
    if mint is None:
        raise invalid_params("Invalid param: not a Token mint")
    return at_slot(node, height, ui_amount(node, mint.supply, key, height))


def _balance(node: Node, params: Params) -> Any:
    key = params.pubkey(0)
    height = params.options(1, "CommitmentConfig").height(node)
    account = node.bank.read(key, height)
    if account is None:
        raise invalid_params("Invalid param: could not find account")
    holder = token_account(account)
    if holder is None:
        raise invalid_params("Invalid param: not a Token account")
    return at_slot(node, height, ui_amount(node, holder.amount, holder.mint, height))


def _chosen(node: Node, params: Params, height: int) -> tuple[Pubkey, Pubkey | None]:
    """Return the token program and perhaps the mint that the second parameter names."""
    rule = params.get(1)
    if not isinstance(rule, dict):
        raise wrong_type(rule, "map with a single key")
    if len(rule) != 1:
        text = "Invalid params: invalid value: map, expected map with a single key."
        raise invalid_params(text)
    if "mint" in rule:
        mint = as_pubkey(rule["mint"])
        account = node.bank.read(mint, height)
        if account is None:
            raise invalid_params("Invalid param: could not find mint")
        if mint_state(account) is None:
            raise invalid_params("Invalid param: not a Token mint")
        return account.owner, mint
    if "programId" not in rule:
        name = next(iter(rule))
        known = "expected `mint` or `programId`"
        raise invalid_params(f"Invalid params: unknown variant `{name}`, {known}.")
    program = as_pubkey(rule["programId"])
    if program not in TOKEN_PROGRAMS:
        raise invalid_params("Invalid param: unrecognized Token program id")
    return program, None


def _holders(
    node: Node, program: Pubkey, height: int, fits: Callable[[TokenAccount], bool]
) -> list[tuple[Pubkey, Account, TokenAccount]]:
    found = []
    for key, account in node.bank.owned(program, height):
        holder = token_account(account)
        if holder is not None and fits(holder):
            found.append((key, account, holder))
    return found


def _listing(node: Node, params: Params, party: Callable[[TokenAccount], Pubkey | None]) -> Any:
    wanted, options = params.pubkey(0), params.options(2, "RpcAccountInfoConfig")
    height = options.height(node)
    program, mint = _chosen(node, params, height)
    encoding = encoding_of(options)
    found = _holders(
        node,
        program,
        height,
        lambda holder: party(holder) == wanted and mint in (None, holder.mint),
    )
    views = [
        {"account": render_account(node, key, account, height, encoding), "pubkey": str(key)}
        for key, account, _ in found
    ]
    return at_slot(node, height, views)


def _by_owner(node: Node, params: Params) -> Any:
    return _listing(node, params, lambda holder: holder.owner)


def _by_delegate(node: Node, params: Params) -> Any:
    return _listing(node, params, lambda holder: holder.delegate)


def _largest(node: Node, params: Params) -> Any:
    mint = params.pubkey(0)
    height = params.options(1, "CommitmentConfig").height(node)
    account = node.bank.read(mint, height)
    if account is None or mint_state(account) is None:
        raise RpcError(-32602, "Invalid param: not a Token mint")
    found = _holders(node, account.owner, height, lambda holder: holder.mint == mint)
    found.sort(key=lambda entry: -entry[2].amount)
    views = [
        {"address": str(key), **ui_amount(node, holder.amount, mint, height)}
        for key, _, holder in found[:_LARGEST]
    ]
    return at_slot(node, height, views)


METHODS = {
    "getTokenSupply": Method(_supply, 1, 2),
    "getTokenAccountBalance": Method(_balance, 1, 2),
    "getTokenAccountsByOwner": Method(_by_owner, 2, 3),
    "getTokenAccountsByDelegate": Method(_by_delegate, 2, 3),
    "getTokenLargestAccounts": Method(_largest, 1, 2),
}
