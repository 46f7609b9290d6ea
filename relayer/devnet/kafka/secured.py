"""What makes a local cluster a secured one: who may connect, and that nothing is allowed unasked.

Clients prove a password (SCRAM over TLS) at one port or show a certificate (mTLS) at another; a
certificate's common name is the user. Brokers trust each other by certificate alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from relayer.devnet.kafka.authority import Authority
from relayer.devnet.kafka.jars import checkpoint

ADMINISTRATOR: Final = "administrator"
"""The user who may do everything, as whoever makes topics and gives rights must."""

_BROKER: Final = "broker"
_SCRAM: Final = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


class Guard:
    """Users with passwords made on the spot, the authority, and the settings of each broker."""

    def __init__(self, users: Iterable[str], folder: Path) -> None:
        """Make passwords and certificates; the administrator is always one of the users."""
        self.authority = Authority(folder)
        self.passwords = {
            name: secrets.token_urlsafe(18) for name in sorted({ADMINISTRATOR, *users})
        }
        self._broker = self.authority.issue(_BROKER).bundle()

    def format(self, home: Path, scratch: Path) -> Path:
        """Return the file with which a cluster begins that knows these users."""
        known = []
        for name, password in self.passwords.items():
            known += ["--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]"]
        return checkpoint(home, scratch, known)

    def properties(self, port: int, mutual: int, control: int) -> dict[str, str]:
        """Return what a broker on these ports needs for it."""
        return {
            "listeners": f"SASL_SSL://127.0.0.1:{port},MUTUAL://127.0.0.1:{mutual},"
            f"CONTROLLER://127.0.0.1:{control}",
            "listener.security.protocol.map": "SASL_SSL:SASL_SSL,MUTUAL:SSL,CONTROLLER:SSL",
            "inter.broker.listener.name": "MUTUAL",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._broker),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.file),
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.controller.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": _SCRAM,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": f"User:{_BROKER};User:{ADMINISTRATOR}",
        }
