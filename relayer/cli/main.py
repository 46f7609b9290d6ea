"""The command line. Commands are loaded when they are called: ``--help`` answers at once."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Final

import click

from relayer import __version__

COMMANDS: Final = {
    "run": ("relayer.cli.run", "Run services: all of them, or those named."),
    "demo": ("relayer.cli.demo", "Move shares over all six routes on local chains and check it."),
    "devnet": ("relayer.cli.devnet", "Keep three local chains running, bridge deployed."),
    "send": ("relayer.cli.send", "Deposit shares on one chain towards another."),
    "status": ("relayer.cli.status", "Where transfers stand."),
    "trace": ("relayer.cli.trace", "The life of one transfer, on both chains."),
    "supply": ("relayer.cli.supply", "The supply equation per asset, with heights."),
    "halt": ("relayer.cli.halt", "Stop deliveries of a scope until an operator resumes them."),
    "resume": ("relayer.cli.resume", "Lift halts, signed with the operator's key."),
    "retry": ("relayer.cli.retry", "Look at a parked or waiting transfer again, signed."),
    "park": ("relayer.cli.park", "Set a transfer aside, signed with the operator's key."),
    "refund": ("relayer.cli.refund", "Give the shares of a transfer back, signed."),
    "topics": ("relayer.cli.topics", "Make and check the topics on Kafka; print ACLs."),
    "config": ("relayer.cli.config", "Show, check and explain settings."),
}


class _Lazy(click.Group):
    """Loads a command's module only when the command is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="relayer")
def root() -> None:
    """Move xStocks between Solana, BNB Smart Chain and Tron.

    Never twice, never unbacked, never lost, never silent.
    """


def main() -> None:
    """Run the command line; errors raised on purpose become one sentence and exit code 1."""
    from relayer.domain.errors import RelayerError

    told = False
    try:
        root(standalone_mode=True)
    except* RelayerError as errors:
        told = True
        # Several tasks may have met the same trouble: it is told once.
        for sentence in dict.fromkeys(str(error) for error in _leaves(errors)):
            click.echo(f"relayer: {sentence}", err=True)
    if told:
        sys.exit(1)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group of tasks, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


if __name__ == "__main__":
    main()
