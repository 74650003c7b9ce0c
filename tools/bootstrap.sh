#!/bin/sh
# Makes the virtual environment that the make targets run in, and installs the package with all it needs there.
#
#     tools/bootstrap.sh [VENV [wheels]]
#
# The word "wheels" fills the folder wheels/ with the packages of VENV, for installations without an index (WHEELS=wheels).
#
# Settings come in the environment: PYTHON, WHEELS, TORCH (see the Makefile); pip's own settings hold as well.  A stamp in
# VENV says what was installed, so that a second call returns at once.  What Debian leaves out of its Python (Tk, venv)
# is installed when root runs this; anybody else is told the line to type.  The output of pip goes to VENV/install.log.
set -eu
cd "$(dirname "$0")/.."
venv=${1:-.venv}
log=

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# ---- steps -----------------------------------------------------------------------------------------------------

STEPS=4
number=0
announce() {
    number=$((number + 1))
    say "[$number/$STEPS] $*"
}

# Runs a command with its output in the log; a terminal sees the newest line of it meanwhile.
logged() {
    printf '\n$ %s\n' "$*" >> "$log"
    "$@" >> "$log" 2>&1 &
    job=$!
    trap 'kill "$job" 2>/dev/null; exit 130' INT TERM
    seconds=0
    while [ -t 2 ] && kill -0 "$job" 2>/dev/null; do
        printf '\r  %4d s  %-68.68s' "$seconds" "$(tail -n 1 "$log" | tr -cd '[:print:]')" >&2
        sleep 1
        seconds=$((seconds + 1))
    done
    code=0
    wait "$job" || code=$?
    trap - INT TERM
    if [ -t 2 ]; then printf '\r%80s\r' '' >&2; fi
    [ "$code" -eq 0 ] || explain "$@"
}

# What a failed command said, where the rest is, and what to do.
explain() {
    tail -n 15 "$log" | sed 's/^/    /' >&2
    say "this failed: $*"
    say "its whole output: $log"
    if grep -q -i 'no space left' "$log"; then
        say "the disk is full: make room, or take another folder: make VENV=/path/to/folder"
    elif grep -q -i -E 'could not find a version|connection|timed out|temporary failure|could not resolve|failed to fetch' "$log"; then
        say "no way to a package, perhaps: set PIP_INDEX_URL to a mirror, or install from a folder: make WHEELS=folder"
    fi
    fail "once the cause is gone, the same make command goes on from here"
}

# ---- interpreter -----------------------------------------------------------------------------------------------

suits() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

# Whether the pins of Scipion's packages exclude interpreter $1.
is_beyond_scipion() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] < (3, 13))'; }

# The Debian packages that interpreter $1 lacks, on one line; nothing for a complete one.
lacks() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null || printf 'python3-venv '
    "$1" -c 'import tkinter' 2>/dev/null || printf 'python3-tk '
    # One package that Scipion needs is built there (biopython 1.81).
    if is_beyond_scipion "$1" && [ -z "${WHEELS:-}" ]; then
        command -v gcc >/dev/null || printf 'gcc libc6-dev '
        "$1" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
            printf 'python3-dev '
    fi
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
    log=$(mktemp)
    logged apt-get update -q
    # shellcheck disable=SC2086
    logged $line
    rm -f "$log"
}

# Prints the interpreter to use.  The first complete one wins; else the first that Debian's packages can complete.
find_python() {
    usable=
    for candidate in ${PYTHON:-python3 python3.12 python3.11 python3.10 python3.13 /usr/bin/python3}; do
        if ! command -v "$candidate" >/dev/null || ! suits "$candidate"; then continue; fi
        if [ -z "$(lacks "$candidate")" ]; then
            echo "$candidate"
            return
        fi
        if [ -z "$usable" ] && is_debian "$candidate"; then usable=$candidate; fi
    done
    if [ -z "$usable" ]; then
        fail "${PYTHON:-no python3 on PATH} is not a Python 3.10 to 3.13 with the modules venv, ensurepip and tkinter" \
            "(3.13: and gcc and Python.h); install one, or name it: make PYTHON=/path/to/python3"
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

fill_wheels() {
    log=$venv/wheels.log
    STEPS=1
    announce "the packages of $venv, to the folder wheels"
    date > "$log"
    # What lies in the environment itself; torch also where it is looked through to.  Not -r of constraints.txt, which
    # names direct requirements only.
    {
        "$venv/bin/python" -m pip freeze --local --exclude-editable | grep -v -i -E '^(torch|setuptools|wheel)[ =]'
        grep -E '^(torch|setuptools|wheel)==' "$venv/constraints.txt"
    } > "$venv/wheels.txt"
    logged "$venv/bin/python" -m pip wheel --progress-bar off --no-deps --wheel-dir wheels --requirement "$venv/wheels.txt"
    say "done: $(find wheels -name '*.whl' | wc -l) wheels in the folder wheels (what pip said: $log)"
}

stamp=$(stamp)
if [ "${2:-}" = wheels ]; then
    fill_wheels
    exit
fi
if [ "$(cat "$venv/pupicker.stamp" 2>/dev/null)" = "$stamp" ] && works; then exit 0; fi

# ---- install ---------------------------------------------------------------------------------------------------

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    if [ -e "$venv" ] && [ ! -e "$venv/pyvenv.cfg" ]; then fail "$venv is there and is no virtual environment; name another: make VENV=folder"; fi
    python=$(find_python)
    announce "virtual environment $venv of $("$python" --version) ($python)"
    "$python" -m venv --clear "$venv"
    # A torch that the interpreter has is often the one built for the GPUs of the machine: look through to it.
    if [ -n "$(torch_of "$python")" ]; then
        "$python" -m venv --system-site-packages "$venv"
        # It stays out of sight where it is in a virtual environment itself.
        [ -n "$(torch_of "$venv/bin/python")" ] || "$python" -m venv "$venv"
    fi
else
    announce "virtual environment $venv: there"
fi
python=$venv/bin/python
suits "$python" || fail "$venv was made with $("$python" --version 2>&1), which is not Python 3.10 to 3.13; remove it: rm -r $venv"
rm -f "$venv/pupicker.stamp"
log=$venv/install.log
date > "$log"

pip_install() {
    if [ -n "${WHEELS:-}" ]; then set -- --no-index --find-links "$WHEELS" "$@"; fi
    logged "$python" -m pip install --progress-bar off --disable-pip-version-check --no-input \
        --constraint "$venv/constraints.txt" "$@"
}

grep -v '^torch==' constraints.txt > "$venv/constraints.txt"
kept=
if [ -z "${TORCH:-}" ]; then kept=$(torch_of "$python"); fi
if [ -n "$kept" ]; then
    announce "PyTorch $kept: there, and kept"
else
    announce "PyTorch (up to 3 GB to download where pip takes it for a GPU)"
    case ${TORCH:-} in
        "") TORCH=$(grep '^torch==' constraints.txt) ;;
        [0-9]*) TORCH=torch==$TORCH ;;
    esac
    pip_install "$TORCH"
    kept=$(torch_of "$python")
    [ -n "$kept" ] || fail "$TORCH is no torch 2.4 or later"
fi
echo "torch==$kept" >> "$venv/constraints.txt"

announce "the package, what its core needs, and the tools of the tests"
# Built with the pinned setuptools of this environment, which a folder of wheels can hold as well as an index.
pip_install setuptools wheel
pip_install --no-build-isolation --editable '.[core,test]'

# Scipion's packages and those that need the old numpy with them.  They pin numpy 1.26.1, pillow 10.1.0 and
# matplotlib 3.8.1, which have no wheels for Python 3.13: there, each is installed by itself, and then what it needs, in
# the versions of constraints.txt where that names one and in those of its own pins elsewhere.
PINNING='scipion-pyworkflow scipion-em scipion-app scipion-em-relion scipion-em-sphire metadata-viewer ncempy emtools'

needs_of() {
    "$python" - "$venv/constraints.txt" "$@" <<'PY'
import sys
from importlib.metadata import requires
from packaging.requirements import Requirement

def holding(lines):
    needs = [Requirement(line) for line in (line.split("#")[0].strip() for line in lines) if line]
    return [need for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]

pinned = {need.name.lower() for need in holding(open(sys.argv[1]))}
for name in sys.argv[2:]:
    for need in holding(requires(name) or []):
        if need.name.lower() not in sys.argv[2:]:
            print(need.name.lower() + ("" if need.name.lower() in pinned else str(need.specifier)))
PY
}

if is_beyond_scipion "$python"; then
    announce "Scipion and two of its plugins; their pins leave Python 3.13 out, newer versions take the place"
    # shellcheck disable=SC2086
    pip_install --no-deps $PINNING
    # biopython 1.81 is built, with the name that a function of Python has had since 3.13.
    export CFLAGS="${CFLAGS:-} -DPyEval_CallObject=PyObject_CallObject"
    # shellcheck disable=SC2086
    needs=$(needs_of $PINNING) || fail "$venv does not tell what Scipion's packages need"
    # shellcheck disable=SC2086
    pip_install $needs
else
    announce "Scipion and two of its plugins"
    pip_install --no-build-isolation --editable '.[core,scipion,plugins,test]'
fi
echo "$stamp" > "$venv/pupicker.stamp"
say "done: $venv (what pip said: $log)"
