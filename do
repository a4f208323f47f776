#!/bin/sh
# The two commands of this repository, and the tool itself. Needs Python 3.11+; no root, no Docker.
#
#   ./do demo      set up, start the local staging, run the drills under load, print the verdicts
#   ./do check     set up, then lint, types, layers and tests
#   ./do CMD ...   set up, then `blackstart CMD ...` (./do --help lists the commands)
set -eu
cd "$(dirname "$0")"

python_found() {
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "do: Python 3.11 or newer is needed; set PYTHON to one" >&2
    exit 2
}

set_up() {
    stamp=".venv/requirements.sha"
    wanted=$(cat requirements.lock pyproject.toml | cksum)
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        return
    fi
    python=$(python_found)
    echo "do: setting up .venv with $("$python" --version), a few minutes the first time" >&2
    rm -rf .venv
    "$python" -m venv .venv || {
        echo "do: this Python has no venv module (on Debian: the package python3-venv)" >&2
        exit 2
    }
    .venv/bin/python -m pip install --quiet --require-hashes --requirement requirements.lock
    .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
    echo "$wanted" > "$stamp"
}

check() {
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/mypy
    .venv/bin/lint-imports
    for experiment in experiments/*.yaml; do
        .venv/bin/chaos --no-version-check --log-file /dev/null validate --no-verify-tls "$experiment"
    done
    .venv/bin/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder "$@"
}

set_up
export PATH="$PWD/.venv/bin:$PATH"
case "${1:-}" in
    demo)
        shift
        exec blackstart drill aurora-failover az-loss "$@"
        ;;
    check)
        shift
        check "$@"
        ;;
    *)
        exec blackstart "$@"
        ;;
esac
