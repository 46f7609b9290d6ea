from __future__ import annotations

from pathlib import Path

import pytest

from relayer.cli.demo.fleet import variables_of
from relayer.cli.demo.kafka import bus_on
from relayer.settings import load
from tests.settings.example import filled


def test_settings_become_variables_that_mean_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Text, numbers, lists and tables of the processes' own settings come back as they were."""
    bus = bus_on("localhost:1,localhost:2", 2.5, brokers=3)
    own = {"attesters": [], "monitor": {"needed": 1}, "bus": bus.model_dump(exclude_defaults=True)}
    for name, text in variables_of({"state_dir": "here", **own}).items():
        monkeypatch.setenv(name, text)

    (tmp_path / "relayer.toml").write_text(filled(), encoding="utf-8")
    settings = load(tmp_path / "relayer.toml")

    assert settings.bus == bus
    assert (settings.state_dir, settings.attesters, settings.monitor.needed) == (
        Path("here"),
        (),
        1,
    )
