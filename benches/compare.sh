#!/usr/bin/env bash
# Speed and memory of distdup beside zfec, par2, ISA-L, reed-solomon-erasure, cat and the least that such
# work can cost; written into docs/PERFORMANCE.md.
#
#   benches/compare.sh            all of it: up to 4 GiB, and 32 GiB through pipes; three quarters of an hour
#   benches/compare.sh --quick    512 MiB, 3 turns, no disk: some minutes
#   benches/compare.sh --only start,fifo [--size 512MiB] [--runs 5]    some parts, printed only
#
# Writes what there is after each part, so that a run that is stopped is not lost; the disk comes last.
# Installs zfec into target/, par2 and ISA-L from Debian, and builds distdup. Works in folders of its own on
# tmpfs and in target/, which it removes. DISTDUP=PATH takes another binary instead of building.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
if ! command -v par2 >/dev/null || ! [ -e /usr/include/isa-l.h ]; then
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends par2 libisal-dev
fi
if [ ! -x "$target/zfec/bin/zunfec" ]; then
    rm -rf "$target/zfec"
    python3 -m venv "$target/zfec"
    "$target/zfec/bin/pip" install --quiet --disable-pip-version-check 'zfec>=1.6'
fi
if [ -z "${DISTDUP:-}" ]; then
    cargo build --release --locked
    DISTDUP=$target/release/distdup
fi
CARGO_TARGET_DIR=$target/kernels cargo build --release --locked --manifest-path benches/kernels/Cargo.toml

work=$(mktemp -d /dev/shm/distdup-compare.XXXXXX)
disk=$(mktemp -d "$target/distdup-compare.XXXXXX")
trap 'rm -rf "$work" "$disk"' EXIT
trap 'exit 130' INT TERM
"$target/zfec/bin/python" -I benches/compare.py --distdup "$(realpath "$DISTDUP")" --zfec "$target/zfec/bin" \
    --kernels "$target/kernels/release/kernels" --work "$work" --disk "$disk" "$@"
