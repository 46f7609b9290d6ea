"""jsonParsed forms of the token programs' instructions.

As on the real node, the last fixed account is the authority only when nothing follows it: with any
further account (a beacon too) it is written as the multisig form of the name, with `signers`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from relayer.devnet.solana.views.amounts import token_amount
from relayer.devnet.solana.views.parsing import Fields, Parsed, Unparsable, float_text

Info = dict[str, Any]
Rule = Callable[[Fields, list[str]], Info]

_AUTHORITY_TYPES = [
    "mintTokens",
    "freezeAccount",
    "accountOwner",
    "closeAccount",
    "transferFeeConfig",
    "withheldWithdraw",
    "closeMint",
    "interestRate",
    "permanentDelegate",
    "confidentialTransferMint",
    "transferHookProgramId",
    "confidentialTransferFeeConfig",
    "metadataPointer",
    "groupPointer",
    "groupMemberPointer",
    "scaledUiAmount",
    "pause",
]
_OWNS_ACCOUNT = ("accountOwner", "closeAccount")
_STATES = ("uninitialized", "initialized", "frozen")
EXTENSION_NAMES = [
    "uninitialized",
    "transferFeeConfig",
    "transferFeeAmount",
    "mintCloseAuthority",
    "confidentialTransferMint",
    "confidentialTransferAccount",
    "defaultAccountState",
    "immutableOwner",
    "memoTransfer",
    "nonTransferable",
    "interestBearingConfig",
    "cpiGuard",
    "permanentDelegate",
    "nonTransferableAccount",
    "transferHook",
    "transferHookAccount",
    "confidentialTransferFeeConfig",
    "confidentialTransferFeeAmount",
    "metadataPointer",
    "tokenMetadata",
    "groupPointer",
    "tokenGroup",
    "groupMemberPointer",
    "tokenGroupMember",
    "confidentialMintBurn",
    "scaledUiAmountConfig",
    "pausableConfig",
    "pausableAccount",
]


def _named(keys: list[str], *names: str) -> Info:
    if len(keys) < len(names):
        raise Unparsable
    return dict(zip(names, keys, strict=False))


def _signed(keys: list[str], names: tuple[str, ...], authority: str) -> Info:
    info = _named(keys, *names)
    if len(keys) <= len(names):
        raise Unparsable
    signers = keys[len(names) + 1 :]
    holder = keys[len(names)]
    if not signers:
        return {**info, authority: holder}
    multisig = f"multisig{authority[0].upper()}{authority[1:]}"
    return {**info, multisig: holder, "signers": signers}


def _checked(data: Fields) -> Info:
    amount, decimals = data.u64(), data.u8()
    return {"tokenAmount": token_amount(amount, decimals)}


def _plain_amount(names: tuple[str, ...], authority: str) -> Rule:
    return lambda data, keys: {
        "amount": str(data.u64()),
        **_signed(keys, names, authority),
    }


def _checked_amount(names: tuple[str, ...], authority: str) -> Rule:
    return lambda data, keys: {**_checked(data), **_signed(keys, names, authority)}


def _authorized(names: tuple[str, ...], authority: str) -> Rule:
    return lambda _data, keys: _signed(keys, names, authority)


def _only(*names: str) -> Rule:
    return lambda _data, keys: _named(keys, *names)


def _initialize_mint(*names: str) -> Rule:
    def rule(data: Fields, keys: list[str]) -> Info:
        info = _named(keys, *names) | {"decimals": data.u8(), "mintAuthority": data.key()}
        freeze = data.option_key()
        return info if freeze is None else {**info, "freezeAuthority": freeze}

    return rule


def _initialize_account(*names: str) -> Rule:
    return lambda data, keys: {**_named(keys, *names), "owner": data.key()}


def _initialize_multisig(*names: str) -> Rule:
    def rule(data: Fields, keys: list[str]) -> Info:
        if len(keys) <= len(names):
            raise Unparsable
        return {**_named(keys, *names), "m": data.u8(), "signers": keys[len(names) :]}

    return rule


def _set_authority(data: Fields, keys: list[str]) -> Info:
    kind = data.u8()
    if kind >= len(_AUTHORITY_TYPES):
        raise Unparsable
    name = _AUTHORITY_TYPES[kind]
    owned = "account" if name in _OWNS_ACCOUNT else "mint"
    return {
        "authorityType": name,
        "newAuthority": data.option_key(),
        **_signed(keys, (owned,), "authority"),
    }


def _data_size(data: Fields, keys: list[str]) -> Info:
    info = _named(keys, "mint")
    kinds = data.rest()
    names = [EXTENSION_NAMES[kinds[at]] for at in range(0, len(kinds), 2)]
    return {**info, "extensionTypes": names} if names else info


def _close_authority(data: Fields, keys: list[str]) -> Info:
    return {**_named(keys, "mint"), "newAuthority": data.option_key()}


def _confidential_mint(data: Fields, keys: list[str]) -> Info:
    authority, approve = data.nullable_key(), bool(data.u8())
    return {
        **_named(keys, "mint"),
        "auditorElGamalPubkey": data.nullable_key(),
        "authority": authority,
        "autoApproveNewAccounts": approve,
    }


def _state(data: Fields, keys: list[str]) -> Info:
    return {**_named(keys, "mint"), "accountState": _STATES[data.u8()]}


def _state_update(data: Fields, keys: list[str]) -> Info:
    info = {"accountState": _STATES[data.u8()]}
    return {**info, **_signed(keys, ("mint",), "freezeAuthority")}


def _delegate(data: Fields, keys: list[str]) -> Info:
    return {**_named(keys, "mint"), "delegate": data.key()}


def _optional(info: Info, **fields: str | None) -> Info:
    return {**info, **{name: value for name, value in fields.items() if value is not None}}


def _hook(data: Fields, keys: list[str]) -> Info:
    authority, program = data.nullable_key(), data.nullable_key()
    return _optional(_named(keys, "mint"), authority=authority, programId=program)


def _hook_update(data: Fields, keys: list[str]) -> Info:
    return _optional(_signed(keys, ("mint",), "authority"), programId=data.nullable_key())


def _pointer(data: Fields, keys: list[str]) -> Info:
    authority, address = data.nullable_key(), data.nullable_key()
    return _optional(_named(keys, "mint"), authority=authority, metadataAddress=address)


def _pointer_update(data: Fields, keys: list[str]) -> Info:
    return _optional(_signed(keys, ("mint",), "authority"), metadataAddress=data.nullable_key())


def _scaled(data: Fields, keys: list[str]) -> Info:
    authority = data.nullable_key()
    info = {"authority": authority, "multiplier": float_text(data.f64())}
    return {**_named(keys, "mint"), **info}


def _multiplier(data: Fields, keys: list[str]) -> Info:
    info = {"newMultiplier": float_text(data.f64()), "newMultiplierTimestamp": data.i64()}
    return {**info, **_signed(keys, ("mint",), "authority")}


def _pausable(data: Fields, keys: list[str]) -> Info:
    return {**_named(keys, "mint"), "authority": data.nullable_key()}


_RULES: dict[int, tuple[str, Rule]] = {
    0: ("initializeMint", _initialize_mint("mint", "rentSysvar")),
    1: ("initializeAccount", _only("account", "mint", "owner", "rentSysvar")),
    2: ("initializeMultisig", _initialize_multisig("multisig", "rentSysvar")),
    3: ("transfer", _plain_amount(("source", "destination"), "authority")),
    4: ("approve", _plain_amount(("source", "delegate"), "owner")),
    5: ("revoke", _authorized(("source",), "owner")),
    6: ("setAuthority", _set_authority),
    7: ("mintTo", _plain_amount(("mint", "account"), "mintAuthority")),
    8: ("burn", _plain_amount(("account", "mint"), "authority")),
    9: ("closeAccount", _authorized(("account", "destination"), "owner")),
    10: ("freezeAccount", _authorized(("account", "mint"), "freezeAuthority")),
    11: ("thawAccount", _authorized(("account", "mint"), "freezeAuthority")),
    12: ("transferChecked", _checked_amount(("source", "mint", "destination"), "authority")),
    13: ("approveChecked", _checked_amount(("source", "mint", "delegate"), "owner")),
    14: ("mintToChecked", _checked_amount(("mint", "account"), "mintAuthority")),
    15: ("burnChecked", _checked_amount(("account", "mint"), "authority")),
    16: ("initializeAccount2", _initialize_account("account", "mint", "rentSysvar")),
    17: ("syncNative", _only("account")),
    18: ("initializeAccount3", _initialize_account("account", "mint")),
    19: ("initializeMultisig2", _initialize_multisig("multisig")),
    20: ("initializeMint2", _initialize_mint("mint")),
    21: ("getAccountDataSize", _data_size),
    22: ("initializeImmutableOwner", _only("account")),
    23: ("amountToUiAmount", lambda d, k: {"amount": str(d.u64()), **_named(k, "mint")}),
    24: ("uiAmountToAmount", lambda d, k: {"uiAmount": d.rest().decode(), **_named(k, "mint")}),
    25: ("initializeMintCloseAuthority", _close_authority),
    32: ("initializeNonTransferableMint", _only("mint")),
    35: ("initializePermanentDelegate", _delegate),
}
_EXTENSION_RULES: dict[int, dict[int, tuple[str, Rule]]] = {
    27: {0: ("initializeConfidentialTransferMint", _confidential_mint)},
    28: {
        0: ("initializeDefaultAccountState", _state),
        1: ("updateDefaultAccountState", _state_update),
    },
    36: {0: ("initializeTransferHook", _hook), 1: ("updateTransferHook", _hook_update)},
    39: {0: ("initializeMetadataPointer", _pointer), 1: ("updateMetadataPointer", _pointer_update)},
    43: {0: ("initializeScaledUiAmountConfig", _scaled), 1: ("updateMultiplier", _multiplier)},
    44: {
        0: ("initializePausableConfig", _pausable),
        1: ("pause", _authorized(("mint",), "authority")),
        2: ("resume", _authorized(("mint",), "authority")),
    },
}


def _discriminator(name: str) -> bytes:
    return hashlib.sha256(f"spl_token_metadata_interface:{name}".encode()).digest()[:8]


_METADATA_INITIALIZE = _discriminator("initialize_account")
_METADATA_UPDATE = _discriminator("updating_field")
_METADATA_FIELDS = ("name", "symbol", "uri")


def _metadata_initialize(data: Fields, keys: list[str]) -> Info:
    info = _named(keys, "metadata", "updateAuthority", "mint", "mintAuthority")
    return {**info, **{name: data.text(data.u32()) for name in _METADATA_FIELDS}}


def _metadata_update(data: Fields, keys: list[str]) -> Info:
    kind = data.u8()
    field = _METADATA_FIELDS[kind] if kind < len(_METADATA_FIELDS) else data.text(data.u32())
    info = {"field": field, "value": data.text(data.u32())}
    return {**_named(keys, "metadata", "updateAuthority"), **info}


def token_instruction(data: bytes, accounts: list[str]) -> Parsed:
    """Return the parsed token instruction; raises Unparsable for those it does not know."""
    fields = Fields(data)
    if data[:8] == _METADATA_INITIALIZE:
        fields.take(8)
        return Parsed("initializeTokenMetadata", _metadata_initialize(fields, accounts))
    if data[:8] == _METADATA_UPDATE:
        fields.take(8)
        return Parsed("updateTokenMetadataField", _metadata_update(fields, accounts))
    kind = fields.u8()
    rules = _RULES
    if kind in _EXTENSION_RULES:
        rules, kind = _EXTENSION_RULES[kind], fields.u8()
    if kind not in rules:
        raise Unparsable
    name, rule = rules[kind]
    return Parsed(name, rule(fields, accounts))
