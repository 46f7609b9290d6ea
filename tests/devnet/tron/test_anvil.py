"""Anvil as a process: found, started, mining as asked, never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from relayer.devnet import anvil
from relayer.devnet.anvil import Anvil, AnvilConfig, AnvilError

REPOSITORY = Path(__file__).resolve().parents[3]
PARENT = """
import asyncio
from relayer.devnet.anvil import Anvil

async def main():
    async with Anvil() as node:
        print(node.pid, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_it_answers_with_its_chain_id_and_funded_keys() -> None:
    """Chain id, endpoints and keys are there when the context is entered."""
    async with Anvil(AnvilConfig(chain_id=56, accounts=3)) as node:
        assert int(await node.rpc.call("eth_chainId"), 16) == 56
        assert len(node.keys) == 3
        assert node.url.replace("http", "ws") == node.ws_url
        pid = node.pid
    assert pid is not None
    assert not _alive(pid)


async def test_finalized_follows_the_head_by_two_epochs() -> None:
    """With one slot in an epoch, finalized is two blocks behind; intervals may be fractions."""
    async with Anvil(AnvilConfig(block_time=0.1)) as node:
        while int(await node.rpc.call("eth_blockNumber"), 16) < 5:
            await asyncio.sleep(0.05)
        blocks = await node.rpc.batch(
            [("eth_getBlockByNumber", [tag, False]) for tag in ("latest", "finalized")]
        )
    latest, finalized = (int(block["number"], 16) for block in blocks)
    assert latest - finalized == 2


async def test_a_setting_that_anvil_refuses_is_said() -> None:
    """When the process ends, its own words come out, instead of a wait for ever."""
    with pytest.raises(AnvilError, match=r"Anvil ended with code .*--no-such-setting"):
        await Anvil(AnvilConfig(port=0, extra=("--no-such-setting",))).__aenter__()


async def test_without_automatic_mining_no_block_comes() -> None:
    """`block_time` None leaves mining to evm_mine."""
    async with Anvil(AnvilConfig(block_time=None)) as node:
        await asyncio.sleep(0.2)
        assert await node.rpc.call("eth_blockNumber") == "0x0"
        await node.rpc.call("evm_mine")
        assert await node.rpc.call("eth_blockNumber") == "0x1"


async def test_it_dies_with_a_parent_that_is_killed() -> None:
    """SIGKILL of the parent leaves no Anvil behind."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PARENT,
        stdout=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert _alive(pid)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    for _ in range(100):
        if not _alive(pid):
            break
        await asyncio.sleep(0.05)
    assert not _alive(pid)


async def test_a_port_that_is_taken_is_said() -> None:
    """An error names the port; the node that has it is not mistaken for the new one."""
    async with Anvil() as node:
        with pytest.raises(AnvilError, match=f"port {node.port} is taken"):
            await Anvil(AnvilConfig(port=node.port)).__aenter__()


def test_a_missing_anvil_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error says what to install and which variable helps."""
    monkeypatch.delenv("RELAYER_ANVIL", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(anvil, "_REPOSITORY", tmp_path)
    with pytest.raises(AnvilError, match=r"npm ci.*RELAYER_ANVIL"):
        anvil.find_anvil()


def test_a_named_anvil_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """RELAYER_ANVIL is taken at its word, never silently passed over."""
    monkeypatch.setenv("RELAYER_ANVIL", "/nowhere/anvil")
    with pytest.raises(AnvilError, match="/nowhere/anvil"):
        anvil.find_anvil()


def _alive(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be collected does not."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.exists() and sys.platform == "linux":
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
