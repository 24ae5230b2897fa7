"""Settings: where values come from, and what is said about a bad one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bokeh_server import config
from bokeh_server.config import Settings, hide_password, load_settings
from bokeh_server.errors import ConfigurationError
from bokeh_server.sockets.origin import check_origin


def load(tmp_path: Path, toml: str = "", **environ: str) -> Settings:
    """Settings of a configuration file and environment variables alone."""
    path = tmp_path / "given.toml"
    path.write_text(toml, "utf-8")
    return load_settings(config=path, environ={"HOME": str(tmp_path)} | environ)


def test_defaults_are_a_private_server_on_this_machine(tmp_path: Path) -> None:
    """Without any settings only this machine is served, at port 5006, from the user's data."""
    settings = load(tmp_path)
    assert (settings.address, settings.port, settings.url_prefix) == ("127.0.0.1", 5006, "")
    assert settings.database == f"sqlite:///{settings.data_dir}/bokeh-server.sqlite3"
    assert settings.source("port") == "default"


def test_later_sources_win_and_each_value_knows_its_own(tmp_path: Path) -> None:
    """The command line wins over the environment, that over the file, that over the default."""
    path = tmp_path / "a.toml"
    path.write_text("port = 1\naddress = '::1'\nurl_prefix = 'from-file'\n", "utf-8")
    environ = {"BOKEH_SERVER_PORT": "2", "BOKEH_SERVER_ADDRESS": "0.0.0.0"}
    settings = load_settings({"port": "3", "show": None}, config=path, environ=environ)
    assert (settings.port, settings.address, settings.url_prefix) == (3, "0.0.0.0", "/from-file")
    assert settings.source("port") == "option --port"
    assert settings.source("address") == "environment variable BOKEH_SERVER_ADDRESS"
    assert settings.source("url_prefix") == f"configuration file {path}"
    assert settings.source("show") == "default"


@pytest.mark.parametrize(
    ("given", "prefix"),
    [("foo", "/foo"), ("/foo", "/foo"), ("foo/", "/foo"), ("//a/b//", "/a/b"), ("/", ""), ("", "")],
)
def test_every_spelling_of_a_prefix_is_the_same(given: str, prefix: str) -> None:
    """``foo``, ``/foo`` and ``foo/`` all serve under ``/foo``."""
    assert Settings.from_keywords(url_prefix=given).url_prefix == prefix


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "abc"),
        ("port", "65536"),
        ("port", "-1"),
        ("port", True),
        ("port", 80.5),
        ("url_prefix", "a b"),
        ("url_prefix", "../up"),
        ("url_prefix", "a?b"),
        ("debug", "perhaps"),
        ("log_level", "loud"),
        ("max_body_size", "12"),
        ("max_body_size", "many"),
        ("max_body_size", "9" * 30),
        ("keep_changes", "-1"),
        ("keep_changes", "1.5"),
        ("keep_changes", True),
        ("keep_changes", "9" * 13),
        ("keep_days", "-1"),
        ("keep_days", "nan"),
        ("keep_days", "inf"),
        ("keep_days", "a week"),
        ("keep_days", False),
        ("ping_interval", "0"),
        ("ping_interval", "nan"),
        ("ping_interval", "inf"),
        ("request_timeout", []),
        ("trusted_proxies", "-1"),
        ("allow_websocket_origin", 5),
        ("allow_websocket_origin", "a b"),
        ("allow_websocket_origin", [1]),
        ("allow_websocket_origin", "http://foo/bar"),
        ("allow_websocket_origin", "http://foo"),
        ("allow_websocket_origin", "foo/bar"),
        ("allow_websocket_origin", "foo:http"),
        ("allow_websocket_origin", "foo:70000"),
        ("allow_websocket_origin", "::1"),
        ("trusted_host", "https://foo"),
        ("usercontent_host", "https://foo"),
        ("usercontent_host", "foo/"),
        ("usercontent_host", "foo:0"),
        ("usercontent_host", "foo:70000"),
        ("usercontent_host", "[::1]:80"),
        ("usercontent_host", "a.*.b"),
        ("usercontent_host", "*"),
        ("usercontent_host", "foo;bar"),
        ("usercontent_host", 5),
        ("data_dir", ""),
        ("data_dir", 5),
        ("database", 5),
    ],
)
def test_a_bad_value_is_refused_with_its_source(name: str, value: Any) -> None:
    """Whatever is wrong with a value, the message names the setting and where it stands."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_keywords(**{name: value})
    assert f"read {name} from keyword argument {name}" in str(caught.value)


def test_a_bad_value_in_the_environment_names_the_variable(tmp_path: Path) -> None:
    """A wrong environment variable is named in the message."""
    with pytest.raises(ConfigurationError, match="environment variable BOKEH_SERVER_PORT"):
        load(tmp_path, BOKEH_SERVER_PORT="http")


def test_an_unknown_key_in_the_file_is_an_error_with_a_guess(tmp_path: Path) -> None:
    """A misspelt key is never ignored."""
    with pytest.raises(ConfigurationError, match="Did you mean url_prefix"):
        load(tmp_path, "url-prefx = 'a'")
    with pytest.raises(ConfigurationError, match="there is no setting"):
        load(tmp_path, "zzz = 1")


def test_a_file_that_is_missing_or_no_toml_is_one_clear_error(tmp_path: Path) -> None:
    """A configuration file that was named must be there and readable."""
    with pytest.raises(ConfigurationError, match="no such file"):
        load_settings(config=tmp_path / "none.toml", environ={})
    with pytest.raises(ConfigurationError, match="not TOML"):
        load(tmp_path, "port = = 5")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"binary\.toml"):
        load_settings(config=tmp_path / "binary.toml", environ={})


def test_keys_of_the_file_may_have_hyphens_and_toml_types(tmp_path: Path) -> None:
    """The file takes the option's spelling too, and TOML's own numbers, booleans and lists."""
    toml = """
        url-prefix = "x"
        debug = true
        ping_interval = 5
        max_body_size = "2 MB"
        allow-websocket-origin = ["a.example", "b.example:8080"]
    """
    settings = load(tmp_path, toml)
    assert settings.url_prefix == "/x"
    assert settings.debug is True
    assert settings.ping_interval == 5.0
    assert settings.max_body_size == 2 * 1024 * 1024
    assert settings.allow_websocket_origin == ("a.example", "b.example:8080")


def test_relative_paths_in_a_file_are_relative_to_it(tmp_path: Path) -> None:
    """A configuration file can be moved together with what it names."""
    settings = load(tmp_path, "data_dir = 'data'\nhttps_keyfile = 'key.pem'")
    assert settings.data_dir == tmp_path / "data"
    assert settings.https_keyfile == tmp_path / "key.pem"


def test_the_file_is_found_in_the_data_directory_then_in_the_users(tmp_path: Path) -> None:
    """A file in the data directory that was named wins over the user's own."""
    own = tmp_path / ".config/bokeh-server/bokeh-server.toml"
    data = tmp_path / "data/bokeh-server.toml"
    for path, port in ((own, 1111), (data, 2222)):
        path.parent.mkdir(parents=True)
        path.write_text(f"port = {port}", "utf-8")
    environ = {"HOME": str(tmp_path)}
    assert load_settings(environ=environ).port == 1111
    assert load_settings({"data_dir": str(data.parent)}, environ=environ).port == 2222
    named = environ | {"BOKEH_SERVER_CONFIG": str(data)}
    assert load_settings(environ=named).port == 2222


@pytest.mark.parametrize(
    "value", ["tcp://10.0.0.7:5006", "udp://10.0.0.7:53", "tcp://[fd00::7]:80"]
)
def test_a_service_of_kubernetes_is_not_taken_for_a_setting(tmp_path: Path, value: str) -> None:
    """A service called bokeh-server puts BOKEH_SERVER_PORT=tcp://... into every container."""
    settings = load(tmp_path, "port = 7000", BOKEH_SERVER_PORT=value, BOKEH_SERVER_ADDRESS=value)
    assert (settings.address, settings.port) == ("127.0.0.1", 7000)
    assert Settings.from_app_config({}, {"BOKEH_SERVER_PORT": value}).port == 5006
    with pytest.raises(ConfigurationError, match="BOKEH_SERVER_PORT"):
        load(tmp_path, BOKEH_SERVER_PORT="tcp://")
    with pytest.raises(ConfigurationError, match="--port"):
        load_settings({"port": value}, environ={"HOME": str(tmp_path)})


def test_a_list_in_the_environment_has_commas() -> None:
    """Several origins fit into one environment variable."""
    environ = {"BOKEH_SERVER_ALLOW_WEBSOCKET_ORIGIN": "a.example, *.b.example:443,"}
    settings = load_settings(environ=environ)
    assert settings.allow_websocket_origin == ("a.example", "*.b.example:443")


@pytest.mark.parametrize(
    "host",
    ["*", "foo", "foo:*", "*.foo.example:443", "[::1]:5006", "[::1]", "bücher.example", "f_o"],
)
def test_hosts_that_can_match_are_taken(host: str) -> None:
    """Whatever is taken for a host of pages is one to which some origin belongs."""
    assert load_settings({"allow_websocket_origin": [host]}).allow_websocket_origin == (host,)
    name = host.replace("*:", "a:").replace("*.", "a.").replace(":*", ":8080")
    origin = f"http://{'a' if name == '*' else name}"
    assert check_origin(origin, "other.example", [host])


def test_settings_of_an_embedding_app() -> None:
    """Keyword arguments win over ``app.config``, whose other keys are not looked at."""
    app_config = {"BOKEH_SERVER_DEBUG": True, "BOKEH_SERVER_URL_PREFIX": "a", "SECRET_KEY": "x"}
    environ = {"BOKEH_SERVER_DEBUG": "no", "BOKEH_SERVER_PORT": "1"}
    settings = Settings.from_app_config(app_config, environ, url_prefix="/plots", database=None)
    assert settings.source("port") == "environment variable BOKEH_SERVER_PORT"
    assert (settings.debug, settings.url_prefix) == (True, "/plots")
    assert settings.source("debug") == 'app.config["BOKEH_SERVER_DEBUG"]'
    assert settings.source("url_prefix") == "keyword argument url_prefix"
    with pytest.raises(ConfigurationError, match=r'app.config\["BOKEH_SERVER_DEBUG"\]'):
        Settings.from_app_config({"BOKEH_SERVER_DEBUG": "maybe"})


def test_an_unknown_keyword_argument_is_refused() -> None:
    """A misspelt keyword argument is an error, not a default."""
    with pytest.raises(ConfigurationError, match="Did you mean database"):
        Settings.from_keywords(databse="sqlite://")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada:pa:ss/w@db.example/plots", "postgresql://ada:***@db.example/plots"),
        ("postgresql://ada:p@ss@db/plots", "postgresql://ada:***@db/plots"),
        ("postgresql+psycopg://ada@db/plots", "postgresql+psycopg://ada@db/plots"),
        ("postgresql://:secret@db/plots", "postgresql://:***@db/plots"),
        ("postgresql://db/p?user=ada&password=secret&x=1", "postgresql://db/p?user=ada&password=***&x=1"),
        ("sqlite:////home/ada:b@c/file", "sqlite:////home/ada:b@c/file"),
        ("sqlite:///relative", "sqlite:///relative"),
    ],
)  # fmt: skip
def test_no_password_is_ever_shown(url: str, shown: str) -> None:
    """The password of a database URL is stars in everything printed."""
    assert hide_password(url) == shown
    assert Settings.from_keywords(database=url).shown("database") == shown


def test_a_secret_is_never_shown() -> None:
    """The secret key is neither printed nor part of the settings' own representation."""
    settings = Settings.from_keywords(secret_key="open sesame")
    assert settings.shown("secret_key") == "(hidden)"
    assert "sesame" not in repr(settings)


def test_default_directories_follow_the_platforms_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """XDG's directories on Linux, the Library on macOS, the local application data on Windows."""
    environ = {"HOME": "/h", "XDG_DATA_HOME": "/d", "LOCALAPPDATA": "/l"}
    monkeypatch.setattr(config.sys, "platform", "linux")
    assert config.default_data_dir(environ) == Path("/d/bokeh-server")
    assert config.default_data_dir({"HOME": "/h"}) == Path("/h/.local/share/bokeh-server")
    assert config.default_config_dir({"HOME": "/h"}) == Path("/h/.config/bokeh-server")
    monkeypatch.setattr(config.sys, "platform", "darwin")
    assert config.default_data_dir(environ).parts[-2:] == ("Application Support", "bokeh-server")
    monkeypatch.setattr(config.sys, "platform", "win32")
    assert config.default_data_dir(environ) == Path("/l/bokeh-server")


def test_every_setting_has_an_option_a_variable_and_help() -> None:
    """One declaration gives all three spellings."""
    declared = Settings.declared()
    assert declared["url_prefix"].option == "--url-prefix"
    assert declared["url_prefix"].variable == "BOKEH_SERVER_URL_PREFIX"
    assert all(len(setting.help) > 15 for setting in declared.values())


def test_nothing_at_all_may_be_kept() -> None:
    """Retention goes down to none, and days may be parts of one."""
    settings = Settings.from_keywords(keep_changes="0", keep_days="0")
    assert (settings.keep_changes, settings.keep_days) == (0, 0.0)
    assert Settings.from_keywords(keep_days="0.25").keep_days == 0.25
