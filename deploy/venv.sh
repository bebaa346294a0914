#!/usr/bin/env bash
# Build the virtual environment of the project in the directory $1, from requirements.lock.
#
# What is installed is exactly what the lock names: pip checks the hash of every file. The project
# itself is installed in place, so a change to the code needs no second run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv="${1:-.venv}"

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null \
            && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "Tocsin needs Python 3.11 or newer. Install it, or name it: make PYTHON=/path/to/python3" >&2
    exit 1
}

can_make_venv() {
    # Debian keeps ensurepip in the package python3-venv.
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

python="$(find_python)"
if ! can_make_venv "$python"; then
    deploy/system-packages.sh
fi
if ! can_make_venv "$python"; then
    echo "$python cannot build virtual environments." >&2
    echo "On Debian and Ubuntu run: sudo apt-get install python3-venv" >&2
    exit 1
fi

echo "Setting up $venv with $("$python" --version) (the first time takes a minute or two)"
# Without --clear an environment that another Python made, or half an installation, would stay.
"$python" -m venv --clear "$venv"
pip=("$venv/bin/python" -m pip --disable-pip-version-check --quiet)
"${pip[@]}" install --require-hashes -r requirements.lock
"${pip[@]}" install --no-deps --no-build-isolation -e .
"${pip[@]}" check
