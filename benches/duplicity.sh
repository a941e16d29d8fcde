#!/usr/bin/env bash
# Duplicity through distdup beside Duplicity to file://, the two taking turns; both generations.
#
#   benches/duplicity.sh [--size 500MB] [--runs 5] [--work DIR]    backup and restore, with GnuPG and without
#   benches/duplicity.sh --volumes [--runs 1]                      volume size against time, and GnuPG's share
#   benches/duplicity.sh --archive [--files 100000]                the archive of signatures, for so many files
#
# Installs both generations as scripts/test.sh does, builds distdup, and works in a folder of its own, on
# tmpfs unless told otherwise, which it removes. DISTDUP=PATH takes another binary instead of building.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${DISTDUP_DUPLICITY3:-}" ]; then
    eval "$(scripts/test.sh --setup)"
fi
if [ -z "${DISTDUP:-}" ]; then
    cargo build --release --locked
    DISTDUP=$(realpath -m "${CARGO_TARGET_DIR:-target}")/release/distdup
fi
DISTDUP=$(realpath "$DISTDUP") exec python3 -I benches/duplicity.py "$@"
