#!/bin/sh
# Shows a Duplicity backup that outlives a lost host, and a flipped bit in a share of another.
#
# For a Debian machine with Rust. Installs Duplicity and GnuPG if they are missing, builds distdup, and
# does all else in a temporary folder, which it removes at the end.
set -eu

repository=$(cd "$(dirname "$0")/.." && pwd)
bold=''; plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$(printf '\033[1m'); plain=$(printf '\033[0m'); fi
say() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }

say 'What it needs'
packages=
command -v duplicity >/dev/null || packages="$packages duplicity"
command -v gpg >/dev/null || packages="$packages gnupg"
command -v cc >/dev/null || packages="$packages gcc libc6-dev"
if [ -n "$packages" ]; then
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        sudo=sudo
    fi
    export DEBIAN_FRONTEND=noninteractive
    $sudo apt-get update -q
    # shellcheck disable=SC2086 # a list of words
    $sudo apt-get install -qy --no-install-recommends $packages
fi
command -v cargo >/dev/null || fail 'there is no cargo; install Rust first (https://rustup.rs)'
duplicity --version
gpg --version | head -n 1

say 'Building distdup'
cargo build --quiet --release --locked --manifest-path "$repository/Cargo.toml"
target=${CARGO_TARGET_DIR:-$repository/target}
PATH=$target/release:$PATH
distdup --version

work=$(mktemp -d)
clean() {
    GNUPGHOME=$work/home/.gnupg gpgconf --kill all 2>/dev/null || true
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' INT TERM HUP
cd "$work"
mkdir -m 700 home home/.gnupg
export HOME="$work/home" PASSPHRASE='correct horse battery staple'
unset GNUPGHOME XDG_CACHE_HOME XDG_CONFIG_HOME

say 'A tree: 0 bytes to 50 MB, odd names, a symbolic link, a sparse file'
mkdir -p test/documents 'test/a folder'
: >test/empty
printf x >test/one-byte
head -c 50000000 /dev/urandom >test/50MB
head -c 3000001 /dev/urandom >'test/a folder/with spaces'
seq 200000 >test/documents/numbers
newline=$(printf 'new\nline')
echo 'a name with a newline in it' >"test/documents/$newline"
latin1=$(printf 'caf\351')
echo 'a name that is not UTF-8' >"test/documents/$latin1"
ln -s ../50MB 'test/a folder/link'
truncate -s 20000000 test/sparse
printf end >>test/sparse
chmod 600 test/one-byte
du -sh test
ls -lR --quoting-style=escape test

# Exit code $1 is expected of the rest.
expect() {
    expected=$1
    shift
    found=0
    "$@" || found=$?
    [ "$found" -eq "$expected" ] || fail "\`$*\` exited with $found, not $expected"
}
describe() {
    (cd "$1" && find . ! -type d -printf '%P %y %m %s %l\0' | sort -z &&
        find . -type d -printf '%P %m\0' | sort -z) | cksum
}
compare() {
    diff -r --no-dereference test restore_test || fail 'what was restored differs'
    [ "$(describe test)" = "$(describe restore_test)" ] || fail 'names, modes or links differ'
    echo 'The restored tree is the same: every byte, name, mode and link.'
    rm -rf restore_test
}

say 'distdup backup -k 2 -n 3 test/'
expect 0 distdup backup -k 2 -n 3 test/

say 'The three hosts'
du -sh backup_test/*
ls -l backup_test/*

say 'Host distdup1 is lost'
mv backup_test/distdup1 lost
ls backup_test
expect 3 distdup restore restore_test/
compare

say 'It is back, and one bit of a share on distdup0 is flipped'
mv lost backup_test/distdup1
share=$(find backup_test/distdup0 -name '*.vol1.*.share')
offset=$(($(stat -c %s "$share") / 2))
byte=$(od -An -tu1 -j "$offset" -N 1 "$share")
# shellcheck disable=SC2059 # an octal escape is made
printf "\\$(printf %03o $((byte ^ 1)))" |
    dd of="$share" bs=1 seek="$offset" conv=notrunc status=none
echo "bit 0 of byte $offset of $share"
expect 3 distdup restore restore_test/ 2>messages
cat messages
grep -qF "$(basename "$share")" messages || fail 'the damaged share was not named'
compare
expect 1 distdup verify "$share"

say 'Two hosts are lost: too many'
mkdir lost
mv backup_test/distdup1 backup_test/distdup2 lost
expect 1 distdup restore restore_test/
[ ! -e restore_test ] || fail 'something was left that looks restored'
echo 'Refused, and nothing was left that looks restored.'

say 'What this did'
cat <<'END'
Duplicity backed up a tree of 74 MB, a sparse file among it, encrypted by GnuPG, through distdup to
three hosts, which hold one and a half times what Duplicity wrote between them.
Proved: it came back byte for byte with one host gone; it came back byte for byte with a flipped bit in
a share, which was named, and which `distdup verify` finds by itself; with two hosts gone there was an
error, and nothing that looks restored.
END
