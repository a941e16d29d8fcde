#!/usr/bin/env bash
# Makes docs/report.png anew: the upper part of the page that `distdup compare` writes for ten hosts, as Chromium shows
# it. The speeds in its advice are this machine's: leave it alone meanwhile.
#
# DISTDUP=PATH takes another binary instead of building.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${DISTDUP:-}" ]; then
    cargo build --release --locked
    DISTDUP=$(realpath -m "${CARGO_TARGET_DIR:-target}")/release/distdup
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$DISTDUP" compare --hosts 10 --host-speed 100MB --codec rs,xor,xor:matland,copy --html "$work/report.html"
HOME=$work chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/profile" \
    --blink-settings=preferredColorScheme=1 --window-size=1160,1180 --screenshot="$work/report.png" "file://$work/report.html" 2>/dev/null
mv "$work/report.png" docs/report.png
