#!/usr/bin/env bash
# Tries every fault, and writes what came of each into the table of docs/RELIABILITY.md.
#
#   scripts/faults.sh                 all of it: an hour or two, or what the fuzzers are given
#   scripts/faults.sh --minutes 60    each fuzz target for so long; 0 leaves them and the sanitizers out
#   scripts/faults.sh --table LOG     only the table, from the log of an earlier run
#
# Fuzzers and sanitizers want a nightly toolchain, see scripts/fuzz.sh and scripts/sanitize.sh; rows that were
# not run say so. Loop mounts want root. Exits 1 if anything came out wrong.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=1 table=
while [ $# -gt 0 ]; do
    case $1 in
    --minutes) minutes=${2:?how many} && shift ;;
    --table) table=${2:?which log} && shift ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    esac
    shift
done
if [ -n "$table" ]; then
    exec python3 scripts/faults-table.py "$table" docs/RELIABILITY.md
fi

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
mkdir -p "$target"
log=$target/faults.log
eval "$(scripts/test.sh --setup)"
# As fast as the program that is installed, and still with every check of the arithmetic.
export DISTDUP_TEST_FULL=1 CARGO_PROFILE_DEV_OPT_LEVEL=3 CARGO_TARGET_DIR=$target/faults

{
    echo "run: $(date -u +%F), commit $(git describe --always --dirty)"
    echo "run: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores, $(uname -sr)," \
        "$(findmnt -no FSTYPE -T "${TMPDIR:-/tmp}"), $(rustc --version)"
} | tee "$log"

# Each line of what runs goes into the log; what fails is seen there.
logged() { "$@" 2>&1 | tee -a "$log" || true; }

logged cargo test --locked --no-fail-fast --lib --test availability --test damage --test sinks_fail --test syscalls \
    --test cli_full_disk --test encode_verify --test hostile --test golden --test subsets --test properties \
    --test read_back --test timeouts --test duplicity_kills $(cd tests && ls fuzzed.rs schedules.rs 2>/dev/null |
        sed 's/\(.*\)\.rs/--test \1/') -- --nocapture
if [ "$minutes" -gt 0 ] && cargo +nightly --version >/dev/null 2>&1; then
    echo "     Running scripts/fuzz.sh" >>"$log"
    logged scripts/fuzz.sh --minutes "$minutes"
    for what in threads addresses; do
        echo "sanitizer: $what" >>"$log"
        # The same tests again, that are not to be counted twice.
        scripts/sanitize.sh $what 2>&1 | sed 's/faults: /again: /' | logged cat
    done
fi
exec python3 scripts/faults-table.py "$log" docs/RELIABILITY.md
