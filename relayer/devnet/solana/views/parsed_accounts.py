"""jsonParsed forms of accounts: token programs, sysvars, programs and lookup tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solders.pubkey import Pubkey

from relayer.devnet.solana import programs
from relayer.devnet.solana.lookup import TABLE_HEADER_BYTES, LookupFailed, table_entries
from relayer.devnet.solana.tokenstate import (
    ACCOUNT_BYTES,
    MULTISIG_BYTES,
    mint_state,
    token_account,
)
from relayer.devnet.solana.views.amounts import token_amount
from relayer.devnet.solana.views.parsing import Fields, Unparsable, float_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from solders.account import Account

    from relayer.devnet.solana.node import Node

_STATES = ("uninitialized", "initialized", "frozen")
_PROGRAM_BYTES = 36
_SCALED = 25


def extensions(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and value of each extension behind a Token-2022 account or mint."""
    at = ACCOUNT_BYTES + 1
    while at + 4 <= len(data):
        kind = int.from_bytes(data[at : at + 2], "little")
        size = int.from_bytes(data[at + 2 : at + 4], "little")
        if kind == 0:
            return
        yield kind, data[at + 4 : at + 4 + size]
        at += 4 + size


def multiplier_of(mint: Account | None, now: int) -> float | None:
    """Return the multiplier of a scaled mint in force at Unix time `now`, None for others."""
    if mint is None:
        return None
    for kind, value in extensions(mint.data):
        if kind == _SCALED:
            fields = Fields(value[32:])
            old, since, new = fields.f64(), fields.i64(), fields.f64()
            return new if now >= since else old
    return None


def ui_amount(node: Node, amount: int, mint_key: Pubkey, height: int) -> dict[str, Any]:
    """Return an amount of the mint as of `height`, its multiplier applied."""
    account = node.bank.read(mint_key, height)
    mint = mint_state(account)
    if mint is None:
        raise Unparsable
    now = node.chain.time_of(height)
    return token_amount(amount, mint.decimals, multiplier_of(account, now))


def _pair(first: str, second: str) -> Any:
    return lambda f: {first: f.nullable_key(), second: f.nullable_key()}


def _confidential(fields: Fields) -> dict[str, Any]:
    authority, approve = fields.nullable_key(), bool(fields.u8())
    return {
        "auditorElgamalPubkey": fields.nullable_key(),
        "authority": authority,
        "autoApproveNewAccounts": approve,
    }


def _scaled(fields: Fields) -> dict[str, Any]:
    authority, old, since = fields.nullable_key(), fields.f64(), fields.i64()
    return {
        "authority": authority,
        "multiplier": float_text(old),
        "newMultiplier": float_text(fields.f64()),
        "newMultiplierEffectiveTimestamp": since,
    }


def _metadata(fields: Fields) -> dict[str, Any]:
    authority, mint = fields.nullable_key(), fields.key()
    name, symbol, uri = (fields.text(fields.u32()) for _ in range(3))
    more = [[fields.text(fields.u32()), fields.text(fields.u32())] for _ in range(fields.u32())]
    return {
        "additionalMetadata": more,
        "mint": mint,
        "name": name,
        "symbol": symbol,
        "updateAuthority": authority,
        "uri": uri,
    }


_EXTENSIONS: dict[int, tuple[str, Any]] = {
    3: ("mintCloseAuthority", lambda f: {"closeAuthority": f.nullable_key()}),
    4: ("confidentialTransferMint", _confidential),
    6: ("defaultAccountState", lambda f: {"accountState": _STATES[f.u8()]}),
    7: ("immutableOwner", None),
    8: ("memoTransfer", lambda f: {"requireIncomingTransferMemos": bool(f.u8())}),
    9: ("nonTransferable", None),
    11: ("cpiGuard", lambda f: {"lockCpi": bool(f.u8())}),
    12: ("permanentDelegate", lambda f: {"delegate": f.nullable_key()}),
    13: ("nonTransferableAccount", None),
    14: ("transferHook", _pair("authority", "programId")),
    15: ("transferHookAccount", lambda f: {"transferring": bool(f.u8())}),
    18: ("metadataPointer", _pair("authority", "metadataAddress")),
    19: ("tokenMetadata", _metadata),
    20: ("groupPointer", _pair("authority", "groupAddress")),
    22: ("groupMemberPointer", _pair("authority", "memberAddress")),
    _SCALED: ("scaledUiAmountConfig", _scaled),
    26: ("pausableConfig", lambda f: {"authority": f.nullable_key(), "paused": bool(f.u8())}),
    27: ("pausableAccount", None),
}


def _extension_views(data: bytes) -> list[dict[str, Any]]:
    views = []
    for kind, value in extensions(data):
        name, read = _EXTENSIONS.get(kind, ("unparseableExtension", None))
        view: dict[str, Any] = {"extension": name}
        if read is not None:
            view["state"] = read(Fields(value))
        views.append(view)
    return views


def _holder(node: Node, account: Account, height: int) -> dict[str, Any] | None:
    holder = token_account(account)
    if holder is None:
        return None
    info: dict[str, Any] = {
        "isNative": holder.native_reserve is not None,
        "mint": str(holder.mint),
        "owner": str(holder.owner),
        "state": _STATES[holder.state],
        "tokenAmount": ui_amount(node, holder.amount, holder.mint, height),
    }
    if holder.delegate is not None:
        info["delegate"] = str(holder.delegate)
        info["delegatedAmount"] = ui_amount(node, holder.delegated_amount, holder.mint, height)
    if holder.native_reserve is not None:
        info["rentExemptReserve"] = token_amount(holder.native_reserve, 9)
    if holder.close_authority is not None:
        info["closeAuthority"] = str(holder.close_authority)
    return info


def _mint(account: Account) -> dict[str, Any] | None:
    mint = mint_state(account)
    if mint is None:
        return None
    return {
        "decimals": mint.decimals,
        "freezeAuthority": mint.freeze_authority and str(mint.freeze_authority),
        "isInitialized": True,
        "mintAuthority": mint.mint_authority and str(mint.mint_authority),
        "supply": str(mint.supply),
    }


def _multisig(account: Account) -> dict[str, Any] | None:
    data = account.data
    if len(data) != MULTISIG_BYTES or not data[2]:
        return None
    keys = [Pubkey.from_bytes(data[at : at + 32]) for at in range(3, MULTISIG_BYTES, 32)]
    return {
        "isInitialized": True,
        "numRequiredSigners": data[0],
        "numValidSigners": data[1],
        "signers": [str(key) for key in keys[: data[1]]],
    }


def _token(node: Node, account: Account, height: int) -> tuple[str, Any]:
    multisig = _multisig(account)
    if multisig is not None:
        return "multisig", multisig
    kind, info = "account", _holder(node, account, height)
    if info is None:
        kind, info = "mint", _mint(account)
    if info is None:
        raise Unparsable
    views = _extension_views(account.data)
    if views:
        info["extensions"] = views
    return kind, info


def _sysvar(node: Node, key: Pubkey, height: int) -> tuple[str, Any]:
    if key == programs.CLOCK:
        slot, epoch, now = node.bank.clock(height)
        start = node.chain.genesis_time
        info = {"epoch": epoch, "epochStartTimestamp": start, "leaderScheduleEpoch": epoch + 1}
        return "clock", {**info, "slot": slot, "unixTimestamp": now}
    if key == programs.RENT:
        return "rent", {"lamportsPerByte": "6960"}
    if key == programs.RECENT_BLOCKHASHES:
        heights = range(height, max(height - node.chain.lifetime, -1), -1)
        fee = {"lamportsPerSignature": "5000"}
        hashes = [str(node.chain.hash_of(at)) for at in heights]
        return "recentBlockhashes", [{"blockhash": h, "feeCalculator": fee} for h in hashes]
    raise Unparsable


def _table(account: Account) -> tuple[str, Any]:
    try:
        entries = table_entries(account)
    except LookupFailed as failed:
        raise Unparsable from failed
    fields = Fields(account.data[:TABLE_HEADER_BYTES])
    fields.u32()
    deactivated, extended, start = fields.u64(), fields.u64(), fields.u8()
    info: dict[str, Any] = {
        "addresses": [str(key) for key in entries],
        "deactivationSlot": str(deactivated),
        "lastExtendedSlot": str(extended),
        "lastExtendedSlotStartIndex": start,
    }
    authority = fields.option_key()
    return "lookupTable", info if authority is None else {**info, "authority": authority}


def _parse(node: Node, key: Pubkey, account: Account, height: int) -> tuple[str, str, Any]:
    match account.owner:
        case programs.TOKEN:
            return "spl-token", *_token(node, account, height)
        case programs.TOKEN_2022:
            return "spl-token-2022", *_token(node, account, height)
        case programs.SYSVAR_OWNER:
            return "sysvar", *_sysvar(node, key, height)
        case programs.LOOKUP_TABLE:
            return "address-lookup-table", *_table(account)
        case programs.UPGRADEABLE_LOADER if len(account.data) == _PROGRAM_BYTES:
            code = Pubkey.from_bytes(account.data[4:])
            return "bpf-upgradeable-loader", "program", {"programData": str(code)}
        case _:
            raise Unparsable


def parsed_account(node: Node, key: Pubkey, account: Account, height: int) -> Any:
    """Return the parsed data of `account`, None where the node has no parser for it."""
    try:
        program, kind, info = _parse(node, key, account, height)
    except (Unparsable, IndexError):
        return None
    parsed = {"info": info, "type": kind}
    return {"parsed": parsed, "program": program, "space": len(account.data)}
