"""Settings: one TOML file, overridden by ``RELAYER_*`` variables, read once, passed down as values.

Secrets never stand in a setting: a setting says where one is, ``file:PATH`` or ``env:NAME``. A
wrong setting is refused with its name, the reason and what is allowed; its value is not shown.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from relayer.domain.address import Account, ChainId, Family, family_of, parse_account
from relayer.domain.amount import Shares, parse_shares
from relayer.domain.errors import RelayerError, SettingRefused
from relayer.domain.transfer import Mode
from relayer.process_settings import (
    BusSettings,
    HttpSettings,
    LogSettings,
    SecretPlace,
    Section,
)

T = TypeVar("T")

SharesSetting = Annotated[str, Field(pattern=r"^\d+(\.\d{1,18})?$", examples=["1.5"])]
"""Whole shares as decimal text."""

PublicKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""An Ed25519 public key, 64 hex digits."""


class TokenSettings(Section):
    """An asset's token on one chain."""

    asset: str = Field(description="Symbol of the asset, such as TSLAx.")
    address: str = Field(description="Token contract, or Token-2022 mint on Solana.")
    mode: Mode = Field(description="burn-mint (roles granted) or lock-release (inventory).")
    vault: str | None = Field(None, description="Solana, lock-release: the vault token account.")
    vault_owner: str | None = Field(None, description="Solana: the vault's cold owner.")
    inventory: SharesSetting = Field("0", description="Solana: net operator seeding, in shares.")
    issuer: str | None = Field(None, description="Solana: the mint's permanent delegate.")


class EndpointSettings(Section):
    """One RPC endpoint; ``env:NAME`` and ``file:PATH`` are allowed where a URL holds a key."""

    url: str = Field(description="HTTP URL (Tron: the full node's).")
    ws: str | None = Field(None, description="EVM, Solana: WebSocket URL for wake-ups.")
    solidity: str | None = Field(None, description="Tron: the solidity node's URL.")


class ChainSettings(Section):
    """One chain: endpoints, the bridge's contracts or accounts, quorum and payers."""

    chain: str = Field(description="CAIP-2 name, such as eip155:56.")
    endpoints: tuple[EndpointSettings, ...] = Field(
        min_length=1, description="RPC endpoints, run by different people; three or more are wise."
    )
    agreement: int | None = Field(
        None,
        ge=1,
        description="How many endpoints must agree on a fact: more than half of them, and by "
        "default no more than that. One less may lie; as many must answer.",
    )
    first_height: int = Field(0, ge=0, description="Height at which the bridge was deployed.")
    gateway: str | None = Field(None, description="EVM and Tron: the Gateway contract.")
    tokens: tuple[TokenSettings, ...] = Field(min_length=1, description="Assets on this chain.")
    attesters: tuple[str, ...] = Field(
        min_length=1, max_length=11, description="Public keys (Solana) or addresses of attesters."
    )
    quorum: int = Field(ge=1, description="Signatures per act; more than half of the attesters.")
    payers: tuple[SecretPlace, ...] = Field(
        (), description="Fee keys, one per lane; needed where the relayer service runs."
    )
    poll_seconds: float | None = Field(None, gt=0, description="Poll interval; default by chain.")
    timeout_seconds: float = Field(10.0, gt=0, description="Bound of one RPC call.")
    beacon: str | None = Field(None, description="Solana: the beacon key.")
    fee_collector: str | None = Field(None, description="Solana: where deposits pay their fee.")
    fees: dict[str, int] = Field(
        default_factory=dict, description="Solana: fee of a deposit per destination, lamports."
    )
    receipt_mint: str | None = Field(None, description="Solana: the receipt mint.")
    multisig: str | None = Field(None, description="Solana: the quorum's Token-2022 multisig.")
    past_multisigs: tuple[str, ...] = Field(
        (), description="Solana: multisigs that were the quorum before; what they did still counts."
    )
    extra: dict[str, Any] = Field(
        default_factory=dict, description="Adapter settings by name; see the chain's config.py."
    )

    _needed: ClassVar[dict[Family, tuple[str, ...]]] = {
        Family.EVM: ("gateway",),
        Family.TRON: ("gateway",),
        Family.SOLANA: ("beacon", "fee_collector", "receipt_mint", "multisig"),
    }

    @model_validator(mode="after")
    def _check(self) -> ChainSettings:
        family = _refusing("chain", lambda: family_of(self.id))
        for name in self._needed[family]:
            if getattr(self, name) is None:
                msg = f"{name} is needed for {self.chain}"
                raise ValueError(msg)
        if 2 * self.quorum <= len(self.attesters) or self.quorum > len(self.attesters):
            allowed = f"{len(self.attesters) // 2 + 1} to {len(self.attesters)}"
            msg = f"quorum must be more than half of the attesters: {allowed}"
            raise ValueError(msg)
        if not len(self.endpoints) // 2 < self.needed <= len(self.endpoints):
            allowed = f"{len(self.endpoints) // 2 + 1} to {len(self.endpoints)}"
            msg = f"agreement must be more than half of the endpoints: {allowed}"
            raise ValueError(msg)
        self._check_accounts()
        return self

    def _check_accounts(self) -> None:
        """Refuse the first text that should be an account of this chain and is none."""
        names = ("gateway", "beacon", "fee_collector", "receipt_mint", "multisig")
        texts = [(name, getattr(self, name)) for name in names]
        for many in ("attesters", "past_multisigs"):
            texts += [(f"{many}.{n}", text) for n, text in enumerate(getattr(self, many))]
        for token in self.tokens:
            parts = ("address", "vault", "vault_owner", "issuer")
            texts += [(f"tokens {token.asset} {part}", getattr(token, part)) for part in parts]
        for name, text in texts:
            if text is not None:
                _refusing(name, partial(self.account, text))

    @property
    def id(self) -> ChainId:
        """The chain's CAIP-2 name."""
        return ChainId(self.chain)

    @property
    def needed(self) -> int:
        """How many endpoints must agree."""
        return self.agreement or len(self.endpoints) // 2 + 1

    def account(self, text: str) -> Account:
        """An account of this chain; AddressRefused if the text is none."""
        return parse_account(self.id, text)


class AssetSettings(Section):
    """What the monitor and the limits need to know of an asset; amounts in shares."""

    symbol: str = Field(description="Symbol, such as TSLAx.")
    issued: SharesSetting | None = Field(
        None, description="Upper bound of outstanding shares by the operator's record."
    )
    elsewhere: SharesSetting = Field("0", description="Supply on chains that are not served.")
    excluded: SharesSetting = Field("0", description="Held by issuer wallets, not circulating.")
    minimum: SharesSetting = Field("0.00000001", description="Smallest transfer.")
    cap: SharesSetting = Field("100000", description="Largest transfer.")
    window_cap: SharesSetting = Field("1000000", description="Per route and window.")
    window_seconds: float = Field(3600.0, gt=0, description="Length of the window.")
    large: SharesSetting = Field("100000", description="Transfers from here on are delayed.")
    large_delay_seconds: float = Field(0.0, ge=0, description="By how much.")


class AttesterSettings(Section):
    """One attester that runs in this process: one key per chain family."""

    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$", description="Names its journal file.")
    evm_key: SecretPlace = Field(description="secp256k1 key for EVM and Tron.")
    solana_key: SecretPlace = Field(description="Ed25519 key for Solana.")


class MonitorSettings(Section):
    """The supply monitor and whose leases count."""

    key: SecretPlace | None = Field(None, description="Ed25519 key, where a monitor runs.")
    keys: tuple[PublicKey, ...] = Field(min_length=1, description="Monitors whose leases count.")
    needed: int = Field(1, ge=1, description="Fresh leases needed; 2 or more in production.")
    every_seconds: float = Field(3.0, gt=0, description="How often a round begins.")
    lease_seconds: int = Field(30, ge=3, le=120, description="How long a lease lasts.")
    reserve_age_seconds: int = Field(3600, gt=0, description="Older reserve statements are stale.")
    max_lag_seconds: int = Field(180, gt=0, description="Oldest chain time a lease may carry.")
    multiplier_grace_seconds: int = Field(
        900,
        ge=0,
        description="How long after a multiplier change a reserve statement may be for the old one.",
    )

    @model_validator(mode="after")
    def _check(self) -> MonitorSettings:
        if self.needed > len(self.keys):
            msg = f"needed must be 1 to {len(self.keys)}, the number of keys"
            raise ValueError(msg)
        return self


class OperatorSettings(Section):
    """Whose commands lift halts."""

    keys: tuple[PublicKey, ...] = Field(min_length=1, description="Ed25519 public keys.")


class ReserveSettings(Section):
    """Where the number of backed shares comes from."""

    file: Path = Field(
        description="JSON: {symbol: {stock: whole units as text, at: seconds, source}}."
    )


class PaceSettings(Section):
    """How quickly lanes act, in seconds."""

    quorum_seconds: float = Field(5.0, gt=0, description="Wait for signatures, then draft anew.")
    draft_seconds: float = Field(60.0, gt=1, description="Longest life of a draft.")
    sweep_seconds: float = Field(120.0, gt=0, description="How often the Sweep runs.")
    confirm_seconds: float = Field(0.5, gt=0, description="How often submissions are looked at.")
    resend_seconds: float = Field(4.0, gt=0, description="Unlanded bytes are sent again after.")
    outbid_seconds: float = Field(
        9.0, gt=0, description="Where nonces order: a dearer submission is made after."
    )
    quarantine_seconds: float = Field(
        600.0,
        ge=0,
        description="An attester whose journal was just made signs nothing for. Longer than any "
        "signature lives and any chain needs to become final.",
    )
    in_flight: int = Field(256, ge=1, description="Unfinished submissions per lane.")


class RetentionSettings(Section):
    """How long bus and tracker keep records: too short costs time, never a deposit."""

    inbox_seconds: float = Field(604_800, ge=60, description="Records for lanes: 7 days.")
    requests_seconds: float = Field(21_600, ge=60, description="Signing requests: 6 hours.")
    supply_seconds: float = Field(604_800, ge=60, description="Verdicts and leases: 7 days.")
    transfers_seconds: float = Field(
        15_552_000, ge=60, description="The public stream, and closed transfers: 180 days."
    )


class Settings(BaseSettings):
    """Everything an operator can set."""

    model_config = SettingsConfigDict(
        env_prefix="RELAYER_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    state_dir: Path = Field(Path(".state"), description="Where databases and journals live.")
    state_secret: SecretPlace = Field(description="Key of the MAC over kept state, 32 bytes hex.")
    chains: tuple[ChainSettings, ...] = Field(min_length=2, description="The chains served.")
    assets: tuple[AssetSettings, ...] = Field(min_length=1, description="The assets moved.")
    monitor: MonitorSettings = Field(description="Monitor and leases.")
    operator: OperatorSettings = Field(description="Operators.")
    attesters: tuple[AttesterSettings, ...] = Field((), description="Attesters run here.")
    reserves: ReserveSettings | None = Field(None, description="Needed where a monitor runs.")
    http: HttpSettings = Field(HttpSettings(), description="Local HTTP server.")
    log: LogSettings = Field(LogSettings(), description="Logs.")
    pace: PaceSettings = Field(PaceSettings(), description="Pace of the lanes.")
    bus: BusSettings = Field(BusSettings(), description="The bus.")
    retention: RetentionSettings = Field(RetentionSettings(), description="How long is kept.")
    base: Path = Field(Path(), description="Set by the loader: where relative paths begin.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then the file (given as arguments)."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    @model_validator(mode="after")
    def _check(self) -> Settings:
        names = [chain.chain for chain in self.chains]
        if len(set(names)) != len(names):
            msg = f"chains: each chain once, not {names}"
            raise ValueError(msg)
        known = {asset.symbol for asset in self.assets}
        for chain in self.chains:
            for token in chain.tokens:
                if token.asset not in known:
                    msg = f"{token.asset} on {chain.chain} is not among the assets {sorted(known)}"
                    raise ValueError(msg)
        return self

    def chain(self, chain: str) -> ChainSettings:
        """The settings of a served chain; SettingRefused otherwise."""
        for one in self.chains:
            if one.chain == chain:
                return one
        msg = f"{chain} is not served; served are {', '.join(c.chain for c in self.chains)}"
        raise SettingRefused(msg)

    def path(self, path: Path) -> Path:
        """A path of the config, relative to the config file."""
        return path if path.is_absolute() else self.base / path

    def secret(self, place: str) -> str:
        """The text of a secret; SettingRefused if it is missing, never showing it."""
        return read_secret(place, self.base)

    def url(self, text: str) -> str:
        """An endpoint's URL, read from its place where it is a secret."""
        return self.secret(text) if text.startswith(("env:", "file:")) else text


def read_secret(place: str, base: Path) -> str:
    """The text of a secret at a place; a relative path begins at ``base``.

    SettingRefused if it is missing or open to everyone, never showing it.
    """
    kind, _, name = place.partition(":")
    if kind == "env":
        value = os.environ.get(name)
        if not value:
            msg = f"the environment variable {name} holds a secret and is not set"
            raise SettingRefused(msg)
        return value.strip()
    try:
        path = base / name
        if path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
            msg = f"the secret file {name} is open to everyone: chmod 600 {path}"
            raise SettingRefused(msg)
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        msg = f"the secret file {name} cannot be read: {error.strerror}"
        raise SettingRefused(msg) from error


def shares(text: str) -> Shares:
    """Shares (1e-18) of a setting."""
    return parse_shares(text)


_WHERE_ALLOWED: Final = "see `relayer config docs`"


def load(path: Path) -> Settings:
    """The settings in a TOML file; SettingRefused with every problem, one per line."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = (
            f"the config file {path} cannot be read: {error.strerror} "
            "(--config or RELAYER_CONFIG names another)"
        )
        raise SettingRefused(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"the config file {path} is not TOML: {error}"
        raise SettingRefused(msg) from error
    try:
        return Settings(**{"base": path.parent.resolve(), **content})
    except ValidationError as error:
        raise SettingRefused(problems_of(error, path, _WHERE_ALLOWED)) from None


def problems_of(error: ValidationError, path: Path, where_allowed: str) -> str:
    """Every refused setting of a file, one per line, without the values."""
    problems = "\n".join(_problem(dict(one)) for one in error.errors(include_url=False))
    return f"{path}: {error.error_count()} setting(s) refused ({where_allowed})\n{problems}"


def _problem(error: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in error["loc"]) or "settings"
    return f"  {place}: {error['msg'].removeprefix('Value error, ')}"


def _refusing(name: str, check: Callable[[], T]) -> T:
    try:
        return check()
    except RelayerError as error:
        raise ValueError(f"{name}: {error}") from error
