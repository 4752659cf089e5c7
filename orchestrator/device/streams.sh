#!/bin/sh
# The pipes of an update module: its payload, where it takes that as streams, and what it says.
#
#   streams.sh feed WORK Yes|No        the files of WORK/payload through FIFOs in WORK/tree, with sizes or without
#   streams.sh keep FILE <PIPE         what is said, to the end of the pipe
#
# The executor starts both, beside a module. WORK/started stands once that reads, WORK/streamed once it
# read all. However much is said, and however fast, FILE never has more than 288 KiB, and at last the
# final 32 KiB; what cannot be kept, on a full disk, is read all the same, as no module that talks
# is to wait or to fail for it.
set -fu
LC_ALL=C
export LC_ALL
umask 077
STAYS_BYTES=32768

feed() { # WORK SIZES: the names of the streams, one at each reading of stream-next, and then what is in them
  while read -r _ name; do
    case $name in data/0000/*) name=${name##*/} ;; *) continue ;; esac
    mkfifo -m 600 "$1/tree/streams/$name" || exit 1
    size=
    [ "$2" != Yes ] || size=" $(wc -c <"$1/payload/$name")"
    exec 3>"$1/tree/stream-next" # waits here until the module reads
    : >"$1/started"
    echo "streams/$name$size" >&3
    exec 3>&-
    exec 3>"$1/tree/streams/$name"
    cat "$1/payload/$name" >&3 || exit 1
    exec 3>&-
  done <"$1/in/manifest"
  exec 3>"$1/tree/stream-next"
  : >"$1/started"
  : >"$1/streamed"
}

shorten() { # FILE: what was said long ago goes
  [ "$(wc -c <"$1")" -le $STAYS_BYTES ] ||
    { tail -c $STAYS_BYTES "$1" >"$1.new" && mv -f "$1.new" "$1"; } || rm -f "$1.new"
}

keep() { # FILE: each of the 64 blocks is one read, which gives what is there, so nothing waits for more
  while had=$(wc -c <"$1") && dd bs=4096 count=64 >>"$1" && [ "$(wc -c <"$1")" -gt "$had" ]; do shorten "$1"; done
  shorten "$1"
  exec cat >/dev/null
}

case ${1-} in
  feed) feed "$2" "$3" ;;
  keep) keep "$2" 2>/dev/null ;;
  *) exit 64 ;;
esac
