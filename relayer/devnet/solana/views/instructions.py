"""Instructions in answers: compiled, parsed, or partially decoded where no parser knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relayer.devnet.solana import programs
from relayer.devnet.solana.views.parsed_native import lookup_table_instruction, system_instruction
from relayer.devnet.solana.views.parsed_token import token_instruction
from relayer.devnet.solana.views.parsing import Parsed, Unparsable
from relayer.devnet.solana.wire import base58

if TYPE_CHECKING:
    from collections.abc import Sequence

    from solders.instruction import CompiledInstruction
    from solders.pubkey import Pubkey

_ATA_ACCOUNTS = ("source", "account", "wallet", "mint", "systemProgram", "tokenProgram")
_NESTED_ACCOUNTS = (
    "nestedSource",
    "nestedMint",
    "destination",
    "nestedOwner",
    "ownerMint",
    "wallet",
    "tokenProgram",
)
_PARSERS = {
    programs.SYSTEM: ("system", system_instruction),
    programs.TOKEN: ("spl-token", token_instruction),
    programs.TOKEN_2022: ("spl-token", token_instruction),
    programs.LOOKUP_TABLE: ("address-lookup-table", lookup_table_instruction),
}


def compiled_view(
    instruction: CompiledInstruction, _keys: Sequence[Pubkey], depth: int
) -> dict[str, Any]:
    """Return an instruction as indexes and base58 data."""
    return {
        "accounts": list(bytes(instruction.accounts)),
        "data": base58(bytes(instruction.data)),
        "programIdIndex": instruction.program_id_index,
        "stackHeight": depth,
    }


def _associated(data: bytes, accounts: list[str]) -> Parsed:
    kind = data[0] if data else 0
    kinds = {
        0: ("create", _ATA_ACCOUNTS),
        1: ("createIdempotent", _ATA_ACCOUNTS),
        2: ("recoverNested", _NESTED_ACCOUNTS),
    }
    name, fields = kinds.get(kind, ("", ()))
    if not fields or len(accounts) < len(fields):
        raise Unparsable
    return Parsed(name, dict(zip(fields, accounts, strict=False)))


_PARSERS[programs.ASSOCIATED_TOKEN] = ("spl-associated-token-account", _associated)


def _parse(program: Pubkey, data: bytes, accounts: list[str]) -> tuple[str, Any]:
    if program in programs.MEMO_PROGRAMS:
        return "spl-memo", data.decode()
    if program not in _PARSERS:
        raise Unparsable
    name, parser = _PARSERS[program]
    parsed = parser(data, accounts)
    return name, {"info": parsed.info, "type": parsed.type}


def parsed_view(
    instruction: CompiledInstruction, keys: Sequence[Pubkey], depth: int
) -> dict[str, Any]:
    """Return an instruction as jsonParsed does."""
    program = keys[instruction.program_id_index]
    data = bytes(instruction.data)
    accounts = [str(keys[index]) for index in bytes(instruction.accounts)]
    try:
        name, parsed = _parse(program, data, accounts)
    except (Unparsable, IndexError, UnicodeDecodeError):
        return {
            "accounts": accounts,
            "data": base58(data),
            "programId": str(program),
            "stackHeight": depth,
        }
    return {
        "parsed": parsed,
        "program": name,
        "programId": str(program),
        "stackHeight": depth,
    }
