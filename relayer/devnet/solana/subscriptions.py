"""Subscriptions: what a client asked to be told, and what each new block makes of it."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from relayer.devnet.solana.chain import Commitment
from relayer.devnet.solana.methods.accounts import encoding_of, passes
from relayer.devnet.solana.methods.method import Method
from relayer.devnet.solana.params import (
    as_list,
    as_pubkey,
    as_signature,
    unknown_variant,
    wrong_type,
)
from relayer.devnet.solana.rpcerror import RpcError, invalid_params
from relayer.devnet.solana.views.accounts import data_view, render_account

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from solders.account import Account
    from solders.pubkey import Pubkey

    from relayer.devnet.solana.ledger import Landed
    from relayer.devnet.solana.node import Node, Phantom
    from relayer.devnet.solana.params import Options, Params
    from relayer.devnet.solana.views.accounts import Encoding

_LOGS_FILTERS = ("all", "allWithVotes", "mentions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """The newest block of one commitment has moved to `height`."""

    commitment: Commitment
    height: int
    slot: int
    parent_slot: int
    root: int
    landed: list[Landed] = field(default_factory=list)
    phantoms: list[Phantom] = field(default_factory=list)

    def value(self, value: Any) -> dict[str, Any]:
        """Return `value` with the slot that it belongs to."""
        return {"context": {"slot": self.slot}, "value": value}


class Subscription(ABC):
    """One thing to be told about; `notification` is the method of its messages."""

    notification: str
    commitment = Commitment.FINALIZED
    ends = False

    @abstractmethod
    def results(self, node: Node, tip: Tip) -> Iterable[Any]:
        """Return the results to send because of `tip`; sets `ends` once there is no more."""


class SlotSubscription(Subscription):
    """Every new slot, with its parent and the root."""

    notification = "slotNotification"
    commitment = Commitment.PROCESSED

    def results(self, _node: Node, tip: Tip) -> Iterable[Any]:
        """Return the one new slot."""
        return [{"slot": tip.slot, "parent": tip.parent_slot, "root": tip.root}]


class RootSubscription(Subscription):
    """Every new root; the node repeats the one before each time."""

    notification = "rootNotification"

    def results(self, _node: Node, tip: Tip) -> Iterable[Any]:
        """Return the former root and the new one."""
        return [tip.parent_slot, tip.slot]


class SlotsUpdatesSubscription(Subscription):
    """The life of every slot: created, frozen, voted, rooted."""

    notification = "slotsUpdatesNotification"
    commitment = Commitment.PROCESSED

    def results(self, node: Node, tip: Tip) -> Iterator[Any]:
        """Yield the steps that the new block means for its own and for older slots."""
        stamp = {"timestamp": time.time_ns() // 1_000_000}
        failed = sum(one.outcome.error is not None for one in tip.landed)
        count = len(tip.landed)
        stats = {
            "numTransactionEntries": min(count, 1),
            "numSuccessfulTransactions": count - failed,
            "numFailedTransactions": failed,
            "maxTransactionsPerEntry": count,
        }
        yield {"type": "frozen", "slot": tip.slot, **stamp, "stats": stats}
        yield {"type": "root", "slot": tip.root, **stamp}
        yield {"type": "completed", "slot": tip.slot, **stamp}
        created = {"type": "createdBank", "slot": node.chain.next_slot(), "parent": tip.slot}
        yield {**created, **stamp}
        voted = node.chain.tip_slot(Commitment.CONFIRMED)
        yield {"type": "optimisticConfirmation", "slot": voted, **stamp}


class LogsSubscription(Subscription):
    """Logs of transactions, all or those that mention one address.

    At finalized, simulations are reported as if they had happened: the real node does so.
    """

    notification = "logsNotification"

    def __init__(self, mention: Pubkey | None, commitment: Commitment) -> None:
        """Watch transactions that name `mention`, or all of them."""
        self._mention = mention
        self.commitment = commitment

    def results(self, _node: Node, tip: Tip) -> Iterator[Any]:
        """Yield one result for each transaction that fits."""
        told: list[Phantom | Landed] = [*tip.phantoms, *tip.landed]
        for one in told:
            outcome = one.outcome
            if self._mention is None or self._mention in outcome.loaded.keys:
                body = {"signature": one.envelope.signature, "err": outcome.error}
                yield tip.value({**body, "logs": outcome.logs})


class SignatureSubscription(Subscription):
    """The landing of one transaction; ends with its only notification."""

    notification = "signatureNotification"

    def __init__(self, signature: str, commitment: Commitment) -> None:
        """Watch for `signature`."""
        self._signature = signature
        self.commitment = commitment

    def results(self, node: Node, tip: Tip) -> Iterable[Any]:
        """Return the one result as soon as the transaction is as deep as asked."""
        landed = node.ledger.find(self._signature)
        if landed is None or landed.height > tip.height:
            return []
        self.ends = True
        return [tip.value({"err": landed.outcome.error})]


class AccountSubscription(Subscription):
    """Changes of one account, at most one a block."""

    notification = "accountNotification"

    def __init__(self, key: Pubkey, encoding: Encoding, commitment: Commitment) -> None:
        """Watch the account at `key`."""
        self._key = key
        self._encoding = encoding
        self.commitment = commitment

    def results(self, node: Node, tip: Tip) -> Iterable[Any]:
        """Return the account as it is now, if the block wrote it."""
        if self._key not in written(tip.landed):
            return []
        account = node.bank.read(self._key, tip.height)
        if account is None:
            return [tip.value(_gone(self._encoding))]
        view = render_account(node, self._key, account, tip.height, self._encoding)
        return [tip.value(view)]


class ProgramSubscription(Subscription):
    """Changes of the accounts that a program owns and that pass the filters."""

    notification = "programNotification"

    def __init__(
        self, program: Pubkey, rules: list[Any], encoding: Encoding, commitment: Commitment
    ) -> None:
        """Watch accounts of `program`."""
        self._program = program
        self._rules = rules
        self._encoding = encoding
        self.commitment = commitment

    def results(self, node: Node, tip: Tip) -> Iterator[Any]:
        """Yield each written account that fits."""
        for key in sorted(written(tip.landed), key=bytes):
            account = node.bank.read(key, tip.height)
            if account is not None and self._fits(account):
                view = render_account(node, key, account, tip.height, self._encoding)
                yield tip.value({"pubkey": str(key), "account": view})

    def _fits(self, account: Account) -> bool:
        return account.owner == self._program and all(passes(r, account) for r in self._rules)


def written(landed: list[Landed]) -> set[Pubkey]:
    """Return the accounts that these transactions could write."""
    found: set[Pubkey] = set()
    for one in landed:
        loaded = one.outcome.loaded
        found.update(key for key, flag in zip(loaded.keys, loaded.writable, strict=True) if flag)
    return found


def _gone(encoding: Encoding) -> dict[str, Any]:
    return {
        "lamports": 0,
        "data": data_view(b"", encoding),
        "owner": "11111111111111111111111111111111",
        "executable": False,
        "rentEpoch": 0,
        "space": 0,
    }


def _slot(_node: Node, _params: Params) -> Subscription:
    return SlotSubscription()


def _root(_node: Node, _params: Params) -> Subscription:
    return RootSubscription()


def _slots_updates(_node: Node, _params: Params) -> Subscription:
    return SlotsUpdatesSubscription()


def _invalid(what: str) -> RpcError:
    return invalid_params(f"Invalid Request: Invalid {what} provided")


def _logs(_node: Node, params: Params) -> Subscription:
    rule, options = params.get(0), params.options(1, "RpcTransactionLogsConfig")
    if isinstance(rule, str):
        if rule not in _LOGS_FILTERS[:2]:
            raise unknown_variant(rule, _LOGS_FILTERS)
        return LogsSubscription(None, options.commitment())
    if not isinstance(rule, dict) or "mentions" not in rule:
        if not isinstance(rule, dict) or not rule:
            raise wrong_type(rule, "enum RpcTransactionLogsFilter")
        raise unknown_variant(str(next(iter(rule))), _LOGS_FILTERS)
    mentions = as_list(rule["mentions"])
    if len(mentions) != 1:
        raise invalid_params("Invalid Request: Only 1 address supported")
    try:
        mention = as_pubkey(mentions[0])
    except RpcError as error:
        raise _invalid("mentions") from error
    return LogsSubscription(mention, options.commitment())


def _signature(_node: Node, params: Params) -> Subscription:
    options = params.options(1, "RpcSignatureSubscribeConfig")
    try:
        signature = as_signature(params.get(0))
    except RpcError as error:
        raise _invalid("signature") from error
    return SignatureSubscription(signature, options.commitment())


def _key(params: Params) -> Pubkey:
    try:
        return as_pubkey(params.get(0))
    except RpcError as error:
        raise _invalid("pubkey") from error


def _account(_node: Node, params: Params) -> Subscription:
    options: Options = params.options(1, "RpcAccountInfoConfig")
    encoding = encoding_of(options)
    return AccountSubscription(_key(params), encoding, options.commitment())


def _program(_node: Node, params: Params) -> Subscription:
    options: Options = params.options(1, "RpcProgramAccountsConfig")
    encoding = encoding_of(options)
    rules = as_list(options.members.get("filters") or [])
    return ProgramSubscription(_key(params), rules, encoding, options.commitment())


SUBSCRIBE: dict[str, Method] = {
    "slotSubscribe": Method(_slot, 0, 0),
    "rootSubscribe": Method(_root, 0, 0),
    "slotsUpdatesSubscribe": Method(_slots_updates, 0, 0),
    "logsSubscribe": Method(_logs, 1, 2),
    "signatureSubscribe": Method(_signature, 1, 2),
    "accountSubscribe": Method(_account, 1, 2),
    "programSubscribe": Method(_program, 1, 2),
}
UNSUBSCRIBE = frozenset(name.replace("Subscribe", "Unsubscribe") for name in SUBSCRIBE)


def identity(method: str, params: list[Any]) -> str:
    """Return what makes two subscriptions the same one."""
    if method == "signatureSubscribe" and len(params) == 1:
        params = [*params, {"commitment": Commitment.FINALIZED.value}]
    return method + json.dumps(params, sort_keys=True)
