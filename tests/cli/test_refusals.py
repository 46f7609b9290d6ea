"""What the command line refuses before anything is signed, sent or published."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from relayer.cli.halt import scope_of
from relayer.cli.main import root
from relayer.cli.resume import digest_of, refuse_strange
from relayer.cli.send import told
from relayer.domain.errors import SettingRefused
from relayer.domain.halt import Scope, ScopeKind
from relayer.settings import Settings, load
from tests.settings.example import SOLANA_KEY, filled


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "relayer.toml"
    path.write_text(filled(), encoding="utf-8")
    return path


@pytest.fixture
def settings(config: Path) -> Settings:
    return load(config)


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("asset", "TSLA", "'TSLA' names no asset; served are"),
        ("asset", "", "names no asset"),
        ("chain", "ethereum", "names no single served chain"),
        ("chain", "", "names no single served chain"),
        ("global", "TSLAx", "--scope asset or --scope chain"),
    ],
)
def test_a_halt_that_would_stop_something_else_is_refused(
    settings: Settings, kind: str, name: str, says: str
) -> None:
    """A misspelt name stops nothing and a forgotten scope stops all: both are said at once."""
    with pytest.raises(SettingRefused, match=says):
        scope_of(settings, kind, name)


def test_a_halt_names_a_chain_as_people_do(settings: Settings) -> None:
    """bnb, solana and tron mean the served chain, whose whole name the halt carries."""
    bnb = next(chain.id for chain in settings.chains if chain.id.startswith("eip155"))

    assert scope_of(settings, "chain", "bnb") == Scope(kind=ScopeKind.CHAIN, name=bnb)
    assert scope_of(settings, "asset", "TSLAx") == Scope(kind=ScopeKind.ASSET, name="TSLAx")
    assert scope_of(settings, "global", "") == Scope(kind=ScopeKind.GLOBAL)


@pytest.mark.parametrize("text", ["", "abc", "zz" * 32, "00" * 31])
def test_a_resume_takes_whole_digests_only(text: str) -> None:
    """Half a digest is refused with what belongs there."""
    with pytest.raises(SettingRefused, match="64 hex digits"):
        digest_of(text)


def test_a_deposit_to_its_own_chain_is_not_sent(config: Path) -> None:
    """It would cost the user a transaction that the gateway refuses."""
    words = ["send", "--from", "solana", "--to", "solana", "--asset", "TSLAx", "--shares", "1"]
    done = CliRunner().invoke(
        root, [*words, "--recipient", SOLANA_KEY, "--key", "env:NONE", "--config", str(config)]
    )

    assert isinstance(done.exception, SettingRefused)
    assert "a transfer goes to another chain" in str(done.exception)


@pytest.mark.parametrize("chain", ["solana", "tron"])
def test_a_deposit_of_an_asset_that_is_not_served_names_those_that_are(
    config: Path, chain: str
) -> None:
    """A misspelt symbol costs nothing, and is told before the key is looked for."""
    words = ["send", "--from", chain, "--to", "bnb", "--asset", "TSLX", "--shares", "1"]
    done = CliRunner().invoke(root, [*words, "--key", "env:NONE", "--config", str(config)])

    assert isinstance(done.exception, SettingRefused)
    assert "'TSLX' names no asset on" in str(done.exception)
    assert "served are TSLAx" in str(done.exception)


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        (
            "AmountOutOfBounds(1000000000000000000000000, 10000000000, 100000000000000000000000)",
            "the gateway takes 0.00000001 to 100000 shares in one deposit, not 1000000",
        ),
        (
            "CONTRACT_VALIDATE_ERROR: account [TKioCn1pffaaLkgLQRADCptRd3CZgnVwX6] does not exist",
            "TKioCn1pffaaLkgLQRADCptRd3CZgnVwX6, the account of --key, holds nothing on the source",
        ),
        ("Paused(1)", "Paused(1)"),
    ],
)
def test_a_source_chains_refusal_is_told_in_a_users_words(refusal: str, says: str) -> None:
    """Raw units and node errors say neither what is wrong nor what to do; all else stays as it is."""
    assert told(refusal) == says


def test_a_resume_of_what_is_not_halted_is_refused() -> None:
    """One mistyped digest among good ones would else be published, and lift nothing."""
    stands = bytes(31) + b"\x01"
    halts: list[dict[str, object]] = [{"digest": stands.hex()}]

    refuse_strange((stands,), halts)
    with pytest.raises(SettingRefused, match=f"no halt in force has the digest {'ab' * 32}"):
        refuse_strange((stands, b"\xab" * 32), halts)


def test_a_resume_with_a_key_that_is_no_operators_is_refused(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every process would pass it over, and the command would have said that it was published."""
    monkeypatch.setenv("STRANGER", "07" * 32)
    words = ["resume", "--key", "env:STRANGER", "--reason", "-", "ab" * 32]
    done = CliRunner().invoke(root, [*words, "--config", str(config)])

    assert isinstance(done.exception, SettingRefused)
    assert "is not among operator.keys" in str(done.exception)
