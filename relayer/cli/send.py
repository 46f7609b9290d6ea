"""``relayer send``: one deposit, by a user's own key."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from relayer.cli.options import config_option
from relayer.domain.address import Account


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
    from relayer.domain.errors import SettingRefused
    from relayer.settings import load

    settings = load(config_path)
    start, end = find_chain(settings, source), find_chain(settings, destination)
    if start.id == end.id:
        msg = f"--from and --to both name {start.id}: a transfer goes to another chain"
        raise SettingRefused(msg)
    secret = settings.secret(key)
    account = end.account(recipient) if recipient else _own(secret, start.id, end.id)
    kit = kit_for(settings, start, lambda *_: None)
    try:
        return await kit.depositor(secret).deposit(asset, parse_shares(shares), end.id, account)
    finally:
        await kit.close()


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
