#!/usr/bin/env bash
# Runs the tests that threads and unsafe code are likeliest to fail, under the tools that see it.
#
#   scripts/sanitize.sh [threads] [addresses] [miri] [foreign]      all unless told
#
#   threads    ThreadSanitizer over tests/schedules.rs and tests/sinks_fail.rs: data races
#   addresses  AddressSanitizer over the codecs' tests, all kernels that this processor has
#   miri       Miri over rs8 and xor by their plain kernels; and every product by rs8's others for x86, GFNI and AVX-512
#              among them: it carries their instructions out as they are documented, whatever the processor has
#   foreign    the codecs' tests on 64-bit ARM, NEON included, in qemu
#
# Needs a nightly toolchain with its sources and Miri:
#   rustup toolchain install nightly --component rust-src --component miri
# and for `foreign`, on Debian:
#   rustup target add aarch64-unknown-linux-gnu
#   apt-get install qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross
# Builds the standard library anew, into target/sanitize: some minutes; half an hour on a busy machine.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "${1:-}" != --help ] || { sed -n '2,17s/^# \{0,1\}//p' "$0"; exit; }
[ $# -gt 0 ] || set -- threads addresses miri foreign

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
        miri() { CARGO_TARGET_DIR=$target/miri MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --locked "$@"; }
        miri -p distdup-codecs --lib -- rs8:: xor::kernel xor::solve
        RUSTFLAGS="-C target-feature=+ssse3,+avx2,+gfni,+avx512f" miri --target x86_64-unknown-linux-gnu \
            -p distdup-codecs --lib -- rs8::kernel::tests::every_product
        ;;
    foreign)
        CARGO_TARGET_DIR=$target/foreign CARGO_PROFILE_DEV_OPT_LEVEL=2 \
            CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
            CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu" \
            cargo test --locked -p distdup-codecs --target aarch64-unknown-linux-gnu --lib --test codes
        ;;
    *)
        sed -n '2,17s/^# \{0,1\}//p' "$0" >&2 && exit 2
        ;;
    esac
done
