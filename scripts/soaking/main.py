"""A long run under load, with what the server holds at its beginning and end; see scripts/soak."""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from contenders import free_port, rss_of
from load import Audience, Publisher, make_document

MEGABYTE = 1024 * 1024
#: memory may seem to grow by so much in any run: the allocator keeps what it will use again.
NOISE = 4 * MEGABYTE
#: and by so much per hour.
PER_HOUR = 1 * MEGABYTE
#: the pools of native threads and of the database's files fill as they are used.
POOL = 12
#: entries that a channel keeps, and some more.
RING = 1100


@dataclass
class Server:
    """The server under load."""

    process: subprocess.Popen[bytes]
    port: int
    counts: Path

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://localhost:{self.port}"

    def held(self) -> dict[str, int]:
        """What it holds now."""
        self.counts.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + 20
        while not self.counts.exists():
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.05)
        own: dict[str, int] = json.loads(self.counts.read_text())
        pid = self.process.pid
        descriptors = os.listdir(f"/proc/{pid}/fd")
        sockets = [each for each in descriptors if _is_socket(pid, each)]
        threads = len(os.listdir(f"/proc/{pid}/task"))
        return own | {"sockets": len(sockets), "files": len(descriptors), "threads": threads}


def _is_socket(pid: int, number: str) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/fd/{number}").startswith("socket:")
    except OSError:
        return False


@contextmanager
def running() -> Iterator[Server]:
    """Run the server in a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="bokeh-server-soak-") as home:
        port, counts = free_port(), Path(home) / "counts.json"
        script = Path(__file__).with_name("watched.py")
        options = [str(counts), "--port", str(port), "--data-dir", f"{home}/data"]
        with open(f"{home}/log", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, str(script), *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "HOME": home},
            )  # fmt: skip
        try:
            _wait_for(Path(f"{home}/log"), process)
            yield Server(process, port, counts)
        finally:
            process.terminate()
            process.wait(20)
            text = Path(f"{home}/log").read_text("utf-8", "replace")
            assert "Traceback" not in text, text[-5000:]


def _wait_for(log: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while "URL" not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)


@dataclass
class Load:
    """Everything that weighs on the server."""

    audience: Audience
    publishers: list[Publisher]

    def stop(self) -> None:
        """Everybody goes."""
        for publisher in self.publishers:
            publisher.stopped.set()
        for publisher in self.publishers:
            publisher.join(35)
        self.audience.leave()


def start(server: Server, arguments: argparse.Namespace) -> Load:
    """Make documents, publishers and viewers."""
    docids = [make_document(server.url, number) for number in range(arguments.documents)]
    shares = [docids[number::4] for number in range(4) if docids[number::4]]
    publishers = [Publisher(server.url, share, arguments.rate) for share in shares]
    audience = Audience(server.port, docids, arguments.viewers)
    for publisher in publishers:
        publisher.start()
    return Load(audience, publishers)


def weigh(server: Server, load: Load, seconds: float, churn: float) -> list[tuple[float, int]]:
    """Let the load work; the server's memory every so often."""
    began = time.monotonic()
    samples, period = [], max(1.0, seconds / 200)
    next_sample, next_churn = began, began
    while (now := time.monotonic()) < began + seconds:
        if now >= next_sample:
            samples.append((now - began, rss_of(server.process.pid)))
            next_sample += period
        if now >= next_churn:
            load.audience.churn()
            next_churn += 1 / churn
        load.audience.look(max(0.0, min(next_sample, next_churn) - time.monotonic()))
    for publisher in load.publishers:
        assert publisher.error is None, publisher.error
    return samples


def fill_rings(server: Server, load: Load, arguments: argparse.Namespace, seconds: float) -> None:
    """Go on until every channel has as much as it keeps, but not for longer than ``seconds``."""
    deadline = time.monotonic() + seconds
    wanted = RING * arguments.documents
    while sum(each.sent for each in load.publishers) < wanted and time.monotonic() < deadline:
        weigh(server, load, 2.0, arguments.churn)


def slope(samples: list[tuple[float, int]]) -> float:
    """Bytes per second by which the memory grows, by least squares."""
    times, sizes = zip(*samples, strict=True)
    return float(statistics.linear_regression(times, sizes).slope)


failed: list[str] = []


def row(what: str, before: str, after: str, limit: str, good: bool) -> None:
    """Print a line of the table."""
    print(f"| {what} | {before} | {after} | {limit} | {'ok' if good else 'FAILED'} |", flush=True)
    failed.extend([] if good else [what])


def compare(before: dict[str, int], after: dict[str, int]) -> None:
    """Print what is held with nobody there, before the load and after it."""
    for what, limit in limits(before).items():
        good = after[what] <= limit
        row(what, f"{before[what]:,}", f"{after[what]:,}", f"<= {limit:,}", good)


def limits(before: dict[str, int]) -> dict[str, int]:
    """How much may be held in the end."""
    pools = ("threads", "greenlets", "python threads", "files")
    return {what: count + (POOL if what in pools else 2) for what, count in before.items()}


def at_rest(server: Server, before: dict[str, int]) -> dict[str, int]:
    """What is held when all have gone, after at most a minute for those that went silently."""
    deadline = time.monotonic() + 70
    while True:
        held = server.held()
        allowed = limits(before)
        if all(held[what] <= allowed[what] for what in held) or time.monotonic() > deadline:
            return held
        time.sleep(2)


def soak(arguments: argparse.Namespace) -> None:
    """Run it all and print the table."""
    seconds = arguments.minutes * 60
    with running() as server:
        make_document(server.url, -1)
        before = server.held()
        load = start(server, arguments)
        try:
            weigh(server, load, max(15.0, min(seconds / 4, 300.0)), arguments.churn)
            fill_rings(server, load, arguments, seconds)
            sent, read = sum(each.sent for each in load.publishers), load.audience.read
            samples = weigh(server, load, seconds, arguments.churn)
            sent = sum(each.sent for each in load.publishers) - sent
            read = load.audience.read - read
            late = max(each.late for each in load.publishers)
        finally:
            load.stop()
        grown = slope(samples) * seconds
        allowed = NOISE + PER_HOUR * seconds / 3600
        print("| what | before | after | allowed | |\n|---|---|---|---|---|")
        figures = [f"{size / MEGABYTE:,.1f} MB" for _, size in (samples[0], samples[-1])]
        limit = f"grows < {allowed / MEGABYTE:.1f} MB ({grown / MEGABYTE:+.2f})"
        row("memory under load", *figures, limit, grown <= allowed)
        compare(before, at_rest(server, before))
    print(
        f"{arguments.minutes:g} minutes: {sent / seconds:,.0f} changes and"
        f" {read / seconds / 1024:,.0f} KB read per second, publishers up to {late:.1f} s late,"
        f" {load.audience.came:,} viewers came;"
        f" memory {slope(samples) * 3600 / MEGABYTE:+.2f} MB per hour."
    )


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--documents", type=int, default=20)
    parser.add_argument("--rate", type=float, default=10.0, help="changes of a document per second")
    parser.add_argument("--churn", type=float, default=5.0, help="connections per second")
    soak(parser.parse_args())
    if failed:
        raise SystemExit(f"It leaks: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
