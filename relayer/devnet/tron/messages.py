"""The protobuf messages of Tron that the devnet reads and writes.

tronpy brings only the two that it can build offline, so all of them are described here once
(field numbers as in the public protocol files) and built in a descriptor pool of their own.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

__all__ = [
    "CONTRACTS",
    "DecodeError",
    "contract_name",
    "mutability_name",
    "new",
    "pack",
    "parse",
    "result_number",
    "unpack",
]

_PACKAGE = "protocol"
_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bytes": _FIELD.TYPE_BYTES,
    "string": _FIELD.TYPE_STRING,
    "int64": _FIELD.TYPE_INT64,
    "int32": _FIELD.TYPE_INT32,
    "bool": _FIELD.TYPE_BOOL,
}
CONTRACTS = {
    "AccountCreateContract": 0,
    "TransferContract": 1,
    "TransferAssetContract": 2,
    "CreateSmartContract": 30,
    "TriggerSmartContract": 31,
    "UpdateSettingContract": 33,
    "UpdateEnergyLimitContract": 45,
    "AccountPermissionUpdateContract": 46,
    "ClearABIContract": 48,
}
_ENUMS = {
    "ContractType": CONTRACTS,
    "Code": {"SUCESS": 0, "FAILED": 1},
    "ContractResult": {
        name: number
        for number, name in enumerate(
            (
                *("DEFAULT", "SUCCESS", "REVERT", "BAD_JUMP_DESTINATION", "OUT_OF_MEMORY"),
                *("PRECOMPILED_CONTRACT", "STACK_TOO_SMALL", "STACK_TOO_LARGE"),
                *("ILLEGAL_OPERATION", "STACK_OVERFLOW", "OUT_OF_ENERGY", "OUT_OF_TIME"),
                *("JVM_STACK_OVER_FLOW", "UNKNOWN", "TRANSFER_FAILED", "INVALID_CODE"),
            )
        )
    },
    "EntryType": {
        "UnknownEntryType": 0,
        "Constructor": 1,
        "Function": 2,
        "Event": 3,
        "Fallback": 4,
        "Receive": 5,
        "Error": 6,
    },
    "StateMutabilityType": {
        "UnknownMutabilityType": 0,
        "Pure": 1,
        "View": 2,
        "Nonpayable": 3,
        "Payable": 4,
    },
}
_MESSAGES = {
    "Any": "1 type_url string, 2 value bytes",
    "TransferContract": "1 owner_address bytes, 2 to_address bytes, 3 amount int64",
    "TriggerSmartContract": "1 owner_address bytes, 2 contract_address bytes, 3 call_value int64,"
    " 4 data bytes, 5 call_token_value int64, 6 token_id int64",
    "CreateSmartContract": "1 owner_address bytes, 2 new_contract SmartContract,"
    " 3 call_token_value int64, 4 token_id int64",
    "SmartContract": "1 origin_address bytes, 2 contract_address bytes, 3 abi Abi, 4 bytecode bytes,"
    " 5 call_value int64, 6 consume_user_resource_percent int64, 7 name string,"
    " 8 origin_energy_limit int64, 9 code_hash bytes, 10 trx_hash bytes, 11 version int32",
    "Abi": "1 entrys Entry*",
    "Entry": "1 anonymous bool, 2 constant bool, 3 name string, 4 inputs Param*, 5 outputs Param*,"
    " 6 type EntryType, 7 payable bool, 8 stateMutability StateMutabilityType",
    "Param": "1 indexed bool, 2 name string, 3 type string",
    "Contract": "1 type ContractType, 2 parameter Any, 3 provider bytes, 4 ContractName bytes,"
    " 5 Permission_id int32",
    "Raw": "1 ref_block_bytes bytes, 3 ref_block_num int64, 4 ref_block_hash bytes,"
    " 8 expiration int64, 10 data bytes, 11 contract Contract*, 12 scripts bytes,"
    " 14 timestamp int64, 18 fee_limit int64",
    "Result": "1 fee int64, 2 ret Code, 3 contractRet ContractResult",
    "Transaction": "1 raw_data Raw, 2 signature bytes*, 5 ret Result*",
    "HeaderRaw": "1 timestamp int64, 2 txTrieRoot bytes, 3 parentHash bytes, 7 number int64,"
    " 8 witness_id int64, 9 witness_address bytes, 10 version int32, 11 accountStateRoot bytes",
    "BlockHeader": "1 raw_data HeaderRaw, 2 witness_signature bytes",
    "Block": "1 transactions Transaction*, 2 block_header BlockHeader",
}


def _describe() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="relayer/devnet/tron.proto", package=_PACKAGE, syntax="proto3"
    )
    for enum, values in _ENUMS.items():
        described = file.enum_type.add(name=enum)
        for name, number in values.items():
            # Enum values share one scope in protobuf, so each carries the name of its enum.
            described.value.add(name=f"{enum}.{name}".replace(".", "__"), number=number)
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for text in fields.split(","):
            _add_field(described, *text.split())
    return file


def _add_field(message: Any, number: str, name: str, kind: str) -> None:
    added = message.field.add(name=name, number=int(number))
    base = kind.rstrip("*")
    added.label = _FIELD.LABEL_REPEATED if kind.endswith("*") else _FIELD.LABEL_OPTIONAL
    if base in _SCALARS:
        added.type = _SCALARS[base]
    else:
        added.type = _FIELD.TYPE_ENUM if base in _ENUMS else _FIELD.TYPE_MESSAGE
        added.type_name = f".{_PACKAGE}.{base}"


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_describe())
_CLASSES = {
    name: message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
    for name in _MESSAGES
}
_CONTRACT_NAMES = {number: name for name, number in CONTRACTS.items()}


def new(name: str, **fields: Any) -> Any:
    """Return a new message of this name (see `_MESSAGES`) with these fields set."""
    return _CLASSES[name](**fields)


def parse(name: str, data: bytes) -> Any:
    """Return the message in these bytes; raises `DecodeError`."""
    message = _CLASSES[name]()
    message.ParseFromString(data)
    return message


def contract_name(number: int) -> str | None:
    """Return the name of a contract type that the devnet knows."""
    return _CONTRACT_NAMES.get(number)


def pack(name: str, message: Any, permission: int = 0) -> Any:
    """Return a transaction's Contract that carries this message."""
    return new(
        "Contract",
        type=CONTRACTS[name],
        parameter=new(
            "Any",
            type_url=f"type.googleapis.com/{_PACKAGE}.{name}",
            value=message.SerializeToString(),
        ),
        Permission_id=permission,
    )


def unpack(contract: Any) -> Any:
    """Return the message inside a transaction's Contract, None when the devnet does not know it.

    Raises `DecodeError`.
    """
    name = contract_name(contract.type)
    if name is None or name not in _CLASSES:
        return None
    return parse(name, contract.parameter.value)


def result_number(name: str) -> int:
    """Return the number of a contract result such as REVERT."""
    return _ENUMS["ContractResult"][name]


def mutability_name(number: int) -> str:
    """Return the name of a function's state mutability such as View."""
    names = {value: name for name, value in _ENUMS["StateMutabilityType"].items()}
    return names.get(number, "UnknownMutabilityType")
