#!/bin/sh
# Makes the virtual environment that the make targets run in, and installs the package with all it needs there.
#
#     tools/bootstrap.sh [VENV]
#
# Settings come in the environment: PYTHON, WHEELS, TORCH (see the Makefile); pip's own settings hold as well.  A stamp in
# VENV says what was installed, so that a second call returns at once.  What Debian leaves out of its Python (Tk, venv)
# is installed when root runs this; anybody else is told the line to type.
set -eu
cd "$(dirname "$0")/.."
venv=${1:-.venv}

say() { printf 'bootstrap: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# ---- interpreter -----------------------------------------------------------------------------------------------

suits() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; }

# The Debian packages that interpreter $1 lacks, on one line; nothing for a complete one.
lacks() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null || printf 'python3-venv '
    "$1" -c 'import tkinter' 2>/dev/null || printf 'python3-tk '
}

# Debian's packages complete Debian's own interpreter only.
is_debian() {
    command -v apt-get >/dev/null && case $("$1" -c 'import sys; print(sys.executable)') in /usr/bin/*) ;; *) false ;; esac
}

apt_install() {
    line="apt-get install -y --no-install-recommends $*"
    [ "$(id -u)" -eq 0 ] || fail "missing system packages; type: sudo $line"
    say "installing the system packages $*"
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    apt-get update -q >&2 && $line >&2 || fail "this failed: $line"
}

# Prints the interpreter to use.  The first complete one wins; else the first that Debian's packages can complete.
find_python() {
    usable=
    for candidate in ${PYTHON:-python3 python3.12 python3.11 python3.10 /usr/bin/python3}; do
        command -v "$candidate" >/dev/null && suits "$candidate" || continue
        if [ -z "$(lacks "$candidate")" ]; then
            echo "$candidate"
            return
        fi
        if [ -z "$usable" ] && is_debian "$candidate"; then usable=$candidate; fi
    done
    if [ -z "$usable" ]; then
        fail "${PYTHON:-no python3 on PATH} is not a Python 3.10, 3.11 or 3.12 with the modules venv, ensurepip and tkinter;" \
            "install one, or name it: make PYTHON=/path/to/python3"
    fi
    # shellcheck disable=SC2046
    apt_install $(lacks "$usable")
    [ -z "$(lacks "$usable")" ] || fail "$usable still lacks: $(lacks "$usable")"
    echo "$usable"
}

# ---- torch -----------------------------------------------------------------------------------------------------

# Prints the version of the torch that interpreter $1 sees, if it is in the range that setup.py asks for.
torch_of() {
    "$1" - <<'PY'
import importlib.metadata
import re
try:
    version = importlib.metadata.version("torch")
except importlib.metadata.PackageNotFoundError:
    raise SystemExit
if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) >= (2, 4):
    print(version)
PY
}

# ---- what was installed ----------------------------------------------------------------------------------------

stamp() {
    {
        pwd
        echo "${PYTHON:-} ${TORCH:-}"
        grep '^__version__' pupicker/__init__.py
        cat setup.py requirements.txt constraints.txt tools/bootstrap.sh
    } | sha256sum | cut -d ' ' -f 1
}

# Whether the environment still works; a torch that it only looks through to may have gone.
works() { "$venv/bin/python" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)' 2>/dev/null; }

stamp=$(stamp)
if [ "$(cat "$venv/pupicker.stamp" 2>/dev/null)" = "$stamp" ] && works; then exit 0; fi

# ---- install ---------------------------------------------------------------------------------------------------

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    if [ -e "$venv" ] && [ ! -e "$venv/pyvenv.cfg" ]; then fail "$venv is there and is no virtual environment; name another: make VENV=folder"; fi
    python=$(find_python)
    say "making $venv with $("$python" --version) ($python)"
    "$python" -m venv --clear "$venv"
    # A torch that the interpreter has is often the one built for the GPUs of the machine: look through to it.
    if [ -n "$(torch_of "$python")" ]; then
        "$python" -m venv --system-site-packages "$venv"
        # It stays out of sight where it is in a virtual environment itself.
        [ -n "$(torch_of "$venv/bin/python")" ] || "$python" -m venv "$venv"
    fi
fi
python=$venv/bin/python
suits "$python" || fail "$venv was made with $("$python" --version 2>&1), which is not Python 3.10 to 3.12; remove it: rm -r $venv"
rm -f "$venv/pupicker.stamp"

pip_install() {
    if [ -n "${WHEELS:-}" ]; then set -- --no-index --find-links "$WHEELS" "$@"; fi
    "$python" -m pip install --disable-pip-version-check --no-input --constraint "$venv/constraints.txt" "$@"
}

grep -v '^torch==' constraints.txt > "$venv/constraints.txt"
if [ -n "${TORCH:-}" ]; then
    case $TORCH in [0-9]*) TORCH=torch==$TORCH ;; esac
    pip_install "$TORCH"
fi
kept=$(torch_of "$python")
if [ -n "$kept" ]; then
    say "keeping torch $kept"
    echo "torch==$kept" >> "$venv/constraints.txt"
else
    grep '^torch==' constraints.txt >> "$venv/constraints.txt"
fi

say "installing the package and what it needs into $venv (some minutes the first time)"
# Built with the pinned setuptools of this environment, which a folder of wheels can hold as well as an index.
pip_install setuptools wheel
pip_install --no-build-isolation --editable '.[core,test]'
echo "$stamp" > "$venv/pupicker.stamp"
say "done: $venv"
