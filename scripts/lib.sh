# Functions shared by the scripts here; sourced by them, from any directory.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# The first Python of 3.11 or newer.
find_python() {
    local name
    for name in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    fail "Python 3.11 or newer is needed, and none was found. Install it, or name it: PYTHON=/path/to/python3 $0"
}

# Run apt-get as root, where that is possible without asking for a password.
can_apt() {
    [ -z "${NO_APT:-}" ] && command -v apt-get >/dev/null &&
        { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

apt_install() {
    local sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo -n)
    say "Installing with apt-get: $*"
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update </dev/null >&2 || true
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" \
        </dev/null >&2
}

create_venv() {
    local python=$1
    "$python" -m venv .venv >/dev/null 2>&1 && [ -x .venv/bin/pip ] && return
    rm -rf .venv
    if can_apt; then
        apt_install python3-venv "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" ||
            apt_install python3-venv || true
        "$python" -m venv .venv && return
    fi
    fail "Could not make a virtual environment: Python's venv module is not whole. On Debian and Ubuntu: sudo apt install python3-venv"
}

# install [EXTRA]: a virtual environment in .venv with this checkout in it; done again only when
# what it depends on has changed.
install() {
    local what=".${1:+[$1]}" stamp python
    [ -x .venv/bin/python ] || { python=$(find_python) && create_venv "$python"; }
    stamp=".venv/installed-${1:-plain}-$(cat setup.cfg pyproject.toml | cksum | cut -d ' ' -f 1)"
    [ -e "$stamp" ] && return
    say "Installing bokeh-server into .venv ..."
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable "$what" </dev/null ||
        fail "Could not install bokeh-server: see pip's message above."
    touch "$stamp"
}
