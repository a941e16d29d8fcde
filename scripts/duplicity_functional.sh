#!/usr/bin/env bash
# Runs Duplicity's own tests, from its source package, with distdup for a backend: those that talk to one.
#
#   scripts/duplicity_functional.sh [0.8 | 3]      both, if nothing is said; some minutes each
#
# The tests are those of 0.8.22 and of 3.0.0, the newest 3.x whose source package has them; they run with
# the Duplicity that scripts/test.sh installs (3.2.1), whose modules are copied, so that the installed ones
# stay as they are. Test runs end where a failure is Duplicity's own, too: docs/DUPLICITY.md says which.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
[ -n "${DISTDUP_DUPLICITY3:-}" ] || . <(scripts/test.sh --setup)
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")

cargo build --quiet --locked
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# suite NAME TESTS-VERSION SCRIPT: Duplicity's tests of one version, with the Duplicity of that script.
suite() {
    local name=$1 version=$2 script=$3
    local python venv=$target/duplicity-tests-$name top=$work/$name
    python=$(sed -n '1s/^#! *//p' "$script")
    if ! "$venv/bin/python" -c 'import pytest, pexpect, fasteners, future' 2>/dev/null; then
        rm -rf "$venv"
        "$python" -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check pytest pexpect fasteners future
    fi
    mkdir -p "$top" "$work/download"
    "$venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary duplicity \
        --dest "$work/download" "duplicity==$version"
    tar -xzf "$work/download/duplicity-$version.tar.gz" -C "$top" --strip-components=1
    rm -rf "$top/duplicity"
    cp -r "$(cd / && "$python" -c 'import os, duplicity; print(os.path.dirname(duplicity.__file__))')" "$top/duplicity"
    mkdir -p "$top/bin" "$top/home/.config/distdup" "$top/tmp"
    cp "$script" "$top/bin/duplicity"
    sed -i "1s|.*|#!$venv/bin/python|" "$top/bin/duplicity"

    {
        printf '[profiles.tests]\nk = 2\nn = 3\n[profiles.tests.hosts]\n'
        printf "h%d = '$top/tmp/hosts/h%d'\n" 0 0 1 1 2 2
    } >"$top/home/.config/distdup/distdup.toml"
    # All that goes to a folder or to Duplicity's own test backend goes to distdup.
    sed -i -E "s#u?f?\"(file|fortestsonly)://[^\"]*testfiles/output\"(\.format\(_runtest_dir\))?#\"distdup://tests\"#" \
        "$top"/testing/functional/__init__.py
    sed -i -E "s#u?f?[\"']file://[^\"']*testfiles/output[\"'](\.format\(_runtest_dir\))?#\"distdup://tests\"#; s/LocalBackend\b/DistdupBackend/" \
        "$top"/testing/unit/test_backend_instance.py
    (
        cd "$top"
        export HOME=$top/home TMPDIR=$top/tmp PYTHONPATH=$top PYTHONDONTWRITEBYTECODE=1
        export PATH=$venv/bin:$PATH
        unset XDG_CONFIG_HOME
        "$target/debug/distdup" duplicity --install-backend --duplicity "$top/bin/duplicity"
        local tests=(testing/unit/test_backend_instance.py)
        for each in badupload cleanup final log replicate restart verify; do
            [ ! -e "testing/functional/test_$each.py" ] || tests+=("testing/functional/test_$each.py")
        done
        "$venv/bin/python" -m pytest -p no:cacheprovider --quiet --tb=line -rfE "${tests[@]}" ||
            printf 'some of the tests of %s failed\n' "$version"
    )
}

case ${1:-both} in
0.8) suite 0.8 0.8.22 /usr/bin/duplicity ;;
3) suite 3 3.0.0 "$DISTDUP_DUPLICITY3" ;;
both)
    suite 0.8 0.8.22 /usr/bin/duplicity
    suite 3 3.0.0 "$DISTDUP_DUPLICITY3"
    ;;
*)
    sed -n '2,/^$/s/^# \{0,1\}//p' "$repository/scripts/duplicity_functional.sh" >&2
    exit 2
    ;;
esac
