"""Bring the broker's program once, into a folder of this project, checked against known hashes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).resolve().parent
_POM: Final = _HERE / "pom.xml"
_LOCK: Final = _HERE / "jars.lock"
_CACHE: Final = _HERE.parents[2] / ".cache"
_COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
_JAVA: Final = 17
CHECKPOINT: Final = "bootstrap.checkpoint"
"""The file in which Kafka's own formatter writes the features of a new cluster."""


class KafkaMissing(RuntimeError):
    """A local Kafka cannot be had here; the message is one line that says what to install."""


def find_java() -> str:
    """Return the Java to run it with: JAVA_HOME's, else the one on PATH. Raises `KafkaMissing`."""
    home = os.environ.get("JAVA_HOME")
    named = str(Path(home) / "bin" / "java") if home else "java"
    java = shutil.which(named)
    if java is None or _version(java) < _JAVA:
        found = f"; {java} is older" if java else ""
        raise KafkaMissing(_advice(f"Java {_JAVA} or newer is needed{found}"))
    return java


def bring() -> Path:
    """Return the folder with the broker's jars; the first call copies them. Raises `KafkaMissing`.

    Several processes may call it at once: one brings, the others wait.
    """
    find_java()
    wanted = hashlib.sha256(_POM.read_bytes() + _LOCK.read_bytes()).hexdigest()[:16]
    home = _CACHE / f"kafka-{wanted}"
    if home.is_dir():
        return home
    _CACHE.mkdir(exist_ok=True)
    with (_CACHE / "kafka.flock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not home.is_dir():
            with tempfile.TemporaryDirectory(dir=_CACHE) as place:
                fresh = Path(place) / "kafka"
                _copy(fresh)
                shutil.copyfile(checkpoint(fresh, fresh.parent), fresh / CHECKPOINT)
                fresh.rename(home)
    return home


def class_path(home: Path) -> str:
    """Return what Java takes after -cp for the jars in this folder."""
    return str(home / "*")


def _copy(place: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaMissing(_advice("mvn (Apache Maven) is needed to bring the broker"))
    command = [maven, "-q", "-B", "-f", str(_POM), _COPY, f"-DoutputDirectory={place}"]
    done = _run([*command, "-DincludeScope=runtime"], place.parent)
    if done.returncode != 0:
        raise KafkaMissing(_advice(f"mvn could not bring the broker: {_tail(done)}"))
    _verify(place)


def _verify(place: Path) -> None:
    """Raise `KafkaMissing` unless exactly the known jars are there, byte for byte."""
    known = dict(line.split() for line in _LOCK.read_text(encoding="ascii").splitlines())
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in place.iterdir()}
    if found != known:
        other = sorted(name for name in {*known, *found} if known.get(name) != found.get(name))
        message = f"mvn brought other files than jars.lock names: {', '.join(other)}"
        raise KafkaMissing(_advice(message))


def checkpoint(home: Path, scratch: Path, more: Sequence[str] = ()) -> Path:
    """Let Kafka's own formatter write what a new cluster begins with; return that file.

    `more` are arguments of the formatter, such as those that add users. Raises `KafkaMissing`.
    """
    logs, config = scratch / "logs", scratch / "format.properties"
    config.write_text(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:1\n"
        "controller.listener.names=CONTROLLER\nlisteners=PLAINTEXT://127.0.0.1:2,"
        f"CONTROLLER://127.0.0.1:1\nlog.dirs={logs}\n",
        encoding="utf-8",
    )
    tool = ("kafka.tools.StorageTool", "format", "-t", "AAAAAAAAQACAAAAAAAAAAA", *more)
    quick = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
    command = [find_java(), *quick, "-cp", class_path(home), *tool, "-c", str(config)]
    done = _run(command, scratch)
    if done.returncode != 0:
        raise KafkaMissing(_advice(f"the broker's formatter failed: {_tail(done)}"))
    return logs / CHECKPOINT


def _run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def _tail(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return " | ".join(lines[-3:])[:600]


def _version(java: str) -> int:
    """Return the major version that Java tells of itself; 0 if it tells none."""
    said = _run([java, "-version"], Path.cwd()).stderr
    _, _, rest = said.partition('version "')
    number = rest.partition(".")[0].partition('"')[0]
    return int(number) if number.isdigit() else 0


def _advice(problem: str) -> str:
    return (
        f"no local Kafka: {problem}. Install a Java {_JAVA} (or newer) runtime and Apache Maven "
        "(Debian: apt-get install default-jre-headless maven), or name a running Kafka instead"
    )
