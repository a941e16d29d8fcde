#!/usr/bin/env bash
# Runs the fuzz targets, one after another, from the corpus in fuzz/corpus and the inputs to begin with.
#
#   scripts/fuzz.sh [--minutes 60] [--keep] [TARGET...]      all targets unless told
#
# --keep adds what covers more to fuzz/corpus, minimised. What fails is left in fuzz/artifacts. A line of
# seconds and executions for each target goes to standard output.
#
# Needs a nightly toolchain and cargo-fuzz:
#   rustup toolchain install nightly && cargo install cargo-fuzz
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=60 keep=
while [ $# -gt 0 ]; do
    case $1 in
    --minutes) minutes=$2 && shift ;;
    --keep) keep=1 ;;
    -*) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    *) break ;;
    esac
    shift
done
[ $# -gt 0 ] || set -- $(basename -s .rs fuzz/fuzz_targets/*.rs)

work=$(realpath -m "${CARGO_TARGET_DIR:-target}")/fuzz
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
DISTDUP_SEEDS=$work/seeds cargo test --quiet --locked --test fuzzed >/dev/null
(cd fuzz && CARGO_TARGET_DIR=$work cargo +nightly fuzz build >&2)
for target; do
    fuzzer=$work/$host/release/$target
    found=$work/corpus/$target
    mkdir -p "$found" "fuzz/corpus/$target" "fuzz/artifacts/$target"
    began=$(date +%s) failed=
    # Its threads may outlive an input by a little: that is no leak.
    ASAN_OPTIONS=detect_leaks=0 "$fuzzer" -max_total_time=$((minutes * 60)) -timeout=60 -max_len=4096 \
        -rss_limit_mb=4096 -print_final_stats=1 -artifact_prefix="fuzz/artifacts/$target/" \
        "$found" "fuzz/corpus/$target" "$work/seeds/$target" 2>"$work/$target.log" || failed=1
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$target.log")
    echo "fuzz: $target: $(($(date +%s) - began)) s, ${runs:-?} executions${failed:+, FAILED: $work/$target.log}"
    if [ -n "$keep" ]; then
        rm -rf "$work/least" && mkdir "$work/least"
        # By the edges that are reached alone: how often each is would keep thousands.
        ASAN_OPTIONS=detect_leaks=0 "$fuzzer" -set_cover_merge=1 -use_counters=0 -max_len=4096 \
            "$work/least" "fuzz/corpus/$target" "$found" "$work/seeds/$target" 2>>"$work/$target.log"
        rm -rf "fuzz/corpus/$target" && mv "$work/least" "fuzz/corpus/$target"
    fi
done
