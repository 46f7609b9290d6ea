"""Methods about transactions that landed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relayer.devnet.solana.chain import Commitment
from relayer.devnet.solana.methods.blocks import history_options, wanted_of
from relayer.devnet.solana.methods.method import Method, at_slot
from relayer.devnet.solana.params import Options, as_list, as_signature, wrong_type
from relayer.devnet.solana.rpcerror import invalid_params, signature_not_found
from relayer.devnet.solana.views.transactions import status_of, transaction_view

if TYPE_CHECKING:
    from relayer.devnet.solana.ledger import Landed
    from relayer.devnet.solana.node import Node
    from relayer.devnet.solana.params import Params

_MAX_STATUSES = 256
_MAX_SIGNATURES = 1000


def _transaction(node: Node, params: Params) -> Any:
    signature = params.signature(0)
    options, wanted = wanted_of(params.get(1))
    landed = node.ledger.find(signature)
    if landed is None or landed.height > node.chain.tip(options.commitment()):
        return None
    return transaction_view(landed, wanted)


def _status(node: Node, landed: Landed | None) -> Any:
    if landed is None:
        return None
    commitment = node.commitment_of(landed)
    rooted = commitment is Commitment.FINALIZED
    return {
        "confirmationStatus": commitment.value,
        "confirmations": None if rooted else node.chain.height - landed.height + 1,
        "err": landed.outcome.error,
        "slot": landed.slot,
        "status": status_of(landed.outcome),
    }


def _wants_history(params: Params) -> bool:
    value = params.get(1)
    if value is None:
        return False
    if not isinstance(value, dict):
        raise wrong_type(value, "struct RpcSignatureStatusConfig")
    if "searchTransactionHistory" not in value:
        raise invalid_params("Invalid params: missing field `searchTransactionHistory`.")
    return Options(value).flag("searchTransactionHistory")


def _signature_statuses(node: Node, params: Params) -> Any:
    signatures = as_list(params.get(0))
    for one in signatures:
        if not isinstance(one, str):
            raise wrong_type(one, "a string")
    history = _wants_history(params)
    if len(signatures) > _MAX_STATUSES:
        raise invalid_params(f"Too many inputs provided; max {_MAX_STATUSES}")
    wanted = [as_signature(one) for one in signatures]
    found = [_status(node, node.status(one, history=history)) for one in wanted]
    return at_slot(node, node.chain.height, found)


def _cursor(node: Node, options: Options, name: str, height: int) -> int | None:
    text = options.text(name)
    if text is None:
        return None
    landed = node.ledger.find(as_signature(text))
    if landed is None or landed.height > height:
        raise signature_not_found(text)
    return landed.sequence


def _signatures_for_address(node: Node, params: Params) -> Any:
    address, options = params.pubkey(0), history_options(params, 1)
    limit = options.u64("limit", "usize")
    limit = _MAX_SIGNATURES if limit is None else limit
    for name in ("before", "until"):
        if (text := options.text(name)) is not None:
            as_signature(text)
    if not 1 <= limit <= _MAX_SIGNATURES:
        raise invalid_params(f"Invalid limit; max {_MAX_SIGNATURES}")
    height = options.height(node)
    landed = node.ledger.of_address(
        address,
        before=_cursor(node, options, "before", height),
        until=_cursor(node, options, "until", height),
        height=height,
        limit=limit,
    )
    return [_signature_entry(node, one) for one in landed]


def _signature_entry(node: Node, landed: Landed) -> dict[str, Any]:
    return {
        "blockTime": landed.time,
        "confirmationStatus": node.commitment_of(landed).value,
        "err": landed.outcome.error,
        "memo": landed.envelope.memo(),
        "signature": landed.envelope.signature,
        "slot": landed.slot,
        "transactionIndex": landed.index,
    }


METHODS = {
    "getTransaction": Method(_transaction, 1, 2),
    "getSignatureStatuses": Method(_signature_statuses, 1, 2),
    "getSignaturesForAddress": Method(_signatures_for_address, 1, 2),
}
