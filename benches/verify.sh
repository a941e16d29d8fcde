#!/usr/bin/env bash
# What checking costs: verify beside cat and xxhsum, and encode with --verify beside encode without.
#
#   benches/verify.sh [--size BYTES] [--runs 5]
#
# Works on tmpfs in a folder of its own, which it removes. Runs take turns; what is printed are medians in
# MB/s of what is read, with the slowest and the fastest, and how much longer --verify takes. DISTDUP=PATH takes
# another binary instead of building.
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
sort "$work/times" | awk '
    { if ($1 != name) { show(); name = $1; n = 0 } speed[n++] = $2 }
    END {
        show()
        for (name in median)
            if (name "-verify" in median)
                printf "%-24s %6.2f times as long with --verify\n", name, median[name] / median[name "-verify"]
    }
    function show(  i, j, t) {
        if (!n) return
        for (i = 1; i < n; i++)
            for (j = i; j && speed[j - 1] > speed[j]; j--) {
                t = speed[j]; speed[j] = speed[j - 1]; speed[j - 1] = t
            }
        median[name] = speed[int(n / 2)]
        printf "%-24s %6d MB/s (%d to %d)\n", name, median[name], speed[0], speed[n - 1]
    }'
