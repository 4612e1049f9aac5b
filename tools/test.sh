#!/bin/bash
# Everything that `make test` runs, stage by stage, with times. Stops at the first stage that fails.
set -euo pipefail
jobs=$(nproc)
seeds=${SEEDS:-3000}
seconds=${SECONDS_PER_TARGET:-25}
passed=0

stage() {
    local name=$1 start=$SECONDS
    shift
    echo "=== $name"
    "$@" || { echo "=== $name FAILED"; echo "$passed passed, 1 failed"; exit 1; }
    passed=$((passed + 1))
    echo "=== $name: ok ($((SECONDS - start)) s)"
}
build() { # DIR TARGETS CMAKE-OPTIONS…
    local dir=$1 targets=$2
    shift 2
    cmake -G Ninja -S . -B "$dir" "$@" >/dev/null
    # shellcheck disable=SC2086
    ninja -C "$dir" -j"$jobs" $targets | tail -1
}
tests() { ctest --test-dir "$1" --output-on-failure -j"$jobs" | tail -25; }

asan="-DCMAKE_BUILD_TYPE=Debug -DBT_SANITIZE=address,undefined"
tsan="-DCMAKE_BUILD_TYPE=Debug -DBT_SANITIZE=thread"
stage "release build" build build "baton sim plugins test_plugins bench" -DCMAKE_BUILD_TYPE=Release
stage "lint" python3 tools/lint.py
stage "page: types" npm --prefix ui run --silent check
stage "page: logic" npm --prefix ui test --silent -- --reporter=dot
stage "page: in Chromium" node test/e2e/run.mjs build/baton
# shellcheck disable=SC2086
stage "build with ASan and UBSan" build build-asan all $asan
stage "unit tests with ASan and UBSan" tests build-asan
stage "scenarios with ASan and UBSan" test/scenario/run.py --baton build-asan/baton
stage "scenarios, release" test/scenario/run.py --baton build/baton
stage "API with ASan and UBSan" test/api/run.py --baton build-asan/baton
stage "API, release" test/api/run.py --baton build/baton
stage "clients: kestra, kestrapy" test/clients/run.py
stage "API against its document, by schemathesis" test/api/schema.py --seconds "${SCHEMA_SECONDS:-40}"
stage "crash: kill -9 of a server under HTTP load" test/crash/server.py --kills "${KILLS:-45}"
stage "crash: kill -9 of workers and servers" test/crash/workers.py --kills "${KILLS:-45}"
stage "crash: kill -9 of plugin hosts and the zygote" test/crash/hosts.py --kills "${KILLS:-60}"
stage "crash: remote workers, scenes" test/crash/remote.py
stage "crash: kill -9, full disk, damaged data" test/crash/run.py --kills "${KILLS:-25}"
stage "simulation" build/test/sim/sim --seeds "$seeds"
# shellcheck disable=SC2086
stage "build with TSan" build build-tsan all $tsan
stage "unit tests with TSan" tests build-tsan
stage "scenarios with TSan" test/scenario/run.py --baton build-tsan/baton --jobs 2
stage "API with TSan" test/api/run.py --baton build-tsan/baton --jobs 2
stage "fuzz build" build build-fuzz all -DCMAKE_BUILD_TYPE=Debug -DBT_SANITIZE=address,undefined \
    -DBT_FUZZ=ON -DCMAKE_C_COMPILER=clang-14
stage "fuzzing, $seconds s a target" tools/fuzz.sh build-fuzz "$seconds" "${FUZZ_SEED:-1}"
echo "$passed passed, 0 failed"
