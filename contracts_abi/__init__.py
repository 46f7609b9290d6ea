"""The compiled contracts: ABI, bytecode and where they come from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

ContractName = Literal["Gateway", "DevnetToken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One compiled contract, as `contracts/build.mjs` wrote it."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: bytes
    deployed_bytecode: bytes
    compiler: str
    settings: dict[str, Any]
    source_sha256: str


@cache
def load(name: ContractName) -> Artifact:
    """Read the artifact of a contract; raises FileNotFoundError for an unknown name."""
    text = resources.files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8")
    raw = json.loads(text)
    return Artifact(
        name=raw["name"],
        abi=raw["abi"],
        bytecode=bytes.fromhex(raw["bytecode"][2:]),
        deployed_bytecode=bytes.fromhex(raw["deployed_bytecode"][2:]),
        compiler=raw["compiler"],
        settings=raw["settings"],
        source_sha256=raw["source_sha256"],
    )
