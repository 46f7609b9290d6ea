"""What was measured of Kafka as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.kafka.flows import EMBEDDED, FLEET, ONE, Burst, Flow, joined
from benchmarks.kafka.hops import HOPS
from benchmarks.kafka.idle import Idle
from benchmarks.kafka.relayers import Passage
from benchmarks.kafka.restore import CaughtUp, Restored
from benchmarks.kafka.spread import Spread
from benchmarks.kafka.takeover import Standstill
from benchmarks.measures import share


def _rows(title: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [title, ["---", *["---:"] * (len(title) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"


def steady_table(flows: Sequence[Flow], rate: float) -> str:
    """Latency by hop, commits and records, of the three ways side by side."""
    ways = [joined(flows, name) for name in (EMBEDDED, ONE, FLEET)]
    base = share(ways[0].totals, 0.5)

    def rows() -> Iterator[list[str]]:
        for part in (0.1, 0.5, 0.99):  # the quickest tenth is hardly touched by a busy machine
            name = f"deposit known to listener → delivery broadcast, p{part * 100:.0f}"
            yield [name, *(_ms(share(way.totals, part)) for way in ways)]
        yield ["what Kafka adds, p50", *(_ms(share(way.totals, 0.5) - base) for way in ways)]
        for hop in HOPS:
            yield [f"of it: {hop}, p50", *(_ms(way.hops[hop]) for way in ways)]
        yield ["one commit of a lane, p50", *(_ms(way.commit_p50) for way in ways)]
        yield ["CPU per transfer", *(f"{way.cpu_ms:.1f} ms" for way in ways)]
        for what in ("commits", "records"):
            for kind in ways[1].commits if what == "commits" else ways[1].records:
                some = (getattr(way, what).get(kind, 0.0) for way in ways)
                yield [f"{what} per transfer: {kind}", *(f"{one:.1f}" for one in some)]
        yield ["load average at most", *(f"{way.load:.1f}" for way in ways)]

    return _rows([f"steady {rate:g}/s", *(way.name for way in ways)], rows())


def lanes_table(bursts: Sequence[Burst]) -> str:
    """Throughput and CPU by lanes."""
    return _rows(
        ["burst", "lanes a chain", "transfers/s", "CPU per transfer, start included"],
        (
            [one.bus, str(one.lanes), f"{one.per_second:.0f}", f"{one.cpu_ms:.1f} ms"]
            for one in sorted(bursts, key=lambda one: one.bus, reverse=True)
        ),
    )


def takeover_table(found: Sequence[Standstill]) -> str:
    """How long lanes stood."""
    return _rows(
        ["event", "longest time without a commit, of any lane", "lanes that stood for 1 s"],
        ([one.event, f"{one.worst:.2f} s", f"{one.lanes} of 4"] for one in found),
    )


def restore_table(found: Sequence[Restored], lag: CaughtUp) -> str:
    """Starts on full lanes."""

    def rows() -> Iterator[list[str]]:
        for one in found:
            yield [
                f"{one.bus}: {one.transfers} open transfers in one lane",
                f"{one.ready:.1f} s",
                f"{one.restored:.1f} s",
                f"{one.mib:.0f} MiB ({one.idle_mib:.0f} with none)",
            ]
        rate = lag.records / lag.seconds
        catching = f"{lag.seconds:.1f} s ({rate:.0f}/s)"
        yield [f"kafka: {lag.records} records behind", "", catching, f"{lag.mib:.0f} MiB at most"]

    return _rows(["start of a process", "until `/readyz`", "until done", "memory"], rows())


def spread_table(found: Sequence[Spread]) -> str:
    """Lanes over several relayer processes."""
    title = ["burst, lanes", "relayers", "lanes each has work for", "transfers/s"]
    title += ["CPU per transfer: relayers", "listener, attesters, monitor, tracker", "load average"]
    return _rows(
        title,
        (
            [
                f"{one.lanes} a chain",
                str(one.processes),
                " + ".join(map(str, one.owned)),
                f"{one.per_second:.0f}",
                f"{one.relayers_ms:.1f} ms",
                f"{one.others_ms:.1f} ms",
                f"{one.load:.1f}",
            ]
            for one in found
        ),
    )


def relayers_table(found: Sequence[Passage], rate: float) -> str:
    """What deposits met around an event."""
    title = [f"steady {rate:g}/s, event", "longest time without a broadcast towards any chain"]
    title += ["deposit known to listener → broadcast, p50", "p99", "→ delivery final, worst"]
    return _rows(
        [*title, "transfers", "load average"],
        (
            [
                one.event,
                f"{one.silent:.2f} s",
                f"{one.p50:.3f} s",
                f"{one.p99:.2f} s",
                f"{one.worst:.1f} s",
                str(one.transfers),
                f"{one.load:.1f}",
            ]
            for one in found
        ),
    )


def idle_table(found: Sequence[Idle]) -> str:
    """Starts, and processes without traffic."""
    title = ["process", "start until `/readyz`", "CPU until then"]
    title += ["CPU per second without traffic", "memory", "load average"]
    return _rows(
        title,
        (
            [
                one.what,
                f"{one.ready:.2f} s",
                f"{one.ready_cpu:.2f} s",
                f"{one.per_second:.0f} ms",
                f"{one.mib:.0f} MiB",
                f"{one.load:.1f}",
            ]
            for one in found
        ),
    )
