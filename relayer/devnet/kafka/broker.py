"""Starts Kafka brokers of this machine and stops them again, whatever happens to their parent."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from relayer.devnet.child import die_with_parent, free_port, watching
from relayer.devnet.kafka.jars import CHECKPOINT, bring, class_path, find_java
from relayer.devnet.kafka.secured import Guard

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_PREFIX: Final = "xstocks-kafka-"
_START_TIMEOUT: Final = 90.0
_STOP_TIMEOUT: Final = 10.0
QUICK: Final = {
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",
    "transaction.max.timeout.ms": "15000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
}
"""Settings of any broker that tests and demos run on: what happens to it shows within seconds."""

_LOGGING: Final = """\
status = error
appender.file.type = File
appender.file.name = file
appender.file.fileName = ${sys:relayer.log}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
"""


class KafkaError(RuntimeError):
    """A broker did not start; the message holds its last words."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where one broker listens."""

    client: int
    mutual: int
    control: int

    @classmethod
    def free(cls) -> Ports:
        """Return three that are free."""
        return cls(free_port(), free_port(), free_port())


class LocalKafka:
    """Brokers 1 to `brokers` of one cluster, as a context manager. Blocks while it starts.

    Start it in a thread that lasts: the kernel kills the brokers when that thread ends. `settings`
    are added to each broker's own; times there are in milliseconds. With `users` the cluster is a
    secured one, see `Guard`; without, everybody may do everything.
    """

    def __init__(
        self,
        brokers: int = 1,
        settings: Mapping[str, str] | None = None,
        users: Collection[str] = (),
    ) -> None:
        """Nothing is started yet."""
        self.count, self._settings, self._users = brokers, dict(settings or {}), users
        self._guard: Guard | None = None
        self._ports: dict[int, Ports] = {}
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._watchers: dict[int, subprocess.Popen[bytes]] = {}
        self._cluster = _random_id()
        self._home = self._folder = self._begin = Path()

    def __enter__(self) -> Self:
        """Bring the program if need be, and start. Raises `KafkaMissing` or `KafkaError`."""
        self._home = bring()
        remove_what_the_dead_left()
        self._folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        try:
            self._ports = {n: Ports.free() for n in self._numbers}
            self._begin = self._home / CHECKPOINT
            if self._users:
                self._guard = Guard(self._users, self._folder / "guard")
                self._begin = self._guard.format(self._home, self._folder)
            for number in self._numbers:
                self._lay_out(number)
                self._run(number)
            for number in self._numbers:
                self._ready(number)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all brokers and remove what they wrote."""
        for number in list(self._processes):
            self.kill(number)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _numbers(self) -> range:
        return range(1, self.count + 1)

    @property
    def servers(self) -> str:
        """The brokers' addresses, as clients take them."""
        return ",".join(f"127.0.0.1:{ports.client}" for ports in self._ports.values())

    @property
    def mutual(self) -> str:
        """The same of a secured cluster, for clients that show a certificate (mTLS)."""
        return ",".join(f"127.0.0.1:{ports.mutual}" for ports in self._ports.values())

    @property
    def guard(self) -> Guard:
        """Users, passwords and certificates of a secured cluster."""
        assert self._guard is not None, "the cluster was started without users"  # noqa: S101
        return self._guard

    def pid(self, number: int) -> int:
        """Return the process id of a broker that was started."""
        return self._processes[number].pid

    def kill(self, number: int) -> None:
        """SIGKILL: what the broker acknowledged is in its files, it says no last word."""
        self._signal(number, signal.SIGKILL)

    def stop(self, number: int) -> None:
        """SIGTERM: the broker hands over what it leads first; killed if that takes too long."""
        self._signal(number, signal.SIGTERM)

    def start(self, number: int) -> None:
        """Start a broker again that was stopped or killed, on its files and its port."""
        self._run(number)
        self._ready(number)

    def _signal(self, number: int, how: signal.Signals) -> None:
        process = self._processes.pop(number)
        watcher = self._watchers.pop(number, None)
        if process.poll() is None:
            process.send_signal(how)
            # A stopped (SIGSTOP) process hears SIGKILL only.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_TIMEOUT)
            process.kill()
        process.wait()
        if watcher is not None:
            watcher.kill()
            watcher.communicate()

    def _lay_out(self, number: int) -> None:
        """Write what a formatted broker has, without the seconds that its formatter takes."""
        folder = self._folder / str(number)
        (folder / "data").mkdir(parents=True)
        (folder / "log4j2.properties").write_text(_LOGGING, encoding="ascii")
        (folder / "data" / "meta.properties").write_text(
            f"version=1\ncluster.id={self._cluster}\nnode.id={number}\n"
            f"directory.id={_random_id()}\n",
            encoding="ascii",
        )
        shutil.copyfile(self._begin, folder / "data" / CHECKPOINT)
        lines = [f"{name}={value}" for name, value in self._properties(number).items()]
        (folder / "server.properties").write_text("\n".join(lines), encoding="utf-8")

    def _properties(self, number: int) -> dict[str, str]:
        ports = self._ports[number]
        voters = ",".join(f"{n}@127.0.0.1:{self._ports[n].control}" for n in self._numbers)
        copies, least = str(min(3, self.count)), str(min(2, self.count))
        return {
            "process.roles": "broker,controller",
            "node.id": str(number),
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://127.0.0.1:{ports.client},"
            f"CONTROLLER://127.0.0.1:{ports.control}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self._folder / str(number) / "data"),
            **QUICK,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": least,
            **(self._guard.properties(*astuple(ports)) if self._guard else {}),
            **self._settings,
        }

    def _run(self, number: int) -> None:
        folder = self._folder / str(number)
        linux = sys.platform == "linux"
        with (folder / "said").open("ab") as said:
            process = subprocess.Popen(
                [
                    find_java(),
                    *("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
                    f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
                    f"-Drelayer.log={folder / 'log'}",
                    *("-cp", class_path(self._home), "kafka.Kafka"),
                    str(folder / "server.properties"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=folder,
                preexec_fn=die_with_parent if linux else None,  # noqa: PLW1509 - one call, no lock
                start_new_session=True,  # Ctrl-C is for us: clients leave before the broker does
            )
        self._processes[number] = process
        if not linux:
            self._watchers[number] = subprocess.Popen(watching(process.pid), stdin=subprocess.PIPE)

    def _ready(self, number: int) -> None:
        """Wait until the broker accepts connections, which it does when it has joined."""
        until = time.monotonic() + _START_TIMEOUT
        while not _answers(self._ports[number].client):
            code = self._processes[number].poll()
            if code is not None or time.monotonic() > until:
                state = "does not answer" if code is None else f"ended with code {code}"
                raise KafkaError(f"Kafka broker {number} {state}: {self._words(number)}")
            time.sleep(0.05)

    def _words(self, number: int) -> str:
        folder = self._folder / str(number)
        texts = [folder / "said", folder / "log"]
        return "".join(t.read_text(errors="replace")[-1500:] for t in texts if t.exists())


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _random_id() -> str:
    """Return an id as Kafka writes them; a leading hyphen would be taken for an option."""
    made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return made if made[0] not in "-_" else _random_id()


def remove_what_the_dead_left() -> None:
    """Remove the files of brokers whose parent was killed and could not."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not _alive(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
