# shellcheck shell=bash
# What every peer's `start PORT` or `start --install-only` begins with: its folders, its argument, how it says what goes wrong.
# Progress goes to stderr, and what is installed, with its version, to stdout. What is installed goes to `target/peers/<name>`, or to `$SAYSO_PEERS_DIR/<name>`, nowhere else.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
name=$(basename "$here")
cache=${SAYSO_PEERS_DIR:-${CARGO_TARGET_DIR:-$here/../../../target}/peers}/$name

# Ends the script with one sentence.
fail() {
    echo "$name: $1" >&2
    exit 1
}

# Ends the script unless the program is there.
need() {
    command -v "$1" >/dev/null || fail "needs $1, which is not installed"
}

# Ends the script if that was all, saying what is installed; else looks whether the port is free, and takes as many open files as it may.
installed() {
    [ "$port" != --install-only ] || { echo "$1"; exit 0; }
    ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || fail "port $port is taken"
    ulimit -n "$(ulimit -Hn)"
}

# Unpacks Debian packages, with the libraries that are missing, into `$root`: no root, no system service, no change outside.
# Their versions are the Debian release's own, since a security update removes the version before it.
unpack_debian() {
    root=$cache/root
    [ ! -e "$cache/unpacked" ] || return 0
    need apt-get
    need dpkg-deb
    rm -rf "$root"
    mkdir -p "$cache/debs/partial" "$root"
    apt-get install --download-only --no-install-recommends --yes -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" \
        -o Dir::Cache::archives="$cache/debs" "$@" >&2 || fail "apt-get can't fetch $* (does 'apt-get update' help?)"
    for package in "$cache"/debs/*.deb; do
        [ ! -e "$package" ] || dpkg-deb -x "$package" "$root"
    done
    touch "$cache/unpacked"
}

# Where an unpacked file lies, or the system's own if that was there before.
unpacked() {
    for file in "$root$1" "$1"; do
        [ ! -e "$file" ] || { echo "$file"; return; }
    done
    fail "$1 is in none of the packages"
}

# The version of a Debian package that was unpacked, or else is the system's, as its makers number it.
debian_version() {
    local version
    for package in "$cache/debs/$1"_*.deb; do
        if [ -e "$package" ]; then version=$(dpkg-deb --field "$package" Version); else version=$(dpkg-query --show --showformat '${Version}' "$1"); fi
    done
    version=${version#*:}
    echo "${version%%[+-]*}"
}

# Installs what `package-lock.json` pins, without the packages' install scripts: those download, or build what is optional.
install_npm() {
    cmp -s "$here/package-lock.json" "$cache/package-lock.json" && [ -e "$cache/installed" ] && return
    need npm
    mkdir -p "$cache"
    rm -f "$cache/installed"
    cp "$here/package.json" "$here/package-lock.json" "$cache"
    (cd "$cache" && npm ci --ignore-scripts --no-audit --no-fund >&2) || fail "npm can't install what package-lock.json pins"
    touch "$cache/installed"
}

port=${1:-}
[[ $port == --install-only || $port =~ ^[0-9]+$ ]] || fail "usage: start PORT | start --install-only"
mkdir -p "$cache" 2>/dev/null || fail "can't make its cache folder $cache"
cache=$(cd "$cache" && pwd)
