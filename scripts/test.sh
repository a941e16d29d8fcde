#!/usr/bin/env bash
# Installs what the tests need on a Debian machine with Rust, then runs all of them.
#
#   scripts/test.sh            everything
#   scripts/test.sh --setup    the installing alone; prints the variables that the tests want
#
# Nothing is installed outside target/ but Debian's packages, and those only where they are missing.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*" >&2; }
die() { printf '\nscripts/test.sh: %s\n' "$*" >&2; exit 1; }

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
mkdir -p "$target"

command -v cargo >/dev/null || die "no cargo: install Rust first (rustup, or Debian's cargo if it is new enough)"

# --- Debian's packages: Duplicity 0.8 and GnuPG to test with, Chromium, which shows the page of
# `distdup compare` (81 MB to fetch, half a minute), strace, which kills and fails system calls, and file
# systems for loop mounts; the rest builds Duplicity 3 and recover.c ---

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)

missing=()
for package in duplicity gnupg chromium strace e2fsprogs python3-venv python3-dev gcc librsync-dev; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "${missing[@]}"
fi

# --- Python: what docs/recover/recover.py needs, and zfec, whose shards rs8 shares are held against ---

# venv FOLDER CHECK PACKAGES...: a virtual environment that has the packages, made anew if CHECK fails in it.
venv() {
    local folder=$1 check=$2
    shift 2
    if ! "$folder/bin/python" -c "$check" 2>/dev/null; then
        say "installing $* into $folder"
        rm -rf "$folder"
        python3 -m venv "$folder" &&
            "$folder/bin/pip" install --quiet --disable-pip-version-check "$@" &&
            "$folder/bin/python" -c "$check"
    fi
}

venv "$target/venv" 'import cbor2, xxhash, zfec' 'cbor2>=5.4' 'xxhash>=3' 'zfec>=1.6' ||
    die "could not install cbor2, xxhash and zfec; docs/recover cannot be tested without them"
export DISTDUP_PYTHON=$target/venv/bin/python

# Duplicity's other dependencies are its backends', which bring 350 MB and are of no use here.
duplicity3=3.2.1
venv "$target/duplicity3" "from importlib.metadata import version as v; assert v('duplicity') == '$duplicity3'" \
    --no-deps "duplicity==$duplicity3" fasteners ||
    die "could not install Duplicity $duplicity3 (needs gcc, python3-dev, librsync-dev); it is half of what distdup promises"
export DISTDUP_DUPLICITY3=$target/duplicity3/bin/duplicity
"$DISTDUP_DUPLICITY3" --version >/dev/null || die "Duplicity $duplicity3 was installed but does not start"

if [ "${1:-}" = --setup ]; then
    printf 'export DISTDUP_PYTHON=%q DISTDUP_DUPLICITY3=%q\n' "$DISTDUP_PYTHON" "$DISTDUP_DUPLICITY3"
    exit 0
fi

# --- The tests: all of them run, even after one has failed ---

log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=()

# run NAME COMMAND...
run() {
    local name=$1
    shift
    say "$name"
    "$@" 2>&1 | tee -a "$log" || failed+=("$name")
}

run "cargo test" cargo test --workspace --locked --no-fail-fast
for folder in docs/recover src/duplicity; do
    if compgen -G "$folder/test_*.py" >/dev/null; then
        run "Python: $folder" "$DISTDUP_PYTHON" -m unittest discover --start-directory "$folder"
    fi
done

# Sums of cargo's and unittest's closing lines, so that the last line tells of everything.
awk -v broken="${#failed[@]}" '
    /^test result: / { passed += $4; failed += $6; skipped += $8 }
    /^Ran [0-9]+ tests? in / { ran = $2; passed += ran }
    /^(OK|FAILED)( \(.*\))?$/ {
        gsub(/[(),]/, " ")
        for (i = 2; i <= NF; i++) {
            split($i, part, "=")
            if (part[1] == "failures" || part[1] == "errors") { failed += part[2]; passed -= part[2] }
            if (part[1] == "skipped") { skipped += part[2]; passed -= part[2] }
        }
    }
    END {
        if (broken && !failed) failed = broken  # something that did not even build
        printf "\ntotal: %d passed, %d failed, %d skipped\n", passed, failed, skipped
        exit !(passed && !failed)
    }' "$log" || failed+=("see the counts above")

if [ ${#failed[@]} -gt 0 ]; then
    exit 1
fi
