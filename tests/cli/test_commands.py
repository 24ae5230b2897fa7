"""Starting the server by the command: every error at the start is one clear line."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from bokeh_server.server import GRACE_SECONDS
from support.certificates import make_certificate
from support.command import run_command
from support.server import running_server


def refused(tmp_path: Path, *words: str, **env: str) -> str:
    """The one line of a command that has to fail."""
    done = run_command(tmp_path, *words, **env)
    assert done.returncode == 1, done
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("bokeh-server: Could not "), lines
    return lines[0]


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    """A second program on the port: what, why, what to do, exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused(tmp_path, "--port", str(port))
    assert f"listen on 127.0.0.1 port {port}: another program uses this port." in line
    assert "--port 0" in line


@pytest.mark.parametrize("address", ["203.0.113.7", "no.such.host.invalid", "[::1]", "1:2"])
def test_an_address_of_another_machine_is_one_line(tmp_path: Path, address: str) -> None:
    """An address that cannot be bound names the option."""
    assert "--address" in refused(tmp_path, "--port", "0", "--address", address)


def test_an_unwritable_data_directory_is_one_line(tmp_path: Path) -> None:
    """A data directory that cannot be made or written is named."""
    (tmp_path / "file").write_text("")
    line = refused(tmp_path, "--port", "0", "--data-dir", str(tmp_path / "file/data"))
    assert "data directory" in line
    assert "--data-dir" in line


@pytest.mark.parametrize(
    "url", ["nonsense", "oracle://db/x", "mysql://db", "sqlite:////proc/none/x.db", "postgresql://"]
)
def test_an_unknown_database_is_one_line(tmp_path: Path, url: str) -> None:
    """A URL that is none, another dialect, an impossible file: one line."""
    refused(tmp_path, "--port", "0", "--database", url)


def test_no_password_in_an_error(tmp_path: Path) -> None:
    """A database that cannot be reached is named without its password."""
    url = "postgresql://ada:hush@127.0.0.1:1/plots"
    assert "hush" not in refused(tmp_path, "--port", "0", "--database", url)


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    """Some other file given as the database is left alone."""
    other = tmp_path / "other.db"
    other.write_bytes(b"something else" * 1000)
    refused(tmp_path, "--port", "0", "--database", f"sqlite:///{other}")
    assert other.read_bytes() == b"something else" * 1000


def test_a_database_of_a_newer_release_is_one_line(tmp_path: Path) -> None:
    """A schema this release does not know is refused with the way out."""
    import sqlite3

    assert run_command(tmp_path, "--data-dir", ".", "db", "upgrade").returncode == 0
    with sqlite3.connect(tmp_path / "bokeh-server.sqlite3") as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    connection.close()
    assert "9999" in refused(tmp_path, "--port", "0", "--data-dir", ".")


def test_https_without_its_files_refuses_to_start(tmp_path: Path) -> None:
    """HTTPS never falls back to HTTP: every missing or wrong file is an error."""
    certificate, key = make_certificate(tmp_path)
    https = ("--port", "0", "--https")
    assert "--https-certfile is missing" in refused(tmp_path, *https)
    assert "--https-keyfile" in refused(tmp_path, *https, "--https-certfile", str(certificate))
    files = ("--https-certfile", str(certificate), "--https-keyfile")
    assert "no file" in refused(tmp_path, *https, *files, "none.pem")
    assert "PEM" in refused(tmp_path, *https, *files, str(certificate))
    assert "HTTPS is off" in refused(tmp_path, "--port", "0", *files, str(key))


def test_a_bad_option_and_a_bad_variable_name_their_source(tmp_path: Path) -> None:
    """A wrong value is one line that says where it stands."""
    assert "option --port" in refused(tmp_path, "--port", "x")
    line = refused(tmp_path, BOKEH_SERVER_LOG_LEVEL="loud")
    assert "environment variable BOKEH_SERVER_LOG_LEVEL" in line
    (tmp_path / "a.toml").write_text("port = 'x'")
    assert "a.toml" in refused(tmp_path, "--config", "a.toml")


def test_config_shows_each_value_with_its_source(tmp_path: Path) -> None:
    """``bokeh-server config`` tells where every value came from, and no secret."""
    (tmp_path / "a.toml").write_text("url_prefix = 'p'\nsecret_key = 'hush'")
    done = run_command(
        tmp_path, "--config", "a.toml", "config", "--port", "7", BOKEH_SERVER_DEBUG="yes"
    )
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in done.stdout.splitlines()}
    assert rows["port"] == "7 option --port"
    assert rows["debug"] == "True environment variable BOKEH_SERVER_DEBUG"
    assert rows["url_prefix"] == "/p configuration file a.toml"
    assert rows["secret_key"].startswith("(hidden)")
    assert rows["address"] == "127.0.0.1 default"


def test_the_multi_user_option_has_people_log_in() -> None:
    """``-m`` is said at the start, and whoever is not logged in is shown nothing."""
    with running_server("-m") as server:
        assert "mode      multi-user" in server.log
        answer = requests.post(f"{server.url}/bokeh/doc/", json={"title": "x"}, timeout=10)
        assert answer.status_code == 401


def test_start_up_lines_and_a_clean_end_by_signal() -> None:
    """URL, database and mode are printed; SIGTERM and Ctrl-C end it with exit code 0."""
    for signum in (signal.SIGTERM, signal.SIGINT):
        with running_server() as server:
            assert f"database  sqlite:///{server.data_dir}" in server.log
            assert "mode      single user" in server.log
            assert requests.get(f"{server.url}/bokeh/ping", timeout=5).text == "pong"
            assert server.stop(signum) == 0


def test_it_stops_cleanly_when_nobody_can_read_what_it_prints(tmp_path: Path) -> None:
    """A reader of its output that is gone neither stops the server nor keeps it from stopping."""
    command = [sys.executable, "-m", "bokeh_server", "--port", "0", "--data-dir", str(tmp_path)]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert server.stdout is not None
    with server.stdout as lines:
        while "URL" not in lines.readline():
            assert server.poll() is None
    server.terminate()
    assert server.wait(30) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_second_ctrl_c_exits_at_once() -> None:
    """Whoever cannot wait for the clean end presses Ctrl-C again."""
    with running_server() as server, socket.create_connection(("localhost", server.port)) as sock:
        # a request that never ends keeps the first Ctrl-C waiting
        sock.sendall(b"POST /bokeh/doc/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
        time.sleep(0.2)
        started = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(30) == 130
        assert time.monotonic() - started < GRACE_SECONDS  # which the first alone would take


def test_it_survives_a_kill_and_starts_again_on_the_same_port() -> None:
    """What was answered before SIGKILL is there afterwards."""
    with running_server() as server:
        made = requests.post(f"{server.url}/bokeh/doc/", json={"title": "line"}, timeout=5).json()
        server.kill()
        server.restart()
        url = f"{server.url}/bokeh/doc/{made['docid']}/"
        assert requests.get(url, timeout=5).json()["title"] == "line"


@pytest.mark.parametrize("prefix", ["foo", "/foo", "foo/"])
def test_everything_is_under_the_prefix(prefix: str) -> None:
    """The prefix in any spelling; the bare address leads to it."""
    with running_server("--url-prefix", prefix) as server:
        assert server.url.endswith("/foo")
        assert requests.get(f"{server.url}/bokeh/ping", timeout=5).text == "pong"
        root = server.url.removesuffix("/foo")
        assert requests.get(f"{root}/bokeh/ping", timeout=5).status_code == 404
        assert requests.get(f"{root}/", timeout=5).url == f"{root}/foo/"


def test_https_serves(tmp_path: Path) -> None:
    """With a certificate and its key the server speaks HTTPS."""
    certificate, key = make_certificate(tmp_path)
    options = ("--https", "--https-certfile", str(certificate), "--https-keyfile", str(key))
    with running_server(*options) as server:
        assert server.url.startswith("https://localhost:")
        answer = requests.get(f"{server.url}/bokeh/ping", verify=str(certificate), timeout=5)
        assert answer.text == "pong"


@pytest.mark.parametrize("address", ["::1", "::", "0.0.0.0"])
def test_other_addresses(address: str) -> None:
    """IPv6 and all interfaces; ``::`` answers on IPv4 too."""
    with running_server("--address", address) as server:
        assert requests.get(f"{server.url}/bokeh/ping", timeout=5).text == "pong"
        if address == "::":
            ping = f"http://127.0.0.1:{server.port}/bokeh/ping"
            assert requests.get(ping, timeout=5).text == "pong"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:80", 200),
        ("127.0.0.1:5006", 200),
        ("[::1]:5006", 200),
        ("plots.example.org", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example:80", 421),
        ("evil.example:localhost", 421),
        ("", 200),
    ],
)
def test_a_local_server_answers_only_to_its_own_names(
    local_server: str, host: str, status: int
) -> None:
    """DNS rebinding: a page of another site that points its name here gets nothing."""
    answer = requests.get(f"{local_server}/bokeh/ping", headers={"Host": host}, timeout=5)
    assert answer.status_code == status
    if status == 421:
        assert answer.json()["error"] == "misdirected"


@pytest.fixture(scope="module")
def local_server() -> object:
    """A server on this machine alone that knows one more name."""
    with running_server("--trusted-host", "plots.example.org") as server:
        yield server.url


def test_show_opens_the_index_page(tmp_path: Path) -> None:
    """``--show`` calls the browser with the address."""
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    with running_server("--show", env={"BROWSER": str(browser)}) as server:
        opened = tmp_path / "opened"
        deadline = time.monotonic() + 10
        while not (opened.exists() and opened.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert opened.read_text().strip() == f"{server.url}/"


def test_files_of_the_server_are_private() -> None:
    """Other users of the machine can read neither the database nor the key."""
    with running_server() as server:
        requests.post(f"{server.url}/bokeh/doc/", json={"title": "a"}, timeout=5)
        assert stat.S_IMODE(server.data_dir.stat().st_mode) == 0o700
        database = server.data_dir / "bokeh-server.sqlite3"
        assert stat.S_IMODE(os.stat(database).st_mode) & 0o077 == 0
