"""A command that has started processes takes them along, however it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from relayer.cli.ending import ASKING, in_order
from tests.services.bridge import until

DEMO = ("-m", "relayer.cli.main", "demo", "--transfers", "6", "--rate", "0.2")
SILENT = asyncio.subprocess.DEVNULL
KEEPER = """
import asyncio, sys
from pathlib import Path
from relayer.cli.demo.child import Child

async def main():
    child = Child(config=Path("none"), log=Path(sys.argv[1]), command=("-c", "import time; time.sleep(60)"))
    await child.start()
    print(child.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2]
    except OSError:
        return False
    return not state.startswith("Z")


def _children(pid: int) -> list[int]:
    """Every living descendant."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text(encoding="ascii").split()):
            found += [child, *_children(child)]
    return found


@pytest.mark.parametrize("first", ASKING)
@pytest.mark.parametrize("second", ASKING)
def test_the_first_signal_leaves_the_block_and_a_second_does_not_disturb(
    first: signal.Signals, second: signal.Signals
) -> None:
    """What is ended on the way out ends; after it signals mean what they meant before."""
    before = [signal.getsignal(number) for number in ASKING]
    ended: list[int] = []

    def work() -> None:
        try:
            os.kill(os.getpid(), first)
            signal.pause()
        finally:
            os.kill(os.getpid(), second)
            ended.append(second)

    with in_order(), pytest.raises(SystemExit) as left:
        work()

    assert ended == [second]
    assert left.value.code == 128 + first
    assert [signal.getsignal(number) for number in ASKING] == before


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them")
async def test_a_demo_that_is_told_to_end_leaves_no_process(tmp_path: Path) -> None:
    """SIGTERM while transfers are made: chains and relayer end, and so does the demo."""
    demo = await asyncio.create_subprocess_exec(
        sys.executable, *DEMO, "--directory", str(tmp_path / "demo"), stdout=SILENT, stderr=SILENT
    )
    log = tmp_path / "demo" / "relayer.log"
    try:
        await until(lambda: log.exists() and log.stat().st_size > 0, 60)
        children = _children(demo.pid)
        assert len(children) >= 3  # two Anvils and the relayer
        demo.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await demo.wait() == 128 + signal.SIGTERM
        assert [pid for pid in children if _lives(pid)] == []
    finally:
        if demo.returncode is None:
            demo.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of others is not asked")
async def test_services_die_with_a_demo_that_is_killed(tmp_path: Path) -> None:
    """SIGKILL leaves it no time to end them."""
    keeper = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KEEPER, str(tmp_path / "log"), stdout=asyncio.subprocess.PIPE
    )
    assert keeper.stdout is not None
    child = int(await keeper.stdout.readline())
    assert _lives(child)
    os.kill(keeper.pid, signal.SIGKILL)
    await keeper.wait()

    await until(lambda: not _lives(child), 10)
