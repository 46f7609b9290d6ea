"""Between protobuf messages and the node's JSON: zero fields left out, bytes as hex, `visible`."""

from __future__ import annotations

import hashlib
from typing import Any

from relayer.devnet.tron import messages
from relayer.devnet.tron.addresses import AddressError, from_visible, to_visible
from relayer.devnet.tron.faultwords import ApiError

_ADDRESSES = frozenset(
    {"owner_address", "to_address", "contract_address", "origin_address", "witness_address"}
)


def render(message: Any, *, visible: bool) -> dict[str, Any]:
    """Return a message as the node writes it: hex without 0x, base58 addresses when visible."""
    return {
        field.name: _render_field(field, value, visible=visible)
        for field, value in message.ListFields()
    }


def _render_field(field: Any, value: Any, *, visible: bool) -> Any:
    if field.is_repeated:
        return [_render_value(field, one, visible=visible) for one in value]
    return _render_value(field, value, visible=visible)


def _render_value(field: Any, value: Any, *, visible: bool) -> Any:
    if field.message_type is not None:
        return render(value, visible=visible)
    if field.enum_type is not None:
        return _enum_name(field.enum_type, value)
    if isinstance(value, bytes):
        return render_address(value, visible=visible) if field.name in _ADDRESSES else value.hex()
    return value


def render_address(address: bytes, *, visible: bool) -> str:
    """Return an address as hex with 41, or as base58 when visible."""
    return to_visible(address) if visible else address.hex()


def _enum_name(enum: Any, number: int) -> str:
    known = enum.values_by_number.get(number)
    return str(number) if known is None else str(known.name).partition("__")[2]


def render_transaction(transaction: Any, *, visible: bool, marked: bool = False) -> dict[str, Any]:
    """Return a transaction with txID, raw_data and raw_data_hex; `marked` adds `visible` itself."""
    raw = transaction.raw_data
    contracts = [_render_contract(one, visible=visible) for one in raw.contract]
    answer: dict[str, Any] = {}
    if transaction.ret:
        answer["ret"] = [render(one, visible=visible) for one in transaction.ret]
    if transaction.signature:
        answer["signature"] = [one.hex() for one in transaction.signature]
    if marked:
        answer["visible"] = visible
    answer["txID"] = txid(transaction).hex()
    fields = render(raw, visible=visible)
    answer["raw_data"] = {**fields, "contract": contracts}
    answer["raw_data_hex"] = raw.SerializeToString().hex()
    return answer


def _render_contract(contract: Any, *, visible: bool) -> dict[str, Any]:
    inner = messages.unpack(contract)
    if inner is None:
        return render(contract, visible=visible)
    answer: dict[str, Any] = {
        "parameter": {
            "value": render(inner, visible=visible),
            "type_url": contract.parameter.type_url,
        },
        "type": messages.contract_name(contract.type),
    }
    if contract.Permission_id:
        answer["Permission_id"] = contract.Permission_id
    return answer


def txid(transaction: Any) -> bytes:
    """Return the transaction's id: sha256 of its raw data, nothing else counts."""
    return hashlib.sha256(transaction.raw_data.SerializeToString()).digest()


def read_transaction(body: dict[str, Any]) -> Any:
    """Return the transaction in the JSON of broadcasttransaction; only raw_data and signature count.

    Contracts that do not parse are left out, as the node does. Raises `ApiError`.
    """
    visible = body.get("visible") is True
    raw = body.get("raw_data")
    if not isinstance(raw, dict) or not isinstance(raw.get("contract"), list):
        raise ApiError(
            "java.lang.NullPointerException",
            'Cannot invoke "com.alibaba.fastjson.JSONObject.getJSONArray(String)"'
            ' because "<local3>" is null',
        )
    read = messages.new("Raw")
    _fill(read, {key: value for key, value in raw.items() if key != "contract"}, visible=visible)
    read.contract.extend(_read_contracts(raw["contract"], visible=visible))
    signatures = [_hex(one) for one in body.get("signature") or []]
    return messages.new("Transaction", raw_data=read, signature=signatures)


def _read_contracts(contracts: list[Any], *, visible: bool) -> list[Any]:
    read = []
    for one in contracts:
        name, value = one.get("type"), one.get("parameter", {}).get("value")
        if name in messages.CONTRACTS and isinstance(value, dict):
            inner = read_message(name, value, visible=visible)
            read.append(messages.pack(name, inner, int(one.get("Permission_id", 0))))
    return read


def read_message(name: str, values: dict[str, Any], *, visible: bool) -> Any:
    """Return the message of this name with the fields of some JSON; raises `ApiError`."""
    message = messages.new(name)
    _fill(message, values, visible=visible)
    return message


def _fill(message: Any, values: dict[str, Any], *, visible: bool) -> None:
    """Set fields from JSON; unknown ones are ignored, as the node does."""
    fields = message.DESCRIPTOR.fields_by_name
    for key, value in values.items():
        field = fields.get(key)
        if field is None or value is None:
            continue
        if field.message_type is not None:
            _fill_message(message, field, value, visible=visible)
        elif field.is_repeated:
            getattr(message, key).extend(_scalar(field, one, visible=visible) for one in value)
        else:
            setattr(message, key, _scalar(field, value, visible=visible))


def _fill_message(message: Any, field: Any, value: Any, *, visible: bool) -> None:
    target = getattr(message, field.name)
    if not field.is_repeated:
        target.SetInParent()
        _fill(target, value, visible=visible)
        return
    for one in value:
        _fill(target.add(), one, visible=visible)


def _scalar(field: Any, value: Any, *, visible: bool) -> Any:
    if field.enum_type is not None:
        return _enum_number(field.enum_type, value)
    if field.type == field.TYPE_BYTES:
        if visible and field.name in _ADDRESSES:
            return read_address(value, visible=True)
        return _hex(value)
    return value if field.type in (field.TYPE_STRING, field.TYPE_BOOL) else int(value)


def _enum_number(enum: Any, value: Any) -> int:
    if isinstance(value, int):
        return value
    by_name = {one.name.partition("__")[2].lower(): one.number for one in enum.values}
    return int(by_name.get(str(value).lower(), 0))


def read_address(value: Any, *, visible: bool) -> bytes:
    """Return an address field's bytes: hex, or base58 when visible; raises `ApiError`."""
    if not visible:
        return _hex(value)
    try:
        return from_visible(str(value))
    except AddressError as error:
        raise _not_hex() from error


def _hex(value: Any) -> bytes:
    try:
        return bytes.fromhex(str(value).removeprefix("0x"))
    except ValueError as error:
        raise _not_hex() from error


def _not_hex() -> ApiError:
    return ApiError("org.tron.core.services.http.JsonFormat$ParseException", "INVALID hex String")
