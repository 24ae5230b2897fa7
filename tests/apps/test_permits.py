"""Pages of applications where people log in: they end with the login that opened them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from apps.conftest import PLACES, options_for, wait_for
from websockets.exceptions import ConnectionClosed

from bokeh_server.apps.permits import Permits
from bokeh_server.apps.schedule import Schedule
from bokeh_server.errors import ServerFault
from support.app_client import AppSocket, app_socket, open_app_page
from support.command import run_command
from support.server import RunningServer, running_server

PASSWORD = "correct horse"
LAPSED = 4003
APPLICATION = """
from bokeh.io import curdoc
from bokeh.models import Div
curdoc().add_root(Div(name="user", text=str(curdoc().session_context.user)))
"""


@pytest.fixture(scope="module", params=PLACES)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server of several people with an application, in its process, or in a worker."""
    folder = tmp_path_factory.mktemp("permits") / "who"
    (folder / "static").mkdir(parents=True)
    (folder / "main.py").write_text(APPLICATION)
    (folder / "static" / "data.json").write_text('{"secret": 1}')
    with running_server(str(folder), "-m", *options_for(request.param)) as running:
        yield running


class Person:
    """Somebody with a browser that is logged in."""

    def __init__(self, server: RunningServer, name: str) -> None:
        self.server, self.name = server, name
        cookies = self.post("register", {"username": name, "password": PASSWORD}).cookies
        self.cookie = {"Cookie": "; ".join(f"{key}={value}" for key, value in cookies.items())}

    def post(self, what: str, form: dict[str, str], **headers: str) -> requests.Response:
        """Register or log out, as the forms of our pages do."""
        url = f"{self.server.url}/bokeh/{what}"
        headers = {"Sec-Fetch-Site": "same-origin", **headers}
        answer = requests.post(url, data=form, headers=headers, timeout=30, allow_redirects=False)
        assert answer.status_code < 400, answer.text
        return answer

    def socket(self) -> Any:
        """Open the application, and connect."""
        url = f"{self.server.url}/who"
        token = open_app_page(url, headers=self.cookie)
        return app_socket(url, token, additional_headers=self.cookie)


def log_out(person: Person) -> None:
    """End the login in the browser."""
    person.post("logout", {}, **person.cookie)


def disable(person: Person) -> None:
    """Have an admin shut them out."""
    command = ["users", "disable", person.name, "--data-dir", str(person.server.data_dir)]
    done = run_command(Path(person.server.env["HOME"]), *command)
    assert done.returncode == 0, done.stderr


def code_of(socket: AppSocket, seconds: float = 15) -> int | None:
    """The code with which a connection is closed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.connection.recv(timeout=1)
        except TimeoutError:
            continue
        except ConnectionClosed as closed:
            return None if closed.rcvd is None else closed.rcvd.code
    return None


@pytest.mark.parametrize("end", [log_out, disable])
def test_a_page_ends_with_its_login(server: RunningServer, end: Callable[[Person], None]) -> None:
    """Within seconds, whoever's it is; that of somebody else goes on."""
    one, other = Person(server, f"{end.__name__}-one"), Person(server, f"{end.__name__}-other")
    with one.socket() as leaving, other.socket() as staying:
        assert leaving.text_of("user") == one.name
        end(one)
        assert code_of(leaving) == LAPSED
        assert staying.text_of("user") == other.name


def test_files_are_for_those_who_may_use_it(server: RunningServer) -> None:
    """Those of the application; BokehJS is for everybody."""
    person = Person(server, "reader")
    file = f"{server.url}/who/static/data.json"
    assert requests.get(file, timeout=30).status_code == 401
    answer = requests.get(f"{file}?v=1", headers=person.cookie, timeout=30)
    assert answer.json() == {"secret": 1}
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "Cookie" in answer.headers["Vary"]
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert requests.get(f"{server.url}/static/js/bokeh.min.js", timeout=30).ok


class Connection:
    """A connection that notes how it is closed."""

    def __init__(self) -> None:
        self.codes: list[int] = []

    def close(self, code: int, reason: str) -> None:
        """Note it."""
        self.codes.append(code)


class Register:
    """A guard for whom some permits are good, and who sometimes cannot tell."""

    def __init__(self) -> None:
        self.bad: set[str] = set()
        self.asked = 0
        self.fails: Exception | None = None

    def lapsed(self, permits: list[str]) -> list[str]:
        """Those that are bad."""
        self.asked += 1
        if self.fails is not None:
            raise self.fails
        return [each for each in permits if each in self.bad]


@pytest.fixture
def schedule() -> Iterator[Schedule]:
    """A schedule that runs."""
    made = Schedule()
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("fault", [ServerFault("ask", "it is away"), ValueError("wrong")])
def test_who_cannot_be_asked_sends_nobody_away(schedule: Schedule, fault: Exception) -> None:
    """It is asked again, and nobody at all once all have left."""
    guard = Register()
    permits = Permits(guard, schedule, 0.02)  # type: ignore[arg-type]
    good, bad = Connection(), Connection()
    leave = permits.join("good", good)  # type: ignore[arg-type]
    permits.join("bad", bad)  # type: ignore[arg-type]
    guard.fails, guard.bad = fault, {"bad"}
    wait_for(lambda: guard.asked > 2)
    assert (good.codes, bad.codes) == ([], [])
    guard.fails = None
    wait_for(lambda: bad.codes == [LAPSED])
    leave()
    leave()
    time.sleep(0.1)
    count = guard.asked
    time.sleep(0.1)
    assert guard.asked == count
    assert good.codes == []
