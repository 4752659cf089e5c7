#!/bin/sh
# Makes the virtual environment, or brings it up to date: pinned versions with hashes, then this
# project in editable form.
#
# usage: tools/make_venv.sh DIRECTORY REQUIREMENTS...
set -eu

venv=$1
shift
here=$(dirname "$0")

new_enough() { "$1" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null; }

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  python=
  for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
    if new_enough "$candidate"; then
      python=$candidate
      break
    fi
  done
  if [ -z "$python" ]; then
    printf 'Python 3.11 or newer is needed (PYTHON=... names another interpreter)\n' >&2
    exit 1
  fi
  # Debian keeps the bundled pip, without which a new environment is empty, in a package of its own.
  "$python" -c 'import ensurepip' 2>/dev/null || "$here/system_packages.sh" python3-venv
  printf 'making %s with %s\n' "$venv" "$("$python" --version)" >&2
  "$python" -m venv --clear "$venv"
fi

printf 'installing %s into %s\n' "$*" "$venv" >&2
for file in "$@"; do
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$file"
done
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  --no-deps --no-build-isolation --editable .
