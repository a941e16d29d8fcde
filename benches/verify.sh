#!/usr/bin/env bash
# What checking costs: verify beside cat and xxhsum, and encode with --verify beside encode without.
#
#   benches/verify.sh [--size BYTES] [--runs 5]
#
# Works on tmpfs in a folder of its own, which it removes. Runs take turns; medians in MB/s of what is read, with
# the slowest and the fastest, and how much longer --verify takes, are printed and written into the section
# "Checking" of docs/PERFORMANCE.md: a minute. DISTDUP=PATH takes another binary instead of building.
set -euo pipefail
cd "$(dirname "$0")/.."

size=$((1 << 30)) runs=5
while [ $# -gt 0 ]; do
    case $1 in
    --size) size=$2 ;;
    --runs) runs=$2 ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    esac
    shift 2
done
if [ -z "${DISTDUP:-}" ]; then
    cargo build --release --locked
    DISTDUP=$(realpath -m "${CARGO_TARGET_DIR:-target}")/release/distdup
fi
load=$(cut -d" " -f1 /proc/loadavg)
work=$(mktemp -d /dev/shm/distdup-verify.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

head -c "$size" /dev/zero | openssl enc -aes-128-ctr -pass pass:x -nosalt 2>"$work/err" >"$work/in"
"$DISTDUP" encode -q -k 1 -n 2 -o "$work/one{i}" "$work/in"
rm "$work/one1"

# time_of NAME BYTES COMMAND...: one run, a line of name and MB/s.
time_of() {
    local name=$1 bytes=$2 began ended
    shift 2
    began=$(date +%s%N)
    "$@" >/dev/null
    ended=$(date +%s%N)
    echo "$name $((bytes * 1000 / (ended - began)))" >>"$work/times"
}
encode() {
    "$DISTDUP" encode -q --force --no-sync "$@" "$work/in"
}
for _ in $(seq "$runs"); do
    time_of cat "$size" cat "$work/one0"
    ! command -v xxhsum >/dev/null || time_of xxhsum-H2 "$size" xxhsum -H2 "$work/one0"
    time_of verify "$size" "$DISTDUP" verify -q "$work/one0"
    time_of verify-subset-10% "$size" "$DISTDUP" verify -q --subset 10% "$work/one0"
    time_of why "$size" "$DISTDUP" why -q "$work/one0" || true
    for code in "rs -k 4 -n 6" "rs -k 2 -n 3" "xor -k 6 -n 10"; do
        set -- $code
        outputs=()
        for i in $(seq "$5"); do outputs+=(-o /dev/null); done
        time_of "encode-$1-$3-$5" "$size" encode --codec $code "${outputs[@]}"
        time_of "encode-$1-$3-$5-verify" "$size" encode --codec $code --verify "${outputs[@]}"
    done
done
sort "$work/times" | awk -v size="$size" -v runs="$runs" -v load="$load" '
    BEGIN {
        printf "%d MB on tmpfs, medians of %d interleaved runs, load before %s:\n\n", size / 1e6, runs, load
        print "| | MB/s | least to most | with `--verify`, as long |\n| --- | --- | --- | --- |"
    }
    { if ($1 != name) { show(); name = $1; n = 0 } speed[n++] = $2 }
    END { show() }
    function show(  i, j, t, longer) {
        if (!n) return
        for (i = 1; i < n; i++)
            for (j = i; j && speed[j - 1] > speed[j]; j--) {
                t = speed[j]; speed[j] = speed[j - 1]; speed[j - 1] = t
            }
        median[name] = speed[int(n / 2)]
        plain = name
        if (sub(/-verify$/, "", plain)) longer = sprintf("%.2f times", median[plain] / median[name])
        printf "| %s | %d | %d to %d | %s |\n", name, median[name], speed[0], speed[n - 1], longer
    }' | tee "$work/table"
awk -v table="$work/table" '
    /<!-- verify.sh writes from here -->/ {
        print; print ""
        while ((getline line < table) > 0) print line
        print ""; skips = 1
    }
    /<!-- verify.sh writes to here -->/ { skips = 0 }
    !skips' docs/PERFORMANCE.md >"$work/page"
cat "$work/page" >docs/PERFORMANCE.md
