#!/usr/bin/env bash
# Write the two locks from pyproject.toml: requirements.lock for development and tests, and
# deploy/runtime.lock, the part of it that a node needs. Exact versions and hashes for every platform
# and every Python from 3.11 on, without any address of an index. Arguments go to uv: --upgrade takes
# newer releases, --upgrade-package NAME takes one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scratch=
trap '[ -z "$scratch" ] || rm -rf "$scratch"' EXIT
if command -v uv >/dev/null; then
    uv=uv
elif [ -x .venv/bin/uv ]; then
    uv=.venv/bin/uv
else
    scratch="$(mktemp -d)"
    "${PYTHON:-python3}" -m venv "$scratch"
    "$scratch/bin/pip" install --quiet --disable-pip-version-check uv
    uv="$scratch/bin/uv"
fi

lock() {
    # httpx2-jsfetch is for browsers alone, and "not in a browser" says nothing here; old releases
    # of pip stumble over such markers.
    local file="$1"
    shift
    "$uv" pip compile pyproject.toml \
        --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
        --universal --python-version 3.11 --no-emit-package httpx2-jsfetch \
        --quiet --output-file "$file" "$@"
    sed -i "s/ ; sys_platform != 'emscripten'//" "$file"
}

lock requirements.lock --group test --group check --extra guards "$@"
lock deploy/runtime.lock --constraint requirements.lock
