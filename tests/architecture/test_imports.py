"""What an import costs: the command line answers at once, the domain stands alone."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.architecture.tree import ROOT

HEAVY = {"aiohttp", "aiokafka", "solana", "solders", "testcontainers", "tronpy", "web3"}


def _loaded(statement: str) -> set[str]:
    """Run a statement in a new interpreter and list the top-level modules it loaded."""
    script = f"import json, sys\n{statement}\nprint(json.dumps([*sys.modules]), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}


@pytest.mark.parametrize("module", ["relayer.domain.lifecycle", "relayer.ports.chain"])
def test_domain_and_ports_load_no_library_of_a_chain(module: str) -> None:
    """Importing the pure core costs none of the heavy libraries."""
    assert _loaded(f"import {module}") & HEAVY == set()


def test_help_loads_no_library_of_a_chain() -> None:
    """`relayer --help` answers without any heavy library, so in a fraction of a second."""
    run = (
        "sys.argv = ['relayer', '--help']\n"
        "from relayer.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as done: assert not done.code, done.code"
    )

    assert _loaded(run) & HEAVY == set()


def test_running_services_load_no_library_of_users() -> None:
    """web3.py and what it brings cost more memory and start-up than the relayer: users have them."""
    services = (
        "import relayer.app.run\n"
        "from relayer.chains.evm import drafter, reader, writer\n"
        "from relayer.chains.solana import drafter, reader, writer\n"
        "from relayer.chains.tron import drafter, reader, writer"
    )

    assert _loaded(services) & {"web3", "eth_account", "py_ecc"} == set()


@pytest.mark.parametrize("first", ["eth_account", "web3", "relayer.signing.local", "sys"])
def test_no_library_leaves_the_recursion_limit_raised(first: str) -> None:
    """Nested JSON of a hostile endpoint is an error, not the end of the process."""
    decode = (
        f"import json, sys, {first}\n"
        "import relayer.chains.evm.rpc, relayer.chains.solana.rpc, relayer.chains.tron.rpc\n"
        "import relayer.chains.evm.web3py, relayer.chains.evm.depositor\n"
        "assert sys.getrecursionlimit() == 1_000, sys.getrecursionlimit()\n"
        "try: json.loads('[' * 100_000)\n"
        "except RecursionError: sys.exit(0)\n"
        "sys.exit(1)"
    )
    done = subprocess.run(
        [sys.executable, "-c", decode], cwd=ROOT, capture_output=True, check=False
    )

    assert done.returncode == 0, done.stderr
