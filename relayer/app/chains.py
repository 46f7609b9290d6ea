"""From a chain's settings to its adapter: the one place that knows all adapters."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, assert_never

from relayer.agreement.health import EndpointObserver, Unwatched
from relayer.app.opened import Given, Observe, Opened, Prove
from relayer.domain.address import Account, ChainId, Family, family_of, word_of
from relayer.domain.errors import SettingRefused
from relayer.ports.chain import ChainDrafter, ChainReader, ChainWriter, Depositor
from relayer.ports.signer import Signer
from relayer.settings import ChainSettings, EndpointSettings, Settings, shares

if TYPE_CHECKING:
    from relayer.chains.solana.config import SolanaConfig


class ChainKit(Protocol):
    """Makes the ports of one chain. Each call asks on its own, and proves each endpoint anew."""

    def reader(self) -> ChainReader:
        """A reader of what the chain's endpoints agree on."""

    def drafter(self, payer: str | None) -> ChainDrafter:
        """A drafter; ``payer`` is the place of the lane's fee key, None for an attester."""

    def writer(self, payer: str) -> ChainWriter:
        """A writer that pays with the key at this place."""

    def depositor(self, secret: str) -> Depositor:
        """A user with a key in text form (64 hex digits, or Solana's base58 or JSON)."""

    async def close(self) -> None:
        """Close every connection that was opened for these ports."""


def kit_for(
    settings: Settings,
    chain: ChainSettings,
    observe: Observe,
    watch: EndpointObserver | None = None,
) -> ChainKit:
    """The kit of a chain; SettingRefused for an unknown adapter setting.

    ``observe`` is told of every call, ``watch`` of every endpoint's health.
    """
    given = Given(settings=settings, chain=chain, observe=observe, watch=watch or Unwatched())
    try:
        match family_of(chain.id):
            case Family.EVM:
                return _EvmKit(given)
            case Family.SOLANA:
                return _SolanaKit(given)
            case Family.TRON:
                return _TronKit(given)
            case family:
                assert_never(family)
    except TypeError as error:
        msg = f"chains {chain.chain} extra: {error}"
        raise SettingRefused(msg) from error


class _EvmKit(Opened):
    def _config(self, endpoint: EndpointSettings) -> Any:
        from relayer.chains.evm.config import EvmConfig

        given = self._given
        return EvmConfig(
            url=given.settings.url(endpoint.url),
            ws_url=given.url(endpoint.ws),
            first_height=given.chain.first_height,
            **_gateway(given),
            **given.extra,
        )

    def _rpc(self, place: int) -> Any:
        from relayer.chains.evm.rpc import EvmRpc

        config = self._configs[place]
        return self._opened(EvmRpc(config.url, ws_url=config.ws_url, **self._wire(place)))

    def _prover(self, place: int) -> Prove:
        from relayer.chains.evm.identity import prove

        return partial(prove, self._rpc(place), self._given.chain.id)

    def _reader(self, place: int) -> ChainReader:
        from relayer.chains.evm.reader import EvmReader

        return EvmReader(self._configs[place], self._rpc(place), self._stream_broke(place))

    def _drafter(self, place: int, payer: str | None) -> ChainDrafter:
        from relayer.chains.evm.drafter import EvmDrafter

        del payer  # a gateway's draft names no payer
        return EvmDrafter(self._configs[place], self._rpc(place))

    def _writer(self, place: int, payer: str) -> ChainWriter:
        from relayer.chains.evm.writer import EvmWriter

        signer = secp256k1(self._given.settings, payer)
        return EvmWriter(self._configs[place], self._rpc(place), signer)

    def _depositor(self, place: int, secret: str) -> Depositor:
        from relayer.chains.evm.depositor import EvmDepositor

        return EvmDepositor(self._configs[place], self._rpc(place), _user_secp256k1(secret))


class _TronKit(Opened):
    def _config(self, endpoint: EndpointSettings) -> Any:
        from relayer.chains.tron.config import TronConfig

        given = self._given
        url = given.settings.url(endpoint.url)
        return TronConfig(
            url=url,
            solidity_url=given.url(endpoint.solidity) or url,
            first_height=max(1, given.chain.first_height),
            **_gateway(given),
            **given.extra,
        )

    def _rpc(self, place: int) -> Any:
        from relayer.chains.tron.rpc import TronRpc

        config = self._configs[place]
        return self._opened(TronRpc(config.url, config.solidity_url, **self._wire(place)))

    def _prover(self, place: int) -> Prove:
        from relayer.chains.tron.identity import prove

        return partial(prove, self._rpc(place), self._given.chain.id)

    def _reader(self, place: int) -> ChainReader:
        from relayer.chains.tron.reader import TronReader

        return TronReader(self._configs[place], self._rpc(place))

    def _drafter(self, place: int, payer: str | None) -> ChainDrafter:
        from relayer.chains.tron.drafter import TronDrafter

        del payer  # a gateway's draft names no payer
        return TronDrafter(self._configs[place], self._rpc(place))

    def _writer(self, place: int, payer: str) -> ChainWriter:
        from relayer.chains.tron.writer import TronWriter

        signer = secp256k1(self._given.settings, payer)
        return TronWriter(self._configs[place], self._rpc(place), signer)

    def _depositor(self, place: int, secret: str) -> Depositor:
        from relayer.chains.tron.depositor import TronDepositor

        return TronDepositor(self._configs[place], self._rpc(place), _user_secp256k1(secret))


class _SolanaKit(Opened):
    def _config(self, endpoint: EndpointSettings) -> Any:
        from relayer.chains.solana.config import Fee, SolanaConfig

        given = self._given
        chain, account = given.chain, given.chain.account
        issuers = {account(t.issuer) for t in chain.tokens if t.issuer}
        return SolanaConfig(
            chain=chain.id,
            url=given.settings.url(endpoint.url),
            ws_url=given.url(endpoint.ws),
            tokens=given.tokens,
            vaults={t.asset: account(t.vault) for t in chain.tokens if t.vault},
            vault_owners={t.asset: account(t.vault_owner) for t in chain.tokens if t.vault_owner},
            inventory={t.asset: shares(t.inventory) for t in chain.tokens},
            issuers=tuple(sorted(issuers)),
            peers=given.peers,
            beacon=given.needed(chain.beacon),
            fee_collector=given.needed(chain.fee_collector),
            fees=tuple(
                Fee(destination=ChainId(name), lamports=lamports)
                for name, lamports in chain.fees.items()
            ),
            receipt_mint=given.needed(chain.receipt_mint),
            multisig=given.needed(chain.multisig),
            past_multisigs=tuple(account(text) for text in chain.past_multisigs),
            attesters=tuple(bytes(account(text)) for text in chain.attesters),
            quorum=chain.quorum,
            first_height=chain.first_height,
            timeout_seconds=chain.timeout_seconds,
            **given.extra,
        )

    def _rpc(self, place: int) -> Any:
        from relayer.chains.solana.rpc import SolanaRpc

        config = self._configs[place]
        return self._opened(SolanaRpc(config.url, ws_url=config.ws_url, **self._wire(place)))

    def _prover(self, place: int) -> Prove:
        from relayer.chains.solana.identity import prove

        return partial(prove, self._rpc(place), self._given.chain.id)

    def _reader(self, place: int) -> ChainReader:
        from relayer.chains.solana.reader import SolanaReader

        return SolanaReader(self._configs[place], self._rpc(place), self._stream_broke(place))

    def _drafter(self, place: int, payer: str | None) -> ChainDrafter:
        from relayer.chains.solana.drafter import SolanaDrafter

        signer = ed25519(self._given.settings, payer) if payer else None
        return SolanaDrafter(self._paid_by(place, signer), self._rpc(place))

    def _writer(self, place: int, payer: str) -> ChainWriter:
        from relayer.chains.solana.writer import SolanaWriter

        signer = ed25519(self._given.settings, payer)
        return SolanaWriter(self._paid_by(place, signer), self._rpc(place), signer)

    def _paid_by(self, place: int, signer: Signer | None) -> SolanaConfig:
        config: SolanaConfig = self._configs[place]
        return config if signer is None else replace(config, payer=Account(signer.public))

    def _depositor(self, place: int, secret: str) -> Depositor:
        from relayer.chains.solana.depositor import SolanaDepositor
        from relayer.signing.local import parse_secret

        seed = parse_secret(secret, "the user's key")[:32]
        return SolanaDepositor(self._configs[place], self._rpc(place), seed)


def _gateway(given: Given) -> dict[str, Any]:
    """What the configs of chains that run a gateway have in common."""
    chain = given.chain
    return {
        "chain": chain.id,
        "gateway": given.needed(chain.gateway),
        "tokens": given.tokens,
        "peers": given.peers,
        "attesters": tuple(word_of(chain.account(text)) for text in chain.attesters),
        "quorum": chain.quorum,
        "timeout_seconds": chain.timeout_seconds,
    }


def secp256k1(settings: Settings, place: str) -> Signer:
    """The EVM or Tron key at a place; SettingRefused if there is none."""
    from relayer.signing.local import Secp256k1Signer, parse_secret

    return Secp256k1Signer(parse_secret(settings.secret(place), place))


def ed25519(settings: Settings, place: str) -> Signer:
    """The Ed25519 key at a place; SettingRefused if there is none."""
    from relayer.signing.local import Ed25519Signer, parse_secret

    return Ed25519Signer(parse_secret(settings.secret(place), place))


def _user_secp256k1(secret: str) -> Signer:
    from relayer.signing.local import Secp256k1Signer, parse_secret

    return Secp256k1Signer(parse_secret(secret, "the user's key"))
