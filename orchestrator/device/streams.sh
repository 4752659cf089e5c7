#!/bin/sh
# The pipes of an update module: its payload, where it takes that as streams, and what it says.
#
#   streams.sh feed WORK Yes|No        the files of WORK/payload through FIFOs in WORK/tree, with sizes or without
#   streams.sh keep FILE END <PIPE     what is said; a line out for each word END, when all before that is in FILE
#
# The executor starts both, beside a module. WORK/started stands once that reads, WORK/streamed once it
# read all. However much is said, and however fast, FILE never has more than 288 KiB, and at last the
# final 32 KiB; what cannot be kept, on a full disk, is read all the same, as no module that talks
# is to wait or to fail for it.
# shellcheck disable=SC2015
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

keep() { # FILE END: each block is what one read gives, all that is there, so that nothing waits for more
  fresh=0
  # zeros are told from the end: a shell leaves them out, and the executor, who holds the pipe, may be gone before this begins
  while W=$(dd bs=65536 count=1 | tr '\0' '\n' && echo .) && W=${W%.} && [ -n "$W" ]; do
    asked= # and `##`, as a shell tries each of the shorter ones in turn
    case $W in *"$2"*) asked=1 W=${W%%"$2"*}${W##*"$2"} ;; esac
    printf %s "$W" >>"$1"
    fresh=$((fresh + ${#W}))
    [ $fresh -lt 196608 ] && [ -z "$asked" ] || shorten "$1"
    [ -z "$asked" ] || echo
  done
  exec cat >/dev/null
}

shorten() { # FILE: what was said long ago goes
  [ $fresh -eq 0 ] || [ "$(wc -c <"$1")" -le $STAYS_BYTES ] ||
    { tail -c $STAYS_BYTES "$1" >"$1.new" && mv -f "$1.new" "$1"; } || rm -f "$1.new"
  fresh=0
}

case ${1-} in
  feed) feed "$2" "$3" ;;
  keep) keep "$2" "$3" 2>/dev/null ;;
  *) exit 64 ;;
esac
