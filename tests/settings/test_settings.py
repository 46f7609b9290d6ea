from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relayer.app.bus import cluster_of
from relayer.cli.main import root
from relayer.domain.errors import SettingRefused
from relayer.settings import load
from tests.settings.example import EVM, EXAMPLE, ROOT, filled


def _load(tmp_path: Path, text: str) -> None:
    path = tmp_path / "relayer.toml"
    path.write_text(text, encoding="utf-8")
    load(path)


def test_the_mainnet_example_is_whole_once_it_is_filled_in(tmp_path: Path) -> None:
    """Three chains, three assets, the real tokens of BNB Chain and Solana."""
    path = tmp_path / "relayer.toml"
    path.write_text(filled(), encoding="utf-8")

    loaded = load(path)

    assert [chain.chain.partition(":")[0] for chain in loaded.chains] == [
        "solana",
        "eip155",
        "tron",
    ]
    assert loaded.monitor.needed == 2


def test_an_example_that_is_not_filled_in_is_refused_by_name(tmp_path: Path) -> None:
    """Each placeholder is named with what belongs there."""
    with pytest.raises(SettingRefused) as refused:
        _load(tmp_path, EXAMPLE)

    for name in ("monitor.keys.0", "operator.keys.0", "chains.0", "chains.1", "chains.2"):
        assert name in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("quorum = 2", "quorum = 1", "quorum must be more than half of the attesters: 2 to 3"),
        ("quorum = 2", "quorum = 4", "quorum must be more than half"),
        ("agreement = 2", "agreement = 1", "more than half of the endpoints: 2 to 3"),
        ("agreement = 2", "agreement = 4", "more than half of the endpoints: 2 to 3"),
        ("lease_seconds = 30", "lease_seconds = 500", "less than or equal to 120"),
        ("port = 9464", "port = 99999", "http.port"),
        ('mode = "lock-release"', 'mode = "mint"', "'burn-mint' or 'lock-release'"),
        ('level = "info"', 'level = "loud"', "log.level"),
        ("needed = 2", "needed = 3", "needed must be 1 to 2"),
        ('asset = "TSLAx"', 'asset = "TSLA"', "is not among the assets"),
        (EVM, EVM[:-1], "is not an EVM address"),
        ("every_seconds = 3", "evry_seconds = 3", "monitor.evry_seconds: Extra inputs"),
        ('"file:secrets/state"', '"deadbeefdeadbeef"', "state_secret: String should match"),
        ('chain = "eip155:56"', 'chain = "bnb"', "is not a CAIP-2 name"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    """Never a stack trace, never a guess."""
    text = filled()
    assert old in text

    with pytest.raises(SettingRefused, match=re.escape(says)):
        _load(tmp_path, text.replace(old, new, 1))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(secret=st.from_regex(r"[0-9a-f]{64}", fullmatch=True))
def test_a_secret_in_the_wrong_place_is_refused_and_not_shown(tmp_path: Path, secret: str) -> None:
    """Whoever pastes a key into the file is told so without seeing it in a log."""
    text = filled().replace("file:secrets/state", secret).replace("file:secrets/monitor", secret)

    with pytest.raises(SettingRefused) as refused:
        _load(tmp_path, text)

    assert secret not in str(refused.value)
    assert refused.value.__cause__ is None


def test_config_check_says_how_many_endpoints_may_lie_or_fail(tmp_path: Path) -> None:
    """Per chain; one endpoint alone is believed alone, and by default more than half agree."""
    path = tmp_path / "relayer.toml"
    alone = re.sub(
        r'endpoints = \[\n    \{ url = "env:BNB_RPC"[^]]*\]',
        'endpoints = [{ url = "x" }]',
        filled(),
    )
    path.write_text(alone.replace("agreement = 2", "", 2), encoding="utf-8")

    said = CliRunner().invoke(root, ["config", "check", "--config", str(path)]).output

    assert "Kvdp: 2 of 3 endpoints agree; 1 may lie, 1 may fail" in said
    assert "eip155:56: one endpoint, believed alone" in said
    assert "dc: 2 of 3 endpoints agree" in said


def test_config_show_has_neither_secrets_nor_keys_of_endpoints(tmp_path: Path) -> None:
    """An endpoint is shown by its host alone."""
    path = tmp_path / "relayer.toml"
    text = filled().replace("env:BNB_RPC", "https://bnb.example/v2/SECRETKEY?token=SECRETKEY")
    path.write_text(text, encoding="utf-8")

    shown = CliRunner().invoke(root, ["config", "show", "--config", str(path)])

    assert shown.exit_code == 0
    assert "bnb.example" in shown.output
    assert "SECRETKEY" not in shown.output


def test_a_secret_file_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    """And the message says how to close it."""
    path = tmp_path / "relayer.toml"
    path.write_text(filled(), encoding="utf-8")
    (tmp_path / "secrets").mkdir()
    key = tmp_path / "secrets" / "state"
    key.write_text("5" * 64)
    key.chmod(0o644)

    with pytest.raises(SettingRefused, match="chmod 600"):
        load(path).secret("file:secrets/state")

    key.chmod(0o600)
    assert load(path).secret("file:secrets/state") == "5" * 64


def test_a_missing_secret_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its variable or its file."""
    path = tmp_path / "relayer.toml"
    path.write_text(filled(), encoding="utf-8")
    monkeypatch.delenv("BNB_RPC", raising=False)

    with pytest.raises(SettingRefused, match="BNB_RPC"):
        load(path).secret("env:BNB_RPC")
    with pytest.raises(SettingRefused, match="secrets/none"):
        load(path).secret("file:secrets/none")


def test_the_environment_overrides_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RELAYER_ and the setting's path, joined by two underscores."""
    path = tmp_path / "relayer.toml"
    path.write_text(filled(), encoding="utf-8")
    monkeypatch.setenv("RELAYER_LOG__LEVEL", "debug")

    assert load(path).log.level == "debug"


@pytest.mark.parametrize("text", ["[", "\x00", "chains = 3"])
def test_what_is_no_config_is_refused(tmp_path: Path, text: str) -> None:
    """Half a file, binary, or a number where tables belong."""
    with pytest.raises(SettingRefused):
        _load(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The first thing that goes wrong for a newcomer."""
    with pytest.raises(SettingRefused, match="cannot be read"):
        load(tmp_path / "nowhere.toml")


def test_the_devnet_example_is_a_config_as_the_devnet_writes_it() -> None:
    """Three chains with both modes, two attesters of three, every setting allowed."""
    loaded = load(ROOT / "config" / "devnet.example.toml")

    assert len(loaded.chains) == 3
    assert [asset.symbol for asset in loaded.assets] == ["TSLAx", "NVDAx", "AAPLx"]
    assert len(loaded.attesters) == 3


@pytest.mark.parametrize(
    ("held", "why"), [(None, "No such file"), ("no certificate", "certificate")]
)
def test_an_authority_that_is_none_is_named(held: str | None, why: str, tmp_path: Path) -> None:
    """With its setting and its path: it is the first file of a secured cluster that goes missing."""
    authority = tmp_path / "ca.pem"
    if held is not None:
        authority.write_text(held, encoding="utf-8")
    lines = f'kind = "kafka"\nservers = ["k:9093"]\ntls = true\nauthority = "{authority}"'
    path = tmp_path / "relayer.toml"
    path.write_text(f"{filled()}\n[bus]\n{lines}\n", encoding="utf-8")
    settings = load(path)

    with pytest.raises(SettingRefused, match=f"bus.authority: {authority} cannot be used: .*{why}"):
        cluster_of(settings)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('kind = "kafka"', "servers: Kafka needs at least one"),
        ('user = "relayer"', "password: it and user belong together"),
        ('certificate = "me.pem"\ntls = true', "certificate: it and certificate_key"),
        ('authority = "ca.pem"', "tls: authority and certificate need it"),
        ('mechanism = "PLAIN"', "mechanism: PLAIN needs tls"),
        ("replication = 1", "min_insync: at most as many as replication"),
        ('password = "hunter2"', "bus.password"),
    ],
)
def test_a_bus_that_cannot_be_meant_is_refused(lines: str, words: str, tmp_path: Path) -> None:
    """Half an identity, an identity sent in the clear, and no cluster: each is named."""
    with pytest.raises(SettingRefused) as refused:
        _load(tmp_path, f"{filled()}\n[bus]\n{lines}\n")

    assert words in str(refused.value)
    assert "hunter2" not in str(refused.value)
