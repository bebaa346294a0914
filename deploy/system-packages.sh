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

# Debian 12 has suricata in its backports alone: they are added to the sources that the system
# has, at the same address, and only for what is found nowhere else.
has_candidate() {
    [[ "$(apt-cache policy "$1")" == *"Candidate: "[!\(]* ]]
}
missing=()
for package in "${packages[@]}"; do
    has_candidate "$package" || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
    sources=/etc/apt/sources.list.d/debian.sources
    codename="$(. /etc/os-release && echo "${VERSION_CODENAME:-}")"
    uri="$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' "$sources" 2>/dev/null | head -n 1)"
    if [ -n "$codename" ] && [ -n "$uri" ]; then
        sed -n "/^Signed-By:/{p;q}" "$sources" | {
            printf 'Types: deb\nURIs: %s\nSuites: %s-backports\nComponents: main\n' "$uri" "$codename"
            cat
        } >/etc/apt/sources.list.d/backports.sources
        apt-get update -qq
    fi
fi
absent=()
found=()
for package in "${packages[@]}"; do
    if has_candidate "$package"; then found+=("$package"); else absent+=("$package"); fi
done
if [ "${#absent[@]}" -gt 0 ]; then
    echo "This system's package sources do not have: ${absent[*]}. Tests that need it say so." >&2
fi
if [ "${#found[@]}" -gt 0 ]; then
    apt-get install -y -qq --no-install-recommends "${found[@]}"
fi
