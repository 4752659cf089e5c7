#!/bin/sh
# Checks what is written in shell: the programs that devices run must be plain POSIX sh.
set -eu

set -- tools/*.sh
for file in orchestrator/device/*.sh orchestrator/device/modules/* orchestrator/ssh/*.sh orchestrator/lab/*.sh \
  tests/vm/guest/*.sh; do
  if [ -f "$file" ]; then set -- "$@" "$file"; fi
done

for file in "$@"; do
  for shell in dash 'busybox ash'; do
    # `shell` may be two words.
    # shellcheck disable=SC2086
    if command -v ${shell%% *} >/dev/null 2>&1; then $shell -n "$file"; fi
  done
done
if command -v shellcheck >/dev/null 2>&1; then
  shellcheck --shell=sh "$@"
else
  printf 'shellcheck is not installed: the shell programs were only parsed\n' >&2
fi
