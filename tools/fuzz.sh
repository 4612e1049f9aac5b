#!/bin/sh
# Runs every fuzz target of a build directory for some seconds each, from its corpus.
# Usage: tools/fuzz.sh BUILD-DIR SECONDS [SEED]
#
# With a SEED other than 0 (the default is 0: a new one each time, on top of what was found before) a
# target starts from the committed corpus alone, so that two runs try the same inputs in the same order.
set -eu
dir=$1
seconds=$2
seed=${3:-0}
count=0
for target in "$dir"/*_fuzz; do
    [ -x "$target" ] || continue
    name=$(basename "$target" _fuzz)
    grown="$dir/corpus/$name"
    [ "$seed" = 0 ] || rm -rf "$grown"
    mkdir -p "$grown"
    echo "fuzz $name for $seconds s"
    if ! "$target" -max_total_time="$seconds" -seed="$seed" -timeout=20 -rss_limit_mb=2048 -max_len=16384 \
        -artifact_prefix="$dir/crash-$name-" -print_final_stats=1 \
        "$grown" "test/fuzz/corpus/$name" >"$dir/$name.log" 2>&1; then
        tail -60 "$dir/$name.log"
        echo "fuzz $name: FAILED; the input is in $dir/crash-$name-*"
        exit 1
    fi
    grep -E 'stat::number_of_executed_units|stat::peak_rss_mb' "$dir/$name.log" || true
    count=$((count + 1))
done
[ "$count" -gt 0 ] || { echo "no fuzz targets in $dir" >&2; exit 1; }
echo "$count fuzz targets, no crash"
