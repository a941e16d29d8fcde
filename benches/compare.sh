#!/usr/bin/env bash
# Speed and memory of distdup beside zfec's command line and the least that such work can cost.
#
#   benches/compare.sh [--size 512MiB] [--runs 5] [--codec rs]     the table
#   benches/compare.sh --memory-check                              memory at 256 MiB and at 8 GiB of input
#
# Installs zfec into target/, builds distdup, and works in a folder of its own on tmpfs, which it removes.
# DISTDUP=PATH takes another binary instead of building.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
if [ ! -x "$target/zfec/bin/zunfec" ]; then
    rm -rf "$target/zfec"
    python3 -m venv "$target/zfec"
    "$target/zfec/bin/pip" install --quiet --disable-pip-version-check 'zfec>=1.6'
fi
if [ -z "${DISTDUP:-}" ]; then
    cargo build --release --locked
    DISTDUP=$target/release/distdup
fi

work=$(mktemp -d /dev/shm/distdup-compare.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
"$target/zfec/bin/python" -I benches/compare.py --distdup "$(realpath "$DISTDUP")" --work "$work" "$@"
