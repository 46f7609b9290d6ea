from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from relayer.devnet.given import Given, load
from relayer.devnet.keys import PUBLISHED, Keyring
from relayer.domain.errors import SettingRefused

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "nodes.example.toml"


def _file(directory: Path, text: str) -> Path:
    path = directory / "nodes.toml"
    path.write_text(text)
    return path


def test_the_example_is_allowed() -> None:
    """The file that the documentation points at names all three chains."""
    given = load(EXAMPLE)

    assert given.words() == "using given nodes of BNB Chain, Solana, Tron"


def test_what_is_left_out_runs_locally(tmp_path: Path) -> None:
    """One table is enough, and the demo says which chains it starts."""
    given = load(_file(tmp_path, '[solana]\nurl = "http://127.0.0.1:8899"'))

    assert given.words() == "starting BNB Chain, Tron, using given nodes of Solana"
    assert list(given.secrets()) == []
    assert not Given()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[bnb]\nurl = "http://h"', "bnb.key"),
        ('[bnb]\nurl = "http://h"\nkey = "0x11"', "bnb.key"),
        ('[tron]\nkey = "env:KEY"', "tron.url"),
        ('[solana]\nurl = "http://h"\ncoins = "-1"', "solana.coins"),
        ('[solana]\nurl = "http://h"\nblock_seconds = 0', "solana.block_seconds"),
        ('[ethereum]\nurl = "http://h"', "ethereum"),
        ("[bnb", "not TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    """What is missing, misspelt or out of bounds is named; a key's value never is."""
    with pytest.raises(SettingRefused, match=named) as refused:
        load(_file(tmp_path, text))

    assert "0x11" not in str(refused.value)


def test_a_key_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unset variable and a missing file are told apart from a wrong key."""
    monkeypatch.delenv("SOME_KEY", raising=False)
    given = load(_file(tmp_path, '[bnb]\nurl = "http://h"\nkey = "env:SOME_KEY"'))

    with pytest.raises(SettingRefused, match="SOME_KEY"):
        list(given.secrets())


def test_keys_on_given_nodes_are_nobody_elses() -> None:
    """Who does not know the funded keys cannot make the demo's; who does makes the same again."""
    ours, again = (Keyring.private([bytes([7]) * 32]) for _ in range(2))
    others = Keyring.private([bytes([8]) * 32])

    assert ours.user(0).evm_secret == again.user(0).evm_secret
    assert len({ring.secret("payer evm") for ring in (ours, others, PUBLISHED)}) == 3
    assert "7" not in repr(ours)


def test_nodes_that_do_not_answer_are_one_sentence_each(tmp_path: Path) -> None:
    """All three are asked at the same time: whoever fails is told, without a traceback."""
    (tmp_path / "key").write_text("11" * 32)
    (tmp_path / "key").chmod(0o600)
    nodes = _file(
        tmp_path,
        '[bnb]\nurl = "http://127.0.0.1:1"\nkey = "file:key"\n'
        '[solana]\nurl = "http://127.0.0.1:1"\nkey = "file:key"\n'
        '[tron]\nurl = "http://127.0.0.1:1"\nkey = "file:key"\n',
    )
    ran = subprocess.run(
        [sys.executable, "-m", "relayer.cli.main", "demo", "--config", nodes, "--directory", "d"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert ran.stderr.startswith("relayer: ")
