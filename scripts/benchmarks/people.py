"""Several people on one server: logging in beside a live plot, rights, private documents."""

from __future__ import annotations

import threading
import time
import timeit
from collections.abc import Callable
from statistics import median
from typing import Any

import requests
from contenders import Server, run_server
from table import growth, heading

from bokeh_server.permissions import Action, Actor, Resource, Role, decide

__all__ = ["people"]

PASSWORD = "correct horse"
PEOPLE = 20
#: microseconds that a decision may take.
CHECK_US = 20.0
#: milliseconds by which a change may come later while people log in.
LATER_MS = 20.0
#: how much longer a private document may take to open than a published one.
PRIVATE = 1.3


def people(quick: bool) -> None:
    """Measure, and print a table."""
    heading("limit or base", "ours")
    growth("one decision about a right", CHECK_US, _decision(), "us", 1.0)
    with run_server("", "-m") as server, requests.Session() as owner:
        _register(server, owner, "owner")
        private, published = (_document(server, owner, title) for title in ("a", "b"))
        _call(owner, "POST", f"{server.root}bokeh/{published}/publish")
        rounds = 100 if quick else 400
        shut, open_ = _opening(server, owner, private, published, rounds)
        growth("opening a private document, beside a published one", open_, shut, "ms", PRIVATE)
        names = [f"person{number}" for number in range(PEOPLE)]
        for name in names:
            _register(server, requests.Session(), name)
        alone = _delays(server, owner, published, lambda: time.sleep(1.0))
        beside = _delays(server, owner, published, lambda: _log_in_together(server, names))
        later = beside[len(beside) * 99 // 100] - alone[len(alone) * 99 // 100]
        growth(f"a change while {PEOPLE} log in: p99 later by", LATER_MS, max(later, 0), "ms", 1.0)


def _decision() -> float:
    """Microseconds of the decision that looks at most."""
    roles = {f"user{number}": Role.VIEWER for number in range(200)} | {"ada": Role.EDITOR}
    resource = Resource(owner="bob", published=False, roles=roles)
    actor = Actor("ada")
    count = 2000
    taken = timeit.repeat(lambda: decide(actor, Action.WRITE, resource), number=count, repeat=7)
    return 1e6 * min(taken) / count


def _call(http: requests.Session, method: str, url: str, **options: Any) -> Any:
    answer = http.request(method, url, timeout=60, **options)
    assert answer.ok, f"{method} {url}: {answer.status_code} {answer.text[:300]}"
    return answer


def _register(server: Server, http: requests.Session, name: str) -> None:
    body = {"username": name, "password": PASSWORD}
    token = _call(http, "POST", f"{server.root}bokeh/register", json=body).json()["token"]
    http.headers["Authorization"] = f"Bearer {token}"


def _document(server: Server, http: requests.Session, title: str) -> str:
    made = _call(http, "POST", f"{server.root}bokeh/doc/", json={"title": title})
    docid: str = made.json()["docid"]
    return docid


def _opening(
    server: Server, http: requests.Session, private: str, published: str, rounds: int
) -> tuple[float, float]:
    """Milliseconds to open each, one after the other in turns: the median."""
    taken: dict[str, list[float]] = {private: [], published: []}
    page = {"Accept": "text/html"}
    for _ in range(rounds):
        for docid, times in taken.items():
            began = time.perf_counter()
            _call(http, "GET", f"{server.root}bokeh/doc/{docid}/show", headers=page)
            times.append(1e3 * (time.perf_counter() - began))
    return median(taken[private]), median(taken[published])


def _delays(
    server: Server, http: requests.Session, docid: str, beside: Callable[[], None]
) -> list[float]:
    """Milliseconds that each change took while something else was done, the least first."""
    done, times = threading.Event(), []
    url = f"{server.root}bokeh/doc/{docid}/changes"

    def change() -> None:
        while not done.is_set():
            event = {"kind": "TitleChanged", "title": f"{len(times)}"}
            began = time.perf_counter()
            _call(http, "POST", url, json={"events": [event]})
            times.append(1e3 * (time.perf_counter() - began))
            time.sleep(0.005)

    writer = threading.Thread(target=change)
    writer.start()
    beside()
    done.set()
    writer.join()
    return sorted(times)


def _log_in_together(server: Server, names: list[str]) -> None:
    def log_in(name: str) -> None:
        body = {"username": name, "password": PASSWORD}
        with requests.Session() as http:
            _call(http, "POST", f"{server.root}bokeh/login", json=body)

    threads = [threading.Thread(target=log_in, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
