"""What Prometheus and Kubernetes are told."""

from __future__ import annotations

import aiohttp
from prometheus_client import CollectorRegistry, Counter

from relayer.telemetry.http import serve_health


async def test_the_health_port_tells_metrics_life_and_readiness() -> None:
    """Metrics are served; life is ok at once; readiness names what is missing, then is ok."""
    registry = CollectorRegistry()
    Counter("relayer_things", "Things.", registry=registry).inc()
    waiting = ["partition 0 of inbox"]

    async with (
        serve_health("127.0.0.1", 0, registry, lambda: waiting) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
    ):
        metrics = await (await http.get("/metrics")).text()
        live = await http.get("/livez")
        early = await http.get("/readyz")
        why = await early.text()
        waiting.clear()
        late = await http.get("/readyz")

    assert "relayer_things_total 1.0" in metrics
    assert live.status == 200
    assert (early.status, why) == (503, "waiting for partition 0 of inbox\n")
    assert late.status == 200
