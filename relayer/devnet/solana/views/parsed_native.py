"""jsonParsed forms of the System program's and the lookup table program's instructions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relayer.devnet.solana.views.parsing import Fields, Parsed, Unparsable

if TYPE_CHECKING:
    from collections.abc import Callable


def _create(data: Fields, keys: list[str]) -> dict[str, Any]:
    lamports, space = data.u64(), data.u64()
    return {
        "lamports": lamports,
        "newAccount": keys[1],
        "owner": data.key(),
        "source": keys[0],
        "space": space,
    }


def _assign(data: Fields, keys: list[str]) -> dict[str, Any]:
    return {"account": keys[0], "owner": data.key()}


def _transfer(data: Fields, keys: list[str]) -> dict[str, Any]:
    return {"destination": keys[1], "lamports": data.u64(), "source": keys[0]}


def _create_with_seed(data: Fields, keys: list[str]) -> dict[str, Any]:
    base, seed = data.key(), data.text(data.u64())
    lamports, space = data.u64(), data.u64()
    return {
        "base": base,
        "lamports": lamports,
        "newAccount": keys[1],
        "owner": data.key(),
        "seed": seed,
        "source": keys[0],
        "space": space,
    }


def _advance_nonce(_data: Fields, keys: list[str]) -> dict[str, Any]:
    return {"nonceAccount": keys[0], "nonceAuthority": keys[2], "recentBlockhashesSysvar": keys[1]}


def _withdraw_nonce(data: Fields, keys: list[str]) -> dict[str, Any]:
    return {
        "destination": keys[1],
        "lamports": data.u64(),
        "nonceAccount": keys[0],
        "nonceAuthority": keys[4],
        "recentBlockhashesSysvar": keys[2],
        "rentSysvar": keys[3],
    }


def _initialize_nonce(data: Fields, keys: list[str]) -> dict[str, Any]:
    return {
        "nonceAccount": keys[0],
        "nonceAuthority": data.key(),
        "recentBlockhashesSysvar": keys[1],
        "rentSysvar": keys[2],
    }


def _authorize_nonce(data: Fields, keys: list[str]) -> dict[str, Any]:
    return {"newAuthorized": data.key(), "nonceAccount": keys[0], "nonceAuthority": keys[1]}


def _allocate(data: Fields, keys: list[str]) -> dict[str, Any]:
    return {"account": keys[0], "space": data.u64()}


def _allocate_with_seed(data: Fields, keys: list[str]) -> dict[str, Any]:
    base, seed, space = data.key(), data.text(data.u64()), data.u64()
    return {"account": keys[0], "base": base, "owner": data.key(), "seed": seed, "space": space}


def _assign_with_seed(data: Fields, keys: list[str]) -> dict[str, Any]:
    base, seed = data.key(), data.text(data.u64())
    return {"account": keys[0], "base": base, "owner": data.key(), "seed": seed}


def _transfer_with_seed(data: Fields, keys: list[str]) -> dict[str, Any]:
    lamports, seed = data.u64(), data.text(data.u64())
    return {
        "destination": keys[2],
        "lamports": lamports,
        "source": keys[0],
        "sourceBase": keys[1],
        "sourceOwner": data.key(),
        "sourceSeed": seed,
    }


def _upgrade_nonce(_data: Fields, keys: list[str]) -> dict[str, Any]:
    return {"nonceAccount": keys[0]}


_SYSTEM: dict[int, tuple[str, Callable[[Fields, list[str]], dict[str, Any]]]] = {
    0: ("createAccount", _create),
    1: ("assign", _assign),
    2: ("transfer", _transfer),
    3: ("createAccountWithSeed", _create_with_seed),
    4: ("advanceNonce", _advance_nonce),
    5: ("withdrawFromNonce", _withdraw_nonce),
    6: ("initializeNonce", _initialize_nonce),
    7: ("authorizeNonce", _authorize_nonce),
    8: ("allocate", _allocate),
    9: ("allocateWithSeed", _allocate_with_seed),
    10: ("assignWithSeed", _assign_with_seed),
    11: ("transferWithSeed", _transfer_with_seed),
    12: ("upgradeNonce", _upgrade_nonce),
}


def system_instruction(data: bytes, accounts: list[str]) -> Parsed:
    """Return the parsed System instruction; raises Unparsable for one that it does not know."""
    fields = Fields(data)
    kind = fields.u32()
    if kind not in _SYSTEM:
        raise Unparsable
    name, build = _SYSTEM[kind]
    return Parsed(name, build(fields, accounts))


def _create_table(data: Fields, keys: list[str]) -> dict[str, Any]:
    return {
        "lookupTableAccount": keys[0],
        "lookupTableAuthority": keys[1],
        "payerAccount": keys[2],
        "systemProgram": keys[3],
        "recentSlot": data.u64(),
        "bumpSeed": data.u8(),
    }


def _authority_only(_data: Fields, keys: list[str]) -> dict[str, Any]:
    return {"lookupTableAccount": keys[0], "lookupTableAuthority": keys[1]}


def _extend_table(data: Fields, keys: list[str]) -> dict[str, Any]:
    info: dict[str, Any] = {
        **_authority_only(data, keys),
        "newAddresses": [data.key() for _ in range(data.u64())],
    }
    if len(keys) >= 4:
        info |= {"payerAccount": keys[2], "systemProgram": keys[3]}
    return info


def _close_table(data: Fields, keys: list[str]) -> dict[str, Any]:
    return {**_authority_only(data, keys), "recipient": keys[2]}


_TABLE: dict[int, tuple[str, Callable[[Fields, list[str]], dict[str, Any]]]] = {
    0: ("createLookupTable", _create_table),
    1: ("freezeLookupTable", _authority_only),
    2: ("extendLookupTable", _extend_table),
    3: ("deactivateLookupTable", _authority_only),
    4: ("closeLookupTable", _close_table),
}


def lookup_table_instruction(data: bytes, accounts: list[str]) -> Parsed:
    """Return the parsed lookup table instruction; raises Unparsable for others."""
    fields = Fields(data)
    kind = fields.u32()
    if kind not in _TABLE:
        raise Unparsable
    name, build = _TABLE[kind]
    return Parsed(name, build(fields, accounts))
