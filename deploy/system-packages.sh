#!/usr/bin/env bash
# Install Debian packages: those named as arguments, and python3-venv where Python lacks it.
# Nothing to install is a success. Without root or apt it says what to do, and is a success too:
# tests that need an absent program say so themselves.
set -euo pipefail

packages=()
for package in "$@"; do
    if ! dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null \
        | grep -qx installed; then
        packages+=("$package")
    fi
done
if ! "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null; then
    packages+=(python3-venv)
fi

if [ "${#packages[@]}" -eq 0 ]; then
    echo "No system packages are missing."
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "Missing on this system: ${packages[*]}. Install them with your package manager," >&2
    echo "on Debian and Ubuntu: sudo apt-get install ${packages[*]}" >&2
    exit 0
fi
echo "Installing system packages: ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${packages[@]}"
