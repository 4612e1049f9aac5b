#!/bin/sh
# Installs the Debian packages that building or testing needs, when they are missing, and says so.
# Usage: tools/setup.sh build|test|fuzz|lint
set -eu

build="gcc libc6-dev cmake ninja-build libfyaml-dev libsqlite3-dev libzstd-dev libpcre2-dev
libuv1-dev nettle-dev libmicrohttpd-dev libarchive-dev libcurl4-openssl-dev"
run="python3"
case "${1:-build}" in
build) want="$build" ;;
run) want="$build $run" ;;
test) want="$build $run libcmocka-dev python3-yaml python3-venv clang-14 libclang-rt-14-dev" ;;
fuzz) want="$build clang-14 libclang-rt-14-dev" ;;
lint) want="$build python3 git clang-format-14 clang-tidy-14 libcmocka-dev" ;;
*)
    echo "setup.sh: unknown purpose '$1'" >&2
    exit 2
    ;;
esac

command -v dpkg-query >/dev/null 2>&1 || {
    echo "setup.sh: no dpkg here; please install by hand: $want" >&2
    exit 0
}
missing=""
for package in $want; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
        echo "setup.sh: please install as root:$missing" >&2
        exit 1
    }
    as_root="sudo"
fi
echo "Installing packages:$missing"
log=$(mktemp)
if ! { $as_root apt-get update &&
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y --no-install-recommends $missing; } \
    >"$log" 2>&1; then
    cat "$log" >&2
    echo "setup.sh: could not install:$missing" >&2
    exit 1
fi
rm -f "$log"
