"""From a chain's settings to its adapter: the one place that knows all adapters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, assert_never

from relayer.agreement.acting import QuorumDrafter, QuorumWriter
from relayer.agreement.health import EndpointObserver, Unwatched
from relayer.agreement.reading import QuorumReader
from relayer.app.opened import Given, Observe, Opened
from relayer.domain.address import Account, ChainId, Family, family_of, word_of
from relayer.domain.errors import SettingRefused
from relayer.ports.chain import ChainDrafter, ChainReader, ChainWriter, Depositor
from relayer.ports.signer import Signer
from relayer.settings import ChainSettings, Settings, shares

if TYPE_CHECKING:
    from relayer.chains.solana.config import SolanaConfig

P = TypeVar("P")


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
    def __init__(self, given: Given) -> None:
        from relayer.chains.evm.config import EvmConfig

        super().__init__(given)
        self._configs = [
            EvmConfig(
                chain=given.chain.id,
                url=given.settings.url(endpoint.url),
                ws_url=given.url(endpoint.ws),
                gateway=given.needed(given.chain.gateway),
                tokens=given.tokens,
                peers=given.peers,
                attesters=_addresses(given.chain),
                quorum=given.chain.quorum,
                first_height=given.chain.first_height,
                timeout_seconds=given.chain.timeout_seconds,
                **given.extra,
            )
            for endpoint in given.chain.endpoints
        ]

    def _rpc(self, endpoint: int) -> Any:
        from relayer.chains.evm.rpc import EvmRpc

        config = self._configs[endpoint]
        return self._opened(
            EvmRpc(
                config.url,
                ws_url=config.ws_url,
                timeout_seconds=config.timeout_seconds,
                headers=config.headers,
                observe=self._given.observe,
                connections=self._connections[endpoint],
            )
        )

    def _prover(self, place: int) -> Callable[[], Awaitable[None]]:
        from relayer.chains.evm.identity import prove

        return partial(prove, self._rpc(place), self._given.chain.id)

    def reader(self) -> ChainReader:
        from relayer.chains.evm.reader import EvmReader

        return QuorumReader(
            self._endpoints(
                lambda place: EvmReader(
                    self._configs[place], self._rpc(place), self._stream_broke(place)
                )
            )
        )

    def drafter(self, payer: str | None) -> ChainDrafter:
        from relayer.chains.evm.drafter import EvmDrafter

        del payer  # a gateway's draft names no payer
        return QuorumDrafter(
            self._endpoints(lambda place: EvmDrafter(self._configs[place], self._rpc(place)))
        )

    def writer(self, payer: str) -> ChainWriter:
        from relayer.chains.evm.writer import EvmWriter

        signer = secp256k1(self._given.settings, payer)
        return QuorumWriter(
            self._endpoints(lambda place: EvmWriter(self._configs[place], self._rpc(place), signer))
        )

    def depositor(self, secret: str) -> Depositor:
        from relayer.chains.evm.depositor import EvmDepositor

        user = _user_secp256k1(secret)
        return self._user(lambda at: EvmDepositor(self._configs[at], self._rpc(at), user))


class _TronKit(Opened):
    def __init__(self, given: Given) -> None:
        from relayer.chains.tron.config import TronConfig

        super().__init__(given)
        self._configs = [
            TronConfig(
                url=given.settings.url(endpoint.url),
                solidity_url=given.url(endpoint.solidity) or given.settings.url(endpoint.url),
                chain=given.chain.id,
                gateway=given.needed(given.chain.gateway),
                tokens=given.tokens,
                peers=given.peers,
                attesters=_addresses(given.chain),
                quorum=given.chain.quorum,
                first_height=max(1, given.chain.first_height),
                timeout_seconds=given.chain.timeout_seconds,
                **given.extra,
            )
            for endpoint in given.chain.endpoints
        ]

    def _rpc(self, endpoint: int) -> Any:
        from relayer.chains.tron.rpc import TronRpc

        config = self._configs[endpoint]
        return self._opened(
            TronRpc(
                config.url,
                config.solidity_url,
                timeout_seconds=config.timeout_seconds,
                headers=config.headers,
                observe=self._given.observe,
                connections=self._connections[endpoint],
            )
        )

    def _prover(self, place: int) -> Callable[[], Awaitable[None]]:
        from relayer.chains.tron.identity import prove

        return partial(prove, self._rpc(place), self._given.chain.id)

    def reader(self) -> ChainReader:
        from relayer.chains.tron.reader import TronReader

        return QuorumReader(
            self._endpoints(lambda place: TronReader(self._configs[place], self._rpc(place)))
        )

    def drafter(self, payer: str | None) -> ChainDrafter:
        from relayer.chains.tron.drafter import TronDrafter

        del payer  # a gateway's draft names no payer
        return QuorumDrafter(
            self._endpoints(lambda place: TronDrafter(self._configs[place], self._rpc(place)))
        )

    def writer(self, payer: str) -> ChainWriter:
        from relayer.chains.tron.writer import TronWriter

        signer = secp256k1(self._given.settings, payer)
        return QuorumWriter(
            self._endpoints(
                lambda place: TronWriter(self._configs[place], self._rpc(place), signer)
            )
        )

    def depositor(self, secret: str) -> Depositor:
        from relayer.chains.tron.depositor import TronDepositor

        user = _user_secp256k1(secret)
        return self._user(lambda at: TronDepositor(self._configs[at], self._rpc(at), user))


class _SolanaKit(Opened):
    def __init__(self, given: Given) -> None:
        from relayer.chains.solana.config import Fee, SolanaConfig

        super().__init__(given)
        chain, account = given.chain, given.chain.account
        issuers = {account(t.issuer) for t in chain.tokens if t.issuer}
        self._configs = [
            SolanaConfig(
                chain=chain.id,
                url=given.settings.url(endpoint.url),
                ws_url=given.url(endpoint.ws),
                tokens=given.tokens,
                vaults={t.asset: account(t.vault) for t in chain.tokens if t.vault},
                vault_owners={
                    t.asset: account(t.vault_owner) for t in chain.tokens if t.vault_owner
                },
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
            for endpoint in chain.endpoints
        ]

    def _rpc(self, endpoint: int) -> Any:
        from relayer.chains.solana.rpc import SolanaRpc

        config = self._configs[endpoint]
        return self._opened(
            SolanaRpc(
                config.url,
                ws_url=config.ws_url,
                timeout_seconds=config.timeout_seconds,
                headers=config.headers,
                observe=self._given.observe,
                connections=self._connections[endpoint],
            )
        )

    def _prover(self, place: int) -> Callable[[], Awaitable[None]]:
        from relayer.chains.solana.identity import prove

        return partial(prove, self._rpc(place), self._given.chain.id)

    def reader(self) -> ChainReader:
        from relayer.chains.solana.reader import SolanaReader

        return QuorumReader(
            self._endpoints(
                lambda place: SolanaReader(
                    self._configs[place], self._rpc(place), self._stream_broke(place)
                )
            )
        )

    def drafter(self, payer: str | None) -> ChainDrafter:
        from relayer.chains.solana.drafter import SolanaDrafter

        configs = self._paid_by(ed25519(self._given.settings, payer) if payer else None)
        return QuorumDrafter(
            self._endpoints(lambda place: SolanaDrafter(configs[place], self._rpc(place)))
        )

    def writer(self, payer: str) -> ChainWriter:
        from relayer.chains.solana.writer import SolanaWriter

        signer = ed25519(self._given.settings, payer)
        configs = self._paid_by(signer)
        return QuorumWriter(
            self._endpoints(lambda place: SolanaWriter(configs[place], self._rpc(place), signer))
        )

    def _paid_by(self, signer: Signer | None) -> list[SolanaConfig]:
        if signer is None:
            return self._configs
        return [replace(config, payer=Account(signer.public)) for config in self._configs]

    def depositor(self, secret: str) -> Depositor:
        from relayer.chains.solana.depositor import SolanaDepositor
        from relayer.signing.local import parse_secret

        seed = parse_secret(secret, "the user's key")[:32]
        return self._user(lambda at: SolanaDepositor(self._configs[at], self._rpc(at), seed))


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


def _addresses(chain: ChainSettings) -> tuple[bytes, ...]:
    return tuple(word_of(chain.account(text)) for text in chain.attesters)
