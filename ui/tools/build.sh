#!/bin/sh
# Builds the page into one file for the binary. Usage: ui/tools/build.sh OPENAPI.json OUT.pack
# Without Node.js or the npm registry the file is empty and the binary says so at /ui/; a page that
# does not compile is an error.
set -eu
openapi=$(realpath "$1")
pack=$(realpath -m "$2")
dist="$(dirname "$pack")/dist"
cd "$(dirname "$0")/.."

without() {
    echo "warning: built without the page: $1; 'make ui' tries again" >&2
    : >"$pack"
    exit 0
}
command -v node >/dev/null 2>&1 || without "there is no Node.js"
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 18 ] || without "Node.js is older than 18"
command -v npm >/dev/null 2>&1 || without "there is no npm"

# Only when the lockfile changed since the last time.
stamp=node_modules/.baton-lock
if ! cmp -s package-lock.json "$stamp"; then
    npm ci --no-audit --no-fund --fetch-retries=1 --fetch-timeout=30000 --loglevel=error >"$pack.log" 2>&1 ||
        without "npm could not install what it needs (see $pack.log)"
    cp package-lock.json "$stamp"
fi
node tools/generate-api.mjs "$openapi" src/api/generated.ts
node node_modules/vite/bin/vite.js build --logLevel warn --outDir "$dist" --emptyOutDir
node tools/pack.mjs "$dist" "$pack"
