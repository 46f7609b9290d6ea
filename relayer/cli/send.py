"""``relayer send``: one deposit, by a user's own key."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relayer.cli.options import config_option
from relayer.domain.address import Account

if TYPE_CHECKING:
    from relayer.settings import ChainSettings


@click.command()
@config_option
@click.option("--from", "source", required=True, help="Source chain: bnb, solana, tron or CAIP-2.")
@click.option("--to", "destination", required=True, help="Destination chain.")
@click.option("--asset", required=True, help="Symbol, such as TSLAx.")
@click.option("--shares", required=True, help="Whole shares, such as 1.5.")
@click.option("--recipient", help="Account on the destination; default: the key's own there.")
@click.option("--key", required=True, help="The user's key: file:PATH or env:NAME.")
def command(
    config_path: Path,
    source: str,
    destination: str,
    asset: str,
    shares: str,
    recipient: str | None,
    key: str,
) -> None:
    """Deposit shares on one chain towards a recipient on another."""
    tx = asyncio.run(_send(config_path, source, destination, asset, shares, recipient, key))
    click.echo(tx)
    click.echo(f"follow it: relayer trace {tx}", err=True)


async def _send(
    config_path: Path,
    source: str,
    destination: str,
    asset: str,
    shares: str,
    recipient: str | None,
    key: str,
) -> str:
    from relayer.app.chains import kit_for
    from relayer.cli.chain import find_chain
    from relayer.domain.amount import parse_shares
    from relayer.domain.errors import Rejected, SettingRefused
    from relayer.settings import load

    settings = load(config_path)
    start, end = find_chain(settings, source), find_chain(settings, destination)
    if start.id == end.id:
        msg = f"--from and --to both name {start.id}: a transfer goes to another chain"
        raise SettingRefused(msg)
    for chain in (start, end):
        _must_have(settings.chain(chain.id), asset)
    secret = settings.secret(key)
    account = end.account(recipient) if recipient else _own(secret, start.id, end.id)
    kit = kit_for(settings, start, lambda *_: None)
    try:
        return await kit.depositor(secret).deposit(asset, parse_shares(shares), end.id, account)
    except Rejected as error:
        raise Rejected(told(str(error))) from error
    finally:
        await kit.close()


def told(refusal: str) -> str:
    """A source chain's refusal in a user's words; as it is where there are none."""
    from relayer.domain.amount import Shares, format_shares

    if bounds := re.search(r"AmountOutOfBounds\((\d+), (\d+), (\d+)\)", refusal):
        asked, least, most = (format_shares(Shares(int(number))) for number in bounds.groups())
        return f"the gateway takes {least} to {most} shares in one deposit, not {asked}"
    if lacking := re.search(r"account \[(\w+)\] does not exist", refusal):
        return f"{lacking[1]}, the account of --key, holds nothing on the source"
    return refusal


def _must_have(chain: ChainSettings, asset: str) -> None:
    """SettingRefused if a chain has no token of an asset."""
    from relayer.domain.errors import SettingRefused

    served = [token.asset for token in chain.tokens]
    if asset not in served:
        msg = f"{asset!r} names no asset on {chain.chain}; served are {', '.join(served)}"
        raise SettingRefused(msg)


def _own(secret: str, source: str, chain: str) -> Account:
    """The account of the same key on an EVM or Tron destination."""
    from relayer.domain.address import ChainId, Family, account_from_word, family_of
    from relayer.domain.errors import SettingRefused
    from relayer.signing.local import Secp256k1Signer, parse_secret

    raw = parse_secret(secret, "the user's key")
    if Family.SOLANA in (family_of(ChainId(source)), family_of(ChainId(chain))):
        msg = "name a --recipient: this key has no account of its own on the destination"
        raise SettingRefused(msg)
    return account_from_word(ChainId(chain), Secp256k1Signer(raw).public)
