#!/usr/bin/env bash
# Runs the tests that threads and unsafe code are likeliest to fail, under the tools that see it.
#
#   scripts/sanitize.sh [threads] [addresses] [miri]      all three unless told
#
#   threads    ThreadSanitizer over tests/schedules.rs and tests/sinks_fail.rs: data races
#   addresses  AddressSanitizer over the codecs' tests, all kernels that this processor has
#   miri       Miri over rs8 and xor, by their plain kernels (the others need instructions that it is not told of)
#
# Needs a nightly toolchain with its sources and Miri:
#   rustup toolchain install nightly --component rust-src --component miri
# Builds the standard library anew, into target/sanitize: some minutes; half an hour on a busy machine.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "${1:-}" != --help ] || { sed -n '2,13s/^# \{0,1\}//p' "$0"; exit; }
[ $# -gt 0 ] || set -- threads addresses miri

host=$(rustc +nightly -vV | sed -n 's/^host: //p')
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")/sanitize

# under SANITIZER ARGUMENT...: cargo test, built with it, the standard library too.
under() {
    local sanitizer=$1
    shift
    RUSTFLAGS="-Zsanitizer=$sanitizer" CARGO_TARGET_DIR=$target/$sanitizer \
        CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=1 \
        cargo +nightly test --locked -Zbuild-std --target "$host" "$@"
}
for what; do
    echo "== $what" >&2
    case $what in
    threads)
        TSAN_OPTIONS="halt_on_error=1 exitcode=66" under thread --test schedules --test sinks_fail -- --nocapture
        ;;
    addresses)
        under address -p distdup-codecs --lib --test codes
        ;;
    miri)
        CARGO_TARGET_DIR=$target/miri MIRIFLAGS=-Zmiri-disable-isolation \
            cargo +nightly miri test --locked -p distdup-codecs --lib -- rs8:: xor::kernel xor::solve
        ;;
    *)
        sed -n '2,13s/^# \{0,1\}//p' "$0" >&2 && exit 2
        ;;
    esac
done
