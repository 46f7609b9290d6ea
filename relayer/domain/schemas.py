"""The JSON schema of every record on the bus, made of the very types that decode it.

What the schema cannot say, each schema says in words: how many bytes a record may have, and that no
number, in a field that is not known either, is beyond 2**53.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from relayer.domain.authority import SIGNED
from relayer.domain.command import COMMAND
from relayer.domain.gate import CONTROL_RECORDS, LEASE, RESUME, SUPPLY_RECORDS, VERDICT
from relayer.domain.records import (
    INBOX,
    NUMBER_STATE,
    REQUESTS,
    SUBMISSION_STATE,
    TRANSFER_STATE,
    TRANSFERS,
)
from relayer.domain.wire import Codec

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A kind of record: what decodes it, and where it stands in words."""

    codec: Codec[Any]
    about: str


_STATE: Final = "The text behind the 32 bytes of its role's MAC."
_BODY: Final = "The text in `body` of a signed record, whose signature covers it byte for byte."

RECORDS: Final[Mapping[str, Described]] = {
    "inbox": Described(codec=INBOX, about="A record of bridge.inbox.<chain>."),
    "signing.requests": Described(codec=REQUESTS, about="A record of bridge.signing.requests."),
    "transfers": Described(codec=TRANSFERS, about="A record of bridge.transfers."),
    "supply": Described(codec=SUPPLY_RECORDS, about="A record of bridge.supply."),
    "control": Described(codec=CONTROL_RECORDS, about="A record of bridge.control."),
    "signed": Described(codec=SIGNED, about="A signed record, as POST /commands takes it."),
    "signed.command": Described(codec=COMMAND, about=f"An operator's command. {_BODY}"),
    "signed.resume": Described(codec=RESUME, about=f"An operator's resume. {_BODY}"),
    "signed.lease": Described(codec=LEASE, about=f"A monitor's lease. {_BODY}"),
    "signed.verdict": Described(codec=VERDICT, about=f"A monitor's verdict. {_BODY}"),
    "state.relayer.transfer": Described(
        codec=TRANSFER_STATE,
        about=f"bridge.state.relayer.<chain>, keys transfer/<id>: an open transfer. {_STATE}",
    ),
    "state.relayer.submission": Described(
        codec=SUBMISSION_STATE,
        about=f"bridge.state.relayer.<chain>, keys submission/<tx>: a signed attempt. {_STATE}",
    ),
    "state.relayer.command": Described(
        codec=NUMBER_STATE,
        about="bridge.state.relayer.<chain>, keys command/<id>: when a command that was taken "
        f"ends, in seconds since the epoch. {_STATE}",
    ),
    "state.relayer.sweep": Described(
        codec=NUMBER_STATE,
        about="bridge.state.relayer.<chain>, keys sweep/<chain>: the height up to which every "
        f"deposit is closed. {_STATE}",
    ),
    "state.listener": Described(
        codec=NUMBER_STATE,
        about="bridge.state.listener.<chain>, key cursor: the height up to which the chain is "
        f"read. {_STATE}",
    ),
}
"""Every kind of record, by the name of its schema."""


def schema_of(name: str) -> dict[str, Any]:
    """The schema of a kind of record."""
    kind = RECORDS[name]
    made = kind.codec.json_schema()
    _tidy(made)
    bounds = f"At most {kind.codec.most} bytes; no number beyond 2**53, unknown fields included."
    words = [kind.about, bounds, made.pop("description", "")]
    head = {"$schema": DIALECT, "title": name, "description": "\n\n".join(filter(None, words))}
    return head | {word: value for word, value in made.items() if word != "title"}


def text_of(name: str) -> str:
    """The file that holds the schema of a kind of record."""
    return json.dumps(schema_of(name), indent=2) + "\n"


def _tidy(schema: dict[str, Any]) -> None:
    """Ask for what tells the records of a union apart, and leave out what only repeats a name."""
    if "discriminator" in schema:
        field = schema.pop("discriminator")["propertyName"]
        for one in schema["oneOf"]:
            member = schema["$defs"][one["$ref"].removeprefix("#/$defs/")]
            member["required"] = sorted({field, *member["required"]})
    for member in (schema, *schema.get("$defs", {}).values()):
        for field in member.get("properties", {}).values():
            field.pop("title", None)
            if "const" in field:
                del field["default"]
