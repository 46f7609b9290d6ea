"""Revert data as words: what a contract said when it refused."""

from __future__ import annotations

from typing import Final

from relayer.chains.gateway.events import skip_word
from relayer.chains.gateway.words import WORD, number_at, selector

ERRORS: Final = (
    "AccessControlUnauthorizedAccount(address,bytes32)",
    "AmountOutOfBounds(uint256,uint256,uint256)",
    "BadMode(address,uint8)",
    "BadRecipientShape(bytes32,uint8)",
    "DepositsClosed(address,bytes32)",
    "DustyAmount(uint256)",
    "EffectMismatch()",
    "GasTooLow(uint256)",
    "GatewayRetired()",
    "LengthMismatch(uint256,uint256)",
    "NothingChanges()",
    "OnlySelf()",
    "Paused(uint8)",
    "PredecessorActive(address)",
    "RecipientDenied(bytes32)",
    "ReentrancyGuardReentrantCall()",
    "RefundToDenied(address)",
    "Skip(uint8)",
    "UnlistedDestination(bytes32)",
    "WrongFee(uint256,uint256)",
)
"""The errors of the gateway that a deposit or a batch can end with."""

_SKIP: Final = selector("Skip(uint8)")
_TEXT: Final = selector("Error(string)")
_PANIC: Final = selector("Panic(uint256)")
_NAMES: Final = {selector(text): text.partition("(")[0] for text in ERRORS}
_MAX_TEXT: Final = 200


def revert_text(data: bytes) -> str:
    """The words in revert data: an error's name, a reason string, or the data in hex."""
    head, body = data[:4], data[4:]
    if not data:
        return "reverted without a reason"
    if head == _SKIP and len(body) == WORD:
        return skip_word(number_at(body, 0))
    if head == _TEXT and len(body) >= 2 * WORD:
        length = min(number_at(body, 1), _MAX_TEXT)
        return body[2 * WORD : 2 * WORD + length].decode(errors="replace")
    if head == _PANIC and len(body) == WORD:
        return f"Panic({number_at(body, 0):#x})"
    if head not in _NAMES:
        return f"reverted with 0x{data[:_MAX_TEXT].hex()}"
    numbers = [number_at(body, place) for place in range(len(body) // WORD)]
    return f"{_NAMES[head]}({', '.join(map(_readable, numbers))})"


def _readable(number: int) -> str:
    return str(number) if number < 2**128 else hex(number)
