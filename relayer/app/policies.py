"""From settings to the rules that the core decides by."""

from __future__ import annotations

from relayer.domain.errors import SettingRefused
from relayer.domain.gate import GatePolicy
from relayer.domain.limits import Limits
from relayer.domain.transfer import Route
from relayer.domain.verdict import SupplyPolicy
from relayer.settings import AssetSettings, Settings, shares


def limits_of(settings: Settings) -> dict[Route, Limits]:
    """The limits of every route: each pair of chains that both have the asset's token."""
    return {
        route: _limits(asset) for asset in settings.assets for route in _routes(settings, asset)
    }


def _routes(settings: Settings, asset: AssetSettings) -> list[Route]:
    places = [c.id for c in settings.chains if any(t.asset == asset.symbol for t in c.tokens)]
    return [
        Route(source=source, destination=destination, asset=asset.symbol)
        for source in places
        for destination in places
        if source != destination
    ]


def _limits(asset: AssetSettings) -> Limits:
    return Limits(
        minimum=shares(asset.minimum),
        cap=shares(asset.cap),
        window_cap=shares(asset.window_cap),
        window=asset.window_seconds,
        large=shares(asset.large),
        large_delay=asset.large_delay_seconds,
    )


def supply_policy_of(settings: Settings) -> SupplyPolicy:
    """What the monitor weighs by."""
    return SupplyPolicy(
        chains=tuple(chain.id for chain in settings.chains),
        reserve_age=settings.monitor.reserve_age_seconds,
        lease=settings.monitor.lease_seconds,
        multiplier_grace=settings.monitor.multiplier_grace_seconds,
        elsewhere={a.symbol: shares(a.elsewhere) for a in settings.assets},
        excluded={a.symbol: shares(a.excluded) for a in settings.assets},
        issued={a.symbol: shares(a.issued) for a in settings.assets if a.issued},
    )


def gate_policy_of(settings: Settings) -> GatePolicy:
    """Whose word a gate takes, and about what."""
    return GatePolicy(
        monitors=frozenset(bytes.fromhex(key) for key in settings.monitor.keys),
        operators=frozenset(bytes.fromhex(key) for key in settings.operator.keys),
        assets=frozenset(asset.symbol for asset in settings.assets),
        chains=frozenset(chain.id for chain in settings.chains),
        needed=settings.monitor.needed,
        max_lag=settings.monitor.max_lag_seconds,
    )


def state_key(settings: Settings, role: str) -> bytes:
    """The secret under which a role keeps its state; SettingRefused if it is too short."""
    secret = settings.secret(settings.state_secret)
    if len(secret) < 32:
        msg = "state_secret must have at least 32 characters"
        raise SettingRefused(msg)
    return f"{role}:{secret}".encode()
