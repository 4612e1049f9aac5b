#!/bin/bash
# What `make run` does after the build: runs the first example in the terminal, then starts a server in the background with
# all example flows in it, and says where it is. Usage: tools/run.sh [stop]
set -euo pipefail
baton=build/baton
data=build/run-data
pid_file=$data.pid

stop() {
    if [ -f "$pid_file" ] && kill -0 "$(cat "$pid_file")" 2>/dev/null; then
        kill "$(cat "$pid_file")"
        while kill -0 "$(cat "$pid_file")" 2>/dev/null; do sleep 0.05; done
        echo "The server has stopped."
    fi
    rm -f "$pid_file"
}

start() { # PORT
    : >"$data.log"
    setsid "$baton" server --data "$data" --port "$1" >"$data.log" 2>&1 </dev/null &
    echo $! >"$pid_file"
    for _ in $(seq 200); do
        grep -q "ready at" "$data.log" && return 0
        kill -0 "$(cat "$pid_file")" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}

if [ "${1:-}" = stop ]; then
    stop
    exit 0
fi
"$baton" run examples/etl/etl.yml -f orders=@examples/etl/orders.csv
stop >/dev/null
port=${PORT:-8080}
if ! start "$port"; then
    grep -q "another program has the port" "$data.log" || { cat "$data.log" >&2; exit 1; }
    echo "Port $port is taken; another one is used."
    start 0 || { cat "$data.log" >&2; exit 1; }
fi
"$baton" flow push --data "$data" examples/*/*.yml >/dev/null
"$baton" exec start examples etl -f orders=@examples/etl/orders.csv --data "$data" >/dev/null
address=$(grep -o "http://[^ ]*" "$data.log" | head -1)
echo
echo "The server is at $address with the example flows in it (data: $data; log: $data.log)."
echo "  build/baton flow list --data $data"
echo "  curl $address/api/v1/executions/search"
echo "  make stop"
