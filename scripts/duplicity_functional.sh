#!/usr/bin/env bash
# Runs Duplicity's own tests, from its source package, with distdup for a backend: those that talk to one.
#
#   scripts/duplicity_functional.sh [0.8 | 3]      both, if nothing is said; ten minutes each, or more
#   scripts/duplicity_functional.sh 3 testing/functional/test_verify.py::VerifyTest      these alone
#
# The tests are those of 0.8.22, and of 3.0.0, the newest source package of a 3.x that has them; they run with
# the Duplicity that scripts/test.sh installs (3.2.1), on a copy of its modules. What fails is run once more as
# it was written, on file://: what fails there too is not ours. What passes there must be one of those listed
# below, with the reason, or this script fails. docs/DUPLICITY.md has the outcome.
set -euo pipefail
cd "$(dirname "$0")/.."

# Tests that can pass on no other backend: they count, remove or change the files of file:// by themselves.
look_into_the_folder='
    test_changed_source_dangling_manifest_volume
    test_first_volume_failure
    test_ignore_double_snapshot
    test_multi_volume_failure
    test_new_file
    test_no_write_double_snapshot
    test_split_after_large
    test_split_after_small
    test_split_inside_large
    test_verify_corrupt_archive
    test_verify_corrupt_archive_compare_data
'

[ -n "${DISTDUP_DUPLICITY3:-}" ] || eval "$(scripts/test.sh --setup)"
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
cargo build --quiet --locked
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# tree PATH VERSION SCRIPT: the tests of that version, and the Duplicity of that script.
tree() {
    local top=$1 version=$2 script=$3 python
    python=$(sed -n '1s/^#! *//p' "$script")
    mkdir -p "$top/bin" "$top/tmp" "$top/home/.config/distdup"
    tar -xzf "$work/duplicity-$version.tar.gz" -C "$top" --strip-components=1
    rm -rf "$top/duplicity"
    cp -r "$(cd / && "$python" -c 'import os, duplicity; print(os.path.dirname(duplicity.__file__))')" "$top/duplicity"
    sed "1s|.*|#!$venv/bin/python|" "$script" >"$top/bin/duplicity"
    chmod +x "$top/bin/duplicity"
    if [ -e "$top/duplicity/__main__.py" ]; then # as in the source package; it may execute itself again
        sed -i "1s|^#!.*|#!$venv/bin/python|" "$top/duplicity/__main__.py"
        chmod +x "$top/duplicity/__main__.py"
    fi
}

# distdup_for TREE: what goes to a folder, or to the backend with which 3.x tests failures, goes to distdup.
# Its hosts are in that folder, so that it goes with what a test leaves.
distdup_for() {
    local top=$1
    {
        printf '[profiles.tests]\nk = 2\nn = 3\n[profiles.tests.hosts]\n'
        printf "h%d = '$top/tmp/testfiles/output/h%d'\n" 0 0 1 1 2 2
    } >"$top/home/.config/distdup/distdup.toml"
    sed -i -E \
        -e "s#[uf]*[\"'](file|fortestsonly)://[^\"']*testfiles/output[\"'](\.format\(_runtest_dir\))?#'distdup://tests'#" \
        -e 's/LocalBackend\b/DistdupBackend/' \
        "$top"/testing/functional/__init__.py "$top"/testing/unit/test_backend_instance.py
    HOME=$top/home PYTHONPATH=$top "$target/debug/distdup" duplicity --install-backend --duplicity "$top/bin/duplicity"
    if [ -e "$top/duplicity/backends/_testbackend.py" ]; then
        # With the failures that its backend has.
        cat >"$top/duplicity/backends/distdupfailingbackend.py" <<'PYTHON'
import os

import duplicity.backend
from duplicity import path
from duplicity.backends import distdupbackend
from duplicity.backends._testbackend import BackendErrors, _TestBackend


class DistdupBackend(distdupbackend.DistdupBackend):
    def _put(self, source_path, remote_filename):
        _TestBackend._fail_with_exception(remote_filename)
        if not _TestBackend._skip_put_silent(remote_filename):
            super()._put(source_path, remote_filename)
        _TestBackend._fail_by_sys_exit(remote_filename)


duplicity.backend._backends["distdup"] = DistdupBackend  # which cannot be registered twice
PYTHON
    fi
}

# run TREE REPORT TEST...: runs them there, with a line for each that failed in REPORT.
run() {
    local top=$1 report=$2
    shift 2
    (
        cd "$top"
        export HOME=$top/home TMPDIR=$top/tmp PYTHONPATH=$top PYTHONDONTWRITEBYTECODE=1 PATH=$venv/bin:$PATH
        unset XDG_CONFIG_HOME XDG_CACHE_HOME XDG_RUNTIME_DIR
        # Its own settings want plugins.
        "$venv/bin/python" -m pytest -c /dev/null --rootdir . -p no:cacheprovider -W ignore --tb=short -rfE "$@"
    ) | tee "$report.log" >&2 || true
    grep -qE '^=+ .*(passed|failed).* =+$' "$report.log" || { echo "the tests did not run" >&2; exit 1; }
    sed -nE 's/^(FAILED|ERROR) ([^ ]+).*/\2/p' "$report.log" >"$report"
}

# suite NAME VERSION SCRIPT: Duplicity's tests of one version, with the Duplicity of that script.
suite() {
    local name=$1 version=$2 script=$3 python
    venv=$target/duplicity-tests-$name
    python=$(sed -n '1s/^#! *//p' "$script")
    if ! "$venv/bin/python" -c 'import pytest, pexpect, fasteners, future, pkg_resources' 2>/dev/null; then
        rm -rf "$venv"
        "$python" -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check pytest pexpect fasteners future 'setuptools<80'
    fi
    "$venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary duplicity \
        --dest "$work" "duplicity==$version"
    tree "$work/$name" "$version" "$script"
    tree "$work/$name-file" "$version" "$script"
    distdup_for "$work/$name"

    # Of the others with a backend that is not there, each takes long to fail.
    local tests=(testing/unit/test_backend_instance.py::LocalBackendTest) each
    sed -i 's/DistdupBackendTest/LocalBackendTest/' "$work/$name/testing/unit/test_backend_instance.py"
    for each in badupload cleanup final log replicate restart verify; do
        [ ! -e "$work/$name/testing/functional/test_$each.py" ] || tests+=("testing/functional/test_$each.py")
    done
    [ ${#only[@]} -eq 0 ] || tests=("${only[@]}")
    run "$work/$name" "$work/$name.failed" "${tests[@]}"
    local failed
    mapfile -t failed <"$work/$name.failed"
    : >"$work/$name-file.failed"
    if [ ${#failed[@]} -gt 0 ]; then
        run "$work/$name-file" "$work/$name-file.failed" "${failed[@]}"
    fi
    for each in "${failed[@]}"; do
        if grep -qxF "$each" "$work/$name-file.failed"; then
            echo "$version: $each fails on file://, too"
        elif grep -qxF "    ${each##*::}" <<<"$look_into_the_folder"; then
            echo "$version: $each looks into the folder of file:// by itself"
        else
            echo "$version: $each FAILS, and passes on file://"
            ours=1
        fi
    done
    echo "$version: $(tail -n 1 "$work/$name.failed.log" | tr -d =)"
}

ours=0
only=("${@:2}")
case ${1:-both} in
0.8) suite 0.8 0.8.22 /usr/bin/duplicity ;;
3) suite 3 3.0.0 "$DISTDUP_DUPLICITY3" ;;
both)
    suite 0.8 0.8.22 /usr/bin/duplicity
    suite 3 3.0.0 "$DISTDUP_DUPLICITY3"
    ;;
*)
    sed -n '2,/^$/s/^# \{0,1\}//p' scripts/duplicity_functional.sh >&2
    exit 2
    ;;
esac
exit $ours
