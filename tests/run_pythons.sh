#!/usr/bin/env bash
# The test suite in a new environment for each Python 3.10, 3.11 and 3.12 that this machine has.
# usage: tests/run_pythons.sh [PYTEST ARGS...], e.g. tests/run_pythons.sh tests/tables
# Each environment takes some minutes and gigabytes, in a temporary folder that is removed; LPFF_RAY_VENVS keeps them in a
# folder of yours. PIP_CONSTRAINT, PIP_INDEX_URL and the like act as they always do.
set -uo pipefail
repo=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
venvs=${LPFF_RAY_VENVS:-}
if [[ -z $venvs ]]; then
    venvs=$(mktemp -d)
    trap 'rm -rf -- "$venvs"' EXIT
fi

# Prints a Python of version $1 that really runs: on the path, or of pyenv (whose shims exist for versions that do not).
find_version() {
    local candidate
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
        if "$candidate" -c "import ensurepip, sys, venv; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" \
            >/dev/null 2>&1; then
            command -v -- "$candidate"
            return
        fi
    done
    return 1
}

# Makes the environment of version $1 with the Python $2, and runs the suite there.
try() {
    local venv=$venvs/$1
    shift
    "$1" -m venv --clear "$venv" || return
    shift
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check "${repo}[test]" || return
    # From the repository: its tests, and what they take from benchmarks and training, are not installed.
    (cd -- "$repo" && PATH=$venv/bin:$PATH "$venv/bin/python" -m pytest "$@")
}

results=()
failed=0
for version in 3.10 3.11 3.12; do
    if ! python=$(find_version "$version"); then
        results+=("Python $version: not on this machine")
    elif try "$version" "$python" "$@"; then
        results+=("Python $version: passed")
    else
        results+=("Python $version: FAILED")
        failed=1
    fi
done
printf '%s\n' "${results[@]}"
exit "$failed"
