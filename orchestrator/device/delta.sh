#!/bin/sh
# Makes a payload file of a patch and of the file that it changes, so that only the difference travels.
#
#   delta.sh tools                    what kinds of patches this device can take
#   delta.sh make DIR SIZE SHA256     DIR/new of DIR/old and DIR/patch, if it becomes what it must be
#
# The protocol part calls it, as the account that may write the spool and nothing else: a patch is not
# signed, and whoever reads one must not be root. What comes out counts for nothing here: the root core
# checks it as any payload file, against the signed manifest. Exit 1 says why in one line.
# shellcheck disable=SC2015,SC3045
set -fu
LC_ALL=C
export LC_ALL
WINDOW_BYTES=16777216 # of the old file in memory: as `rollout artifact delta` makes patches for
MEMORY_KIB=262144 # ten times what that takes; a patch, which is not signed, can ask for more
SECONDS_MAX=1800

fail() {
  echo "$*"
  exit 1
}

bounded() { # COMMAND...: ends it when the time is over
  [ -z "$(command -v timeout)" ] || set -- timeout -k 10 $SECONDS_MAX "$@"
  "$@"
}

make() { # SIZE SHA256
  [ -n "$(command -v xdelta3)" ] || fail "the device has no xdelta3"
  # -D and -R: whatever a patch says of itself, no other program is started for it
  ulimit -v $MEMORY_KIB 2>/dev/null
  bounded xdelta3 -d -c -D -R -B $WINDOW_BYTES -s old patch 2>/dev/null | head -c $(($1 + 1)) >new
  W=$(wc -c <new) && [ "$W" -eq "$1" ] && W=$(sha256sum <new) && [ "${W%% *}" = "$2" ] ||
    fail "the patch does not lead to the file that it is for"
  sync new 2>/dev/null || sync
}

case ${1-} in
  tools) [ -z "$(command -v xdelta3)" ] || echo xdelta3 ;;
  make) cd "$2" && make "$3" "$4" ;;
  *) exit 64 ;;
esac
