#!/usr/bin/env bash
# The same faults for Duplicity's own multi:// and par2+ and for distdup, and what comes back after each.
#
#   benches/rivals.sh [--generation 0.8|3] [--rival NAME]
#
# Installs par2 and both generations of Duplicity where they are missing, and builds distdup; DISTDUP=PATH
# takes another binary instead. Works in a temporary folder and in mounts that nobody else sees.
set -euo pipefail
cd "$(dirname "$0")/.."

as_root=() as_mapped=()
[ "$(id -u)" -eq 0 ] || { as_root=(sudo); as_mapped=(--map-root-user); }
if ! command -v par2 >/dev/null; then
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends par2
fi
if [ -z "${DISTDUP_DUPLICITY3:-}" ]; then
    eval "$(scripts/test.sh --setup)"
fi
if [ -z "${DISTDUP:-}" ]; then
    cargo build --release --locked
    DISTDUP=$(realpath -m "${CARGO_TARGET_DIR:-target}")/release/distdup
fi
DISTDUP=$(realpath "$DISTDUP") exec unshare --mount "${as_mapped[@]}" python3 -I benches/rivals.py "$@"
