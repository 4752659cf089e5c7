#!/bin/sh
# The program on a device behind the SSH forced command: protocol `rollout-agent/1`.
#
#   helper.sh [--root DIR] [--elevate CMD]             one request from SSH_ORIGINAL_COMMAND
#   helper.sh [--root DIR] core VERB [KEY=VALUE ...]   the root core alone
#   helper.sh [--root DIR] boot                        the boot hook
#   helper.sh [--root DIR] deadman TXN                 the dead-man of one transaction
#   helper.sh [--root DIR] restart TXN                 the reboot that its module asked for
#   helper.sh --version                                of this very one
#
# Contract: docs/reference/device-protocol.md; files: docs/reference/device-layout.md.
# It runs in dash, busybox ash and bash. It trusts its argv, which enrolment wrote, and neither
# its environment nor the network. First stands the launcher, which finds the helper that works; then what
# both parts use: text, reading, the lock, the awk programs; then the core, which checks everything
# itself and alone changes what runs; then the protocol part, which may run as an unprivileged user.
#
# Ways of this file: functions give their value in W (a command substitution costs a fork);
# pathname expansion is off but for a few marked places; records are split into words on purpose.
# shellcheck disable=SC1007,SC2015,SC2030,SC2031,SC2046,SC2059,SC2086

VERSION=1.6.0
set -fu
LC_ALL=C
export LC_ALL
umask 022
NL='
'
ROOT='' ELEVATE='' KEEPER=''
case $0 in /*) SELF=$0 ;; *) SELF=$PWD/$0 ;; esac
while [ $# -gt 0 ]; do
  case $1 in
    --root) ROOT=${2%/} ;;
    --elevate) ELEVATE=$2 ;;
    --keeper) KEEPER=$2 ;;
    *) break ;;
  esac
  shift 2
done
ETC=$ROOT/etc/rollout VAR=$ROOT/var/lib/rollout RUN=$ROOT/run/rollout
LIB=${SELF%/*} BASE=$ROOT/usr/lib/rollout # where this helper lies, and where enrolment placed one

clock() { # BOOT is the id of the running system, U its uptime in seconds
  BOOT=unknown
  read -r BOOT 2>/dev/null <"$ROOT/proc/sys/kernel/random/boot_id" ||
    read -r BOOT 2>/dev/null </proc/sys/kernel/random/boot_id
  read -r U _ 2>/dev/null </proc/uptime || U=$(date +%s)
  U=${U%%.*}
}

clock

# --- launcher begin ---
# The helper that enrolment placed is also the way to one that a release brought (module rollout-helper),
# which lies below VAR/helper. No release changes this one, so it is there when all else is broken.
# KEEPER is the newest one that is proven: it holds the dead-man and the boot, and takes a trial back.

found() { # NAME: HELPER is what stands as `current` or `trial`, if it was put over this very one
  read -r txn over boot 2>/dev/null <"$VAR/helper/$1" && [ "$over" = "$VERSION" ] || return 0
  case $1.$boot in current.* | trial."$BOOT") ;; *) return 0 ;; esac # a trial ends with the boot, whoever sees to it
  [ ! -r "$VAR/helper/$txn/helper.sh" ] || HELPER=$VAR/helper/$txn
}

if [ "$LIB" = "$BASE" ]; then
  HELPER=$LIB
  found current
  KEEPER=$HELPER
  case ${1-} in '' | core) found trial ;; esac # nothing else is ever asked of a trial
  case $HELPER.${1-} in
    "$LIB".* | *.--version) ;;
    *.boot) sh "$HELPER/helper.sh" --root "$ROOT" boot && exit ;; # else this one does it
    *) exec sh "$HELPER/helper.sh" --root "$ROOT" --elevate "$ELEVATE" --keeper "$KEEPER" "$@" ;;
  esac
fi
KEEPER=${KEEPER:-$LIB}
# --- launcher end ---

num() { # TEXT: is it a number that shell arithmetic takes
  case $1 in 0) ;; '' | 0* | *[!0-9]*) return 1 ;; esac
  [ ${#1} -le 15 ]
}

word() { # N WORDS...: W is the Nth word
  W=''
  [ $# -le "$1" ] || { shift "$1" && W=$1; }
}

enc() { # TEXT: W is its percent-encoded form
  W=$1
  case $W in *[!A-Za-z0-9_.,:+@*~/=-]*) ;; *) return ;; esac
  W=$(printf %s "$1" | od -An -v -tx1 | awk -v ORS= '
    BEGIN { for (i = 33; i < 127; i++) if (i != 37) c[sprintf("%02x", i)] = sprintf("%c", i) }
    { for (i = 1; i <= NF; i++) print(($i in c) ? c[$i] : "%" toupper($i)) }')
}

dec() { # TEXT: W is the text that was percent-encoded
  r=$1 W=
  while case $r in *%*) true ;; *) false ;; esac do
    W=$W${r%%\%*} r=${r#*%}
    # the x keeps a newline at the end from being cut off
    W=$W$(printf "\\$(printf %03o "0x${r%"${r#??}"}")x") W=${W%x} r=${r#??}
  done
  W=$W$r
}

frame_name() { # NAME: is it one that a delivery may hold
  case $1 in
    version | ticket | ticket.sig | manifest | manifest.sig | header.tar | header.tar.gz | header.tar.xz) ;;
    root | root.sig | patch) ;;
    data/0000/*[!A-Za-z0-9_.,-]* | data/0000/ | data/0000/. | data/0000/-* | *..*) return 1 ;;
    data/0000/*) [ ${#1} -le 100 ] ;;
    *) return 1 ;;
  esac
}

one_stream() { # FILE SIZE: is it one stream as programs write it, which unpacks to so many bytes
  case $1 in *.gz) ;; *) return 0 ;; esac # gzip unpacks several in a row, and what is left out behind them
  set -- "$2" $(od -An -v -N10 -tu1 "$1") $(tail -c 4 "$1" | od -An -v -tu1)
  [ $# -eq 15 ] && [ "$1" -eq $((${12} + ${13} * 256 + ${14} * 65536 + ${15} * 16777216)) ] || return 1
  case $5 in 0 | 8) ;; *) return 1 ;; esac # fields but the name
  case ${10}.${11} in [024].[0-9] | [024].1[0-3] | [024].19 | [024].255) ;; *) return 1 ;; esac
}

frame_limit() { # NAME: W is how long such a frame may be
  case $1 in
    version) W=1024 ;;
    ticket* | root*) W=16384 ;;
    manifest) W=262144 ;;
    manifest.sig) W=8192 ;;
    header*) W=1048576 ;;
    *) W=999999999999999 ;;
  esac
}

args() { # KEY=VALUE...: sets P_KEY, each checked against its own grammar
  P_txn='' P_controller='' P_component=main P_epoch='' P_nonce='' P_checks='' P_timeout=30
  P_name='' P_frames='' P_wait=60 P_deadline=600 P_size='' P_sha='' P_offset=0 P_unless='' P_audit='' P_seq='' P_report='' P_from='' P_had='' seen=' '
  for pair; do
    key=${pair%%=*} v=${pair#*=}
    case $seen in *" $key "*) return 1 ;; esac
    seen="$seen$key "
    [ "$key" = name ] || [ "$key" = checks ] || [ ${#v} -le 64 ] || return 1
    case $key in
      txn) case $v in *[!0-9A-Z]*) return 1 ;; esac && [ ${#v} -eq 26 ] || return 1 ;;
      controller | component) case $v in '' | *[!a-z0-9-]*) return 1 ;; esac ;;
      wait | deadline | timeout) num "$v" && [ ${#v} -le 7 ] || return 1 ;;
      epoch | size | offset | frames | had) num "$v" || return 1 ;;
      nonce) case $v in *[!A-Za-z0-9._-]*) return 1 ;; esac ;;
      seq) case $v in *[!A-Za-z0-9.-]* | .*) return 1 ;; ?*.?*) num "${v##*.}" || return 1 ;; *) return 1 ;; esac ;;
      sha | unless | audit | from) case $v in *[!0-9a-f]*) return 1 ;; esac && [ ${#v} -eq 64 ] || return 1 ;;
      name) frame_name "$v" || return 1 ;;
      report) case $v in ed25519 | ecdsa) ;; *) return 1 ;; esac ;;
      checks) case $v in *[!A-Za-z0-9._:+/@,-]*) return 1 ;; esac ;;
    esac
    case $key in
      txn) P_txn=$v ;; controller) P_controller=$v ;; component) P_component=$v ;;
      epoch) P_epoch=$v ;; size) P_size=$v ;; offset) P_offset=$v ;; frames) P_frames=$v ;;
      wait) P_wait=$v ;; deadline) P_deadline=$v ;; timeout) P_timeout=$v ;; nonce) P_nonce=$v ;;
      sha) P_sha=$v ;; unless) P_unless=$v ;; name) P_name=$v ;; checks) P_checks=$v ;;
      audit) P_audit=$v ;; seq) P_seq=$v ;; report) P_report=$v ;; from) P_from=$v ;; had) P_had=$v ;;
      *) return 1 ;;
    esac
  done
}

die() { # RC REASON DETAIL: ends this core with an answer, or the whole request
  [ -z "$REQUEST" ] || fail "$@"
  enc "$3"
  printf 'reason %s\ndetail %s\n' "$2" "$W"
  exit "$1"
}

setting() { # NAME DEFAULT: W is the number that etc/rollout/limits gives to NAME
  W=$2
  [ -r "$ETC/limits" ] || return 0
  while read -r key v _; do [ "$key" != "$1" ] || ! num "$v" || W=$v; done <"$ETC/limits"
}

token() { # W is new random text of 32 hex digits (a kernel's uuid has 122 random bits and costs no fork)
  IFS=- read -r r1 r2 r3 r4 r5 2>/dev/null </proc/sys/kernel/random/uuid && W=$r1$r2$r3$r4$r5 &&
    [ ${#W} -eq 32 ] && return
  set -- $(od -An -v -N16 -tx1 /dev/urandom)
  W=$1$2$3$4$5$6$7$8$9${10}${11}${12}${13}${14}${15}${16}
}

started() { # PID or self: W is when that process started, empty when it does not live
  W= PID=$1
  [ "$PID" != self ] || PID=$$
  read -r W 2>/dev/null <"/proc/$1/stat" || return 0
  PID=${W%% *}
  set -- ${W##*) }
  W=${20}
  [ "$1" != Z ] || W=
}

newest() { # DIR: W is the newest generation of a lock
  W=0
  set +f
  for f in "$1"/g.*; do num "${f##*.}" && [ "${f##*.}" -gt $W ] && W=${f##*.}; done
  set -f
}

# Reads without the lock meet a core that writes: then the other copy is whole, or the same one soon.
load() { # COMPONENT: reads the newer copy of its state whose checksum holds
  C=$1 V=$VAR/component/$1 DIRTY= text= a=-1 b=-1
  SEQ=0 OWNER= EPOCHS= STATE=none PHASE= NEW= CUR=none PREV=none AT= DEADLINE=0 NONCE= REBOOT=
  REVERTED= PAST= LIMIT=0
  read -r _ a 2>/dev/null <"$V/state.a"
  read -r _ b 2>/dev/null <"$V/state.b"
  [ "$a$b" != -1-1 ] || return 0 # a component without history
  [ "$a" -gt "$b" ] 2>/dev/null && set -- a b a b || set -- b a b a
  for copy; do
    text= line=
    [ -r "$V/state.$copy" ] || continue
    while IFS= read -r line; do
      case $line in 'sum '*) break ;; esac
      text=$text$line$NL
    done <"$V/state.$copy"
    W=$(printf %s "$text" | sha256sum)
    [ "sum ${W%% *}" != "$line" ] || break
    text=
  done
  [ -n "$text" ] || die 74 io "no copy of the state of $C is whole"
  {
    read -r _ SEQ && read -r _ OWNER && read -r _ EPOCHS && read -r _ STATE && read -r _ PHASE
    read -r _ NEW && read -r _ CUR && read -r _ PREV && read -r _ AT && read -r _ DEADLINE
    read -r _ LIMIT && read -r _ NONCE && read -r _ REBOOT && read -r _ REVERTED && read -r _ PAST
  } <<TEXT
$text
TEXT
  # one that has more time than it was given is of another boot, also where the id of that is the same
  clock && [ $((DEADLINE - U)) -le "${LIMIT:-0}" ] || AT=
}

state_of() { # TXN: W is the state of that transaction
  word 1 $NEW
  [ "$W" != "$1" ] || { W=$STATE && return; }
  for W in $PAST; do [ "${W%%=*}" != "$1" ] || { W=${W#*=} && return; }; done
  W=none
}

use() { TXN=$1 T=$V/txn/$1 TYPE=$4; } # RECORD: the transaction to work with

bounded() { # SECONDS COMMAND...: ends it when the time is over
  [ -z "$(command -v timeout)" ] || { timeout -k 10 "$@" && return || return $?; }
  shift
  "$@"
}

module_of() { # TYPE: W is its update module: of this helper, or one that stands on the device
  W=$LIB/modules/$1
  [ -x "$W" ] || W=$BASE/modules/$1
}

ask() { # QUERY [SECONDS]: W is the first line of the module's answer
  module_of "$TYPE"
  # filled up, so that nobody waits for a daemon that holds the pipe; an answer without end is cut off
  W=$({ cd "$T/tree" && ROLLOUT_TXN=$TXN bounded "${2:-60}" "$W" "$1" "$T/tree"; printf '\n%4096s' ''; } </dev/null 2>/dev/null | head -c 4096)
  W=${W%%"$NL"*}
}

fits() { # BYTES: is there room for them, and a margin
  setting reserve 16777216
  need=$(($1 + $1 / 20 + W))
  free
  [ "$W" -ge $need ]
}

rooted() { [ -e "$ETC/root.txt" ] || [ -e "$VAR/floors/root.txt" ]; } # then nothing changes without a ticket

deadman_kind() { # W says what holds the dead-man
  W=process
  [ -z "$ROOT" ] && [ -d /run/systemd/system ] && W=systemd && return
  read -r W 2>/dev/null <"$ETC/deadman" || W=process
  case $W in init | cron) ;; *) W=process ;; esac
}

old_provides() { # OLD is the file with the provides of what is committed
  word 1 $CUR
  OLD=$V/provides.$W
  [ -f "$OLD" ] || OLD=/dev/null
}

names() { # DIR: W is the list of names in it
  set +f
  set -- "$1"/*
  set -f
  W=
  for f; do
    f=${f##*/}
    case $f in *[!A-Za-z0-9._-]*) ;; *) W="$W $f" ;; esac
  done
}

find_txn() { # TXN: loads the component that has it
  names "$VAR/component"
  for C in $W; do load "$C" && [ "${NEW%% *}" != "$1" ] || return 0; done
}

alive() { # FILE: does the process live whose pid and time of start stand there; PID is its pid
  read -r PID at 2>/dev/null <"$1" && started "$PID" && [ -n "$W" ] && [ "$W" = "$at" ]
}

readback() { # W tells whether what is in place is the active artifact's content: yes, no, unknown
  case $STATE in
    probation | confirmed | rollback-failed) use $NEW ;;
    *) [ "$CUR" != none ] || { W=unknown && return; } && use $CUR ;;
  esac
  W=
  [ ! -d "$T/tree" ] || ask ReadBack 20 # a request for it is given up after 30
  case $W in active) W=yes ;; inactive) W=no ;; *) W=unknown ;; esac
}

tell_readback() { echo "$W"; }

tell_kept() { # streams the payload file of what runs that P_from and P_had describe, to nobody who does not know it
  [ "$W" = yes ] && [ -n "$P_from" ] && [ -n "$P_had" ] && ask Kept || exit 1
  W=${W:-$T/tree/files/${P_name##*/}}
  [ -r "$W" ] && [ "$(head -c "$P_had" "$W" | sha256sum)" = "$P_from  -" ] && head -c "$P_had" "$W" || exit 1
}

free() { # W is the free space of the state's partition in bytes
  W=$VAR
  [ -d "$W" ] || W=$ROOT/
  W=$(df -Pk "$W" 2>/dev/null | { read -r _ && read -r _ _ _ W _ && echo "$W"; })
  num "$W" && W=$((W * 1024)) || W=0
}

durable() { sync "$@" 2>/dev/null || sync; } # FILES: their content survives a loss of power

lock() { # DIR: takes a generation lock; its newest name is never removed or used again. 2: no room for it
  [ -d "$1" ] || (umask 022 && mkdir -p "$1") || return 2
  newest "$1"
  n=$W next=$((W + 1)) HOLDER=
  if [ "$n" -gt 0 ] && [ ! -e "$1/done.$n" ] && read -r HOLDER at boot 2>/dev/null <"$1/g.$n"; then
    started "$HOLDER"
    [ "$boot" = "$BOOT" ] && [ -n "$W" ] && [ "$W" = "$at" ] && return 1
  fi
  started self # not $$: the subshell of a core outlives a helper that is killed
  echo "$PID $W $BOOT" 2>/dev/null >"$1/t.$PID" || return 2
  ln "$1/t.$PID" "$1/g.$next" 2>/dev/null || return 1
  newest "$1" # a slow contender can make a name that is past already: then it holds nothing
  [ "$W" -eq "$next" ] || { rm -f "$1/g.$next" && return 1; }
  LOCKED=$1/done.$next
  [ $((next % 8)) -ne 0 ] || find "$1" -type f ! -name "g.$next" -exec rm -f {} +
}

core_lock() { # TRIES: waits so long for the lock that all cores share, and never long for room
  tries=0
  until lock "$RUN/lock"; do
    W=$? && [ $((tries = tries + 1)) -lt "$1" ] && { [ $W -eq 1 ] || [ $tries -lt 25 ]; } || return $W
    sleep 0.2 2>/dev/null || sleep 1
    clock
  done
  trap '[ -z "$LOCKED" ] || : >"$LOCKED"' EXIT
}

report() { # what runs here, by what readback said in W, signed with the host's keys where that is possible
  case $STATE in probation | confirmed | rollback-failed) set -- $NEW ;; *) set -- $CUR ;; esac
  echo "active $W"
  "$LIB/report.sh" "$P_nonce" "$C" "$STATE" "${2-none}" "${3-none}" "$W" "$BOOT" ${P_report:+"$P_report"}
}

said() { # the end of what the update module and the scripts of that transaction said
  setting log-bytes 16384
  [ "$W" -gt 0 ] || die 77 inhibited "the limits of the device say log-bytes 0"
  file=$V/txn/$P_txn/log
  [ -f "$file" ] || { [ "${NEW%% *}" = "$P_txn" ] && file=$V/log; } # it went back, and that alone is kept
  [ -f "$file" ] || die 78 wrong_state "the device keeps no log of that transaction"
  tail -c $((W < 16384 ? W : 16384)) "$file" | od -An -v -tx1 | awk -v ORS= '
    BEGIN { for (i = 33; i < 127; i++) if (i != 37) c[sprintf("%02x", i)] = sprintf("%c", i) }
    {
      for (i = 1; i <= NF; i++) {
        # not in the middle of a character, where it is text
        if (n >= 1000 && ($i "" < "80" || $i "" > "bf" || n > 1003)) { print "log " text "\n"; text = n = "" }
        text = text (($i in c) ? c[$i] : "%" toupper($i)); n++
      }
    }
    END { if (n) print "log " text "\n" }'
}

inhibited() { [ -e "$ETC/inhibit" ] || [ -e "$RUN/inhibit" ]; } # the owner of the device says: not now

# Reads an unpacked header, a tar file, from hex bytes, so that no tar's and no awk's idea of anything
# matters: plain files in ustar or GNU form and in their order, with nothing beside or behind them, pax
# records only where they change nothing. Its files are strict JSON (RFC 8259). Writes a line `PATH KIND VALUE`
# for each value of header-info and type-info to the file `out`, percent-encoded, list items as `#N`,
# paths beginning with h or t. Then judges both against the device and the provides of what runs
# now: prints `denied WHY`, `incompatible WHY`, or `ok TYPE NAME GROUP`, first block and size of
# each of the three files, and name, first block and size of each state script. The controller takes the same headers. Mender Artifact v3, "header-info" and "type-info".
# shellcheck disable=SC2016
JUDGE='
function say(x) { if (!said) print x; said = 1; exit 0 }
function bad() { say("denied a file of the header is not strict JSON") }
function odd() { say("denied the members of the header are not as they should be") }
function not_text() { say("denied a text in the header is malformed") }
function not_field() { say("denied the header has a field that it must not have") }

function field(from, size,  s) { for (size += from; from < size; from++) s = s tar[k[from]]; return s }
function octal(from, size,  s, v) {
  s = field(from, size)
  if (s !~ /^ *[0-7]+[ \001]*$/) odd()
  for (gsub(/[ \001]/, "", s); s != ""; s = substr(s, 2)) v = v * 8 + substr(s, 1, 1)
  return v + 0
}
function zeros(from, end) { for (; from < end; from++) if (k[from] != "00") odd() }
function block(  i, total, kind, name) { # k is a block that is no content
  for (i = 0; i < 512; i++) total += byte[k[i]]
  if (!total && !pax) { if (++ends > 21) odd(); return }
  for (i = 148; i < 156; i++) total += 32 - byte[k[i]]
  if (ends || field(148, 8) !~ /^[0-7][0-7][0-7][0-7][0-7][0-7]\001 $/ || octal(148, 6) != total) odd()
  if (field(257, 8) != "ustar\00100" && field(257, 8) != "ustar  \001") odd()
  zeros(500, 512)
  left = octal(124, 12); pad = (512 - left % 512) % 512; kind = field(156, 1)
  if (kind == "x" && !pax && left <= 4096) { pax = 1; into = "x"; return }
  name = field(0, 100); i = index(name, "\001")
  if (i) { zeros(i, 100); name = substr(name, 1, i - 1) }
  if ((kind != "0" && kind != "\001") || octal(100, 8) % 4096 > 511) odd()
  zeros(157, 257); zeros(345, 500); records(name)
  if (left > 262144) odd()
  if (name ~ /^scripts\//) { script(substr(name, 9)); return }
  if (name != order[++files]) odd()
  into = substr("htm", files, 1); at = at " " pos / 512 " " left
  from[into] = n + 0; to[into] = n + left
}
function script(name) { # it is not read here, only where it stands and when it is to run
  if (files != 1 || (name in brought)) odd()
  if (name !~ /^Artifact(Install|Reboot|Commit|Rollback|RollbackReboot|Failure)_(Enter|Leave|Error)_[0-9][0-9](_[A-Za-z0-9_.,+-]+)?$/)
    say("denied a state script is not of a state it may act in")
  brought[name] = 1; into = "s"; scripts = scripts " " name " " pos / 512 " " left
}
function records(name,  i, p, size, s, key) { # of pax, before the member of that name
  for (i = 0; i < records_size; i += size) {
    for (s = ""; (p = tar[x[i + length(s)]]) ~ /^[0-9]$/; ) s = s p
    size = s + 0; p = i + length(s)
    if (s !~ /^[1-9]/ || i + size > records_size || x[p] != "20" || x[i + size - 1] != "0a") odd()
    for (s = ""; ++p < i + size - 1; s = s tar[x[p]]) if (x[p] == "00") odd()
    p = index(s, "="); key = substr(s, 1, p - 1); s = substr(s, p + 1)
    if (key in record) odd()
    record[key] = s
    if (key == "path" ? s != name : key == "size" ? s != left "" : key !~ /^([acm]time|[ug]name|[ug]id|comment)$/) odd()
  }
  pax = records_size = 0; split("", record)
}

function blank() { while (b[p] == "20" || b[p] == "0a" || b[p] == "09" || b[p] == "0d") p++ }
function safe(h, key) { return !(h in c) || (key && (h == "2f" || h == "3d")) ? "%" toupper(h) : c[h] }
function point(u, key) {
  if (u < 128) return safe(sprintf("%02x", u), key)
  if (u < 2048) return sprintf("%%%02X%%%02X", 192 + int(u / 64), 128 + u % 64)
  if (u < 65536) return sprintf("%%%02X", 224 + int(u / 4096)) sprintf("%%%02X%%%02X", 128 + int(u / 64) % 64, 128 + u % 64)
  return sprintf("%%%02X%%%02X", 240 + int(u / 262144), 128 + int(u / 4096) % 64) sprintf("%%%02X%%%02X", 128 + int(u / 64) % 64, 128 + u % 64)
}
function utf8(  v, more, low, high, s) { # the character of several bytes whose first stands before p
  v = byte[b[p - 1]]; s = "%" toupper(b[p - 1])
  if (v < 194 || v > 244) bad()
  low = v == 224 ? 160 : v == 240 ? 144 : 128; high = v == 237 ? 159 : v == 244 ? 143 : 191
  for (more = v < 224 ? 1 : v < 240 ? 2 : 3; more; more--) {
    if (byte[b[p]] < low || byte[b[p]] > high) bad() # what is behind the last counts as 0
    s = s "%" toupper(b[p++]); low = 128; high = 191
  }
  return s
}
function four(  i, u) {
  for (i = 0; i < 4; i++) { if (!(b[p] in hex)) bad(); u = u * 16 + hex[b[p++]] }
  return u
}
function text(key,  s, part, h, u, low) {
  for (p++; p < last; ) {
    if (length(part) > 300) { s = s part; part = "" } # byte by byte, a long text takes minutes
    h = b[p++]
    if (h == "22") return s part
    if (h < "20" "") bad()
    if (h > "7f" "") { part = part utf8(); continue }
    if (h != "5c") { part = part safe(h, key); continue }
    h = b[p++]
    if (h in esc) { part = part safe(esc[h], key); continue }
    if (h != "75") bad()
    u = four()
    if (u >= 55296 && u < 56320) {
      if (b[p] != "5c" || b[p + 1] != "75") bad()
      p += 2; low = four()
      if (low < 56320 || low > 57343) bad()
      u = 65536 + (u - 55296) * 1024 + low - 56320
    } else if (u == 0 || (u >= 56320 && u < 57344)) bad()
    part = part point(u, key)
  }
  bad()
}
function value(path, depth,  i, k, s, h) {
  blank(); h = b[p]
  if (h == "22") { emit(path, "s", text(0)); return }
  if (h == "7b" || h == "5b") {
    if (depth > 31) bad()
    emit(path, h == "7b" ? "o" : "a", ""); p++; blank()
    if (b[p] == (h == "7b" ? "7d" : "5d")) { p++; return }
    for (i = 0; ; i++) {
      k = "#" i; blank()
      if (h == "7b") {
        if (b[p] != "22") bad()
        k = text(1); blank()
        if (b[p++] != "3a" || ((path "/" k) in seen)) bad()
        seen[path "/" k] = 1
      }
      value(path "/" k, depth + 1); blank()
      s = b[p++]
      if (s == (h == "7b" ? "7d" : "5d")) return
      if (s != "2c") bad()
    }
  }
  for (s = ""; length(s) < 65 && p < last && (b[p] in c) && b[p] != "2c" && b[p] != "5d" && b[p] != "7d"; p++) s = s c[b[p]]
  if (s !~ /^(true|false|null|-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][-+]?[0-9][0-9]?)?)$/ || length(s) > 64) bad()
  emit(path, "n", s)
}
function whole(name,  x) { # the bytes from from[name] to to[name] are one object
  p = from[name]; last = to[name]; x = b[last]; b[last] = ""
  value(name, 0); blank()
  if (p != last) bad()
  b[last] = x
}

function word(v,  s) { # a text that can be shown, of at most 256 bytes
  s = v; gsub(/%../, "x", s)
  if (s == "" || length(s) > 256 || v ~ /%[01]|%7F|^%20|%20$|%C2%[89]|%E2%80%8|%E2%80%A[89A-F]|%E2%81%A|%EF%BB%BF/) not_text()
  return v
}
function type_name(v,  s) { # of a device: a plain text, compared to the letter
  s = v; gsub(/%20/, "x", s)
  if (length(s) > 256 || v ~ /^%20|%20$/ || s !~ /^[A-Za-z0-9][A-Za-z0-9_.:+@-]*$/) not_text()
  return v
}
function wants(key, v) {
  need[key] = 1; delete none[key]
  if (key == "device_type" ? v == device : (key in have) && have[key] == v) met[key] = 1
}
function emit(path, kind, v,  part, n) {
  n = split(path, part, "/")
  if (n == 1 && kind != "o") bad()
  if (part[1] == "m") return
  print path, kind, v > out
  if (part[1] == "t") { type_info(part, n, kind, v); return }
  if (path == "h/payloads/#0/type" && kind == "s") type = v
  else if (path == "h/artifact_provides/artifact_name" && kind == "s") name = word(v)
  else if (path == "h/artifact_provides/artifact_group" && kind == "s") group = word(v)
  else if (path ~ /^h.artifact_depends.device_type.#[0-9]+$/ && kind == "s") wants(part[3], type_name(v))
  else if (path ~ /^h.artifact_depends.artifact_(name|group).#[0-9]+$/ && kind == "s") wants(part[3], word(v))
  else if (path ~ /^h(.payloads.#0|.artifact_provides|.artifact_depends)?$/ && kind == "o") return
  else if (path ~ /^h.(payloads|artifact_depends.(device_type|artifact_name|artifact_group))$/ && kind == "a") { if (n == 3) none[part[3]] = 1; return }
  else not_field()
}
function type_info(part, n, kind, v,  own) { # may have more fields, but none that a reader could take for ours
  own = tolower(part[2]); gsub(/%c5%bf/, "s", own) # which is a long s
  if (n < 2 || !(own in ours)) return
  if (part[2] != own) not_field()
  if (own == "type") { if (n == 2 && kind == "s") { ttype = v; typed = 1 } return }
  if (n == 2) { if (kind != ours[own] && kind v != "nnull") not_field(); return }
  if (own == "clears_artifact_provides") { if (kind != "s") not_field(); word(v); return }
  if (n == 3 && (word(part[3]) ~ /^(artifact_name|artifact_group|device_type)$/ || (own == "artifact_provides" && part[3] ~ /%3D/))) not_field()
  if (own == "artifact_provides") { if (kind != "s") not_field(); if (v != "") word(v); return }
  if (kind == "s") wants(part[3], word(v))
  else { if (kind != "a" || n > 3) not_field(); none[part[3]] = 1 }
}
BEGIN {
  for (i = 33; i < 127; i++) if (i != 37 && i != 35) c[sprintf("%02x", i)] = sprintf("%c", i)
  for (i = 0; i < 256; i++) { byte[sprintf("%02x", i)] = i; tar[sprintf("%02x", i)] = i < 32 || i > 126 ? "\002" : sprintf("%c", i) }
  tar["00"] = "\001"
  for (i = 0; i < 10; i++) hex[sprintf("%02x", 48 + i)] = i
  for (i = 10; i < 16; i++) hex[sprintf("%02x", 55 + i)] = hex[sprintf("%02x", 87 + i)] = i
  esc["22"] = "22"; esc["5c"] = "5c"; esc["2f"] = "2f"; esc["62"] = "08"; esc["66"] = "0c"
  esc["6e"] = "0a"; esc["72"] = "0d"; esc["74"] = "09"
  split("header-info headers/0000/type-info headers/0000/meta-data", order, " ")
  ours["type"] = "s"; ours["artifact_depends"] = ours["artifact_provides"] = "o"; ours["clears_artifact_provides"] = "a"
}
provides { i = index($0, "="); have[substr($0, 1, i - 1)] = substr($0, i + 1); next }
{
  if (NF != 16) odd()
  for (i = 1; i <= 16; i++) {
    pos++
    if (left) { left--; if (into == "x") x[records_size++] = $i ""; else if (into != "s") b[n++] = $i "" }
    else if (pad) { pad--; if ($i != "00") odd() }
    else { k[held++] = $i ""; if (held == 512) { held = 0; block() } }
  }
}
END {
  if (said) exit 0
  if (ends < 2 || held || files < 2) odd()
  whole("h"); whole("t"); if (to["m"] > from["m"]) whole("m")
  if (type !~ /^[A-Za-z0-9][A-Za-z0-9_.-]*$/ || length(type) > 64) say("denied the payload type is malformed")
  if (!typed || (ttype != type && !(ttype == "" && type == "rootfs-image"))) say("denied type-info names another payload type")
  if (name == "") not_text()
  for (key in none) not_field() # a list that nothing can be of
  if (!("device_type" in need)) say("denied header-info names no device type")
  if (!("device_type" in met)) say("incompatible the artifact is for another device type than " device)
  for (key in need) if (!(key in met)) say("incompatible the artifact depends on another " key)
  say("ok " type " " name " " (group == "" ? "-" : group) at (files < 3 ? " 0 0" : "") scripts)
}
'

# Gives the provides after a commit: of the old ones what is not cleared, and the new ones.
# shellcheck disable=SC2016
PROVIDES='
function glob(g, s,  i, bit) { # * is any run of characters, all else stands for itself; each part is looked for once
  i = index(g, "*")
  if (!i) return g == s
  if (substr(s, 1, i - 1) != substr(g, 1, i - 1)) return 0
  s = substr(s, i)
  for (g = substr(g, i + 1); i = index(g, "*"); g = substr(g, i + 1)) {
    bit = substr(g, 1, i - 1)
    if (bit == "") continue
    if (!index(s, bit)) return 0
    s = substr(s, index(s, bit) + i - 1)
  }
  return length(s) >= length(g) && substr(s, length(s) - length(g) + 1) == g
}
FILENAME == ARGV[1] { i = index($0, "="); old[substr($0, 1, i - 1)] = substr($0, i + 1); next }
{ split($1, part, "/") }
$1 ~ "^[ht].artifact_provides.[^/]+$" && $2 == "s" { fresh[part[3]] = $3 }
$1 == "t/clears_artifact_provides" { some = 1 }
$1 ~ /^t.clears_artifact_provides.#/ { gsub("/", "%2F", $3); clear[++n] = $3 } # as it stands in a key
END {
  if (!some) clear[++n] = "*"
  for (k in old) { gone = k in fresh; for (i = 1; i <= n; i++) if (glob(clear[i], k)) gone = 1; if (!gone) print k "=" old[k] }
  for (k in fresh) print k "=" fresh[k]
}
'

# --- core begin ---
# Laws: 1 nothing is parsed or unpacked before signature and hashes held. 2 What was checked is
# what is used: root's own copy. 3 The record is written before the effect, so that whoever comes
# next can finish or undo it. 4 One core at a time. 5 Older epochs are refused.

# FILE: the state with its checksum, in one write for those who read meanwhile, and on disk
put() { W=$(printf %s "$text" | sha256sum) && printf '%ssum %s\n' "$text" "${W%% *}" >"$1" 2>/dev/null && durable "$1" "$V"; }

save() { # writes over the older copy; the newer one stays whole until this one is
  SEQ=$((SEQ + 1)) DIRTY= copy=$V/state.a
  [ $((SEQ % 2)) -eq 0 ] || copy=$V/state.b
  text="seq $SEQ${NL}owner $OWNER${NL}epochs $EPOCHS${NL}state $STATE${NL}phase $PHASE${NL}new $NEW
cur $CUR${NL}prev $PREV${NL}at $AT${NL}deadline $DEADLINE${NL}limit $LIMIT${NL}nonce $NONCE
reboot $REBOOT${NL}reverted $REVERTED${NL}past $PAST$NL"
  umask 022
  [ -d "$V" ] || mkdir -p "$V"
  # the reserve is for a full disk: a device must always be able to record that it goes back
  put "$copy" || { rm -f "$VAR/reserve" && put "$copy"; } || die 74 io "the state cannot be written"
  umask 077
}

fence() { # refuses other controllers and older epochs, and remembers newer ones
  [ -z "$OWNER" ] || [ "$OWNER" = "$P_controller" ] || die 76 fenced "the device serves $OWNER"
  others= count=0
  for pair in $EPOCHS; do
    if [ "${pair%=*}" = "$P_controller" ]; then
      [ "$P_epoch" -ge "${pair#*=}" ] || die 76 fenced "epoch $P_epoch is below ${pair#*=}"
    elif [ $((count = count + 1)) -lt 8 ]; then
      others="$others $pair"
    fi
  done
  [ "$OWNER $EPOCHS" = "$P_controller $P_controller=$P_epoch$others" ] || DIRTY=1
  OWNER=$P_controller EPOCHS=$P_controller=$P_epoch$others
}

run() { # VERB: the executor does it for the release in use; SAID is what it has to say
  case $TYPE.$1 in rollout-helper.back | rollout-helper.cleanup) W=$KEEPER ;; *) W=$LIB ;; esac # none takes itself back
  SAID=$(trap - HUP PIPE && exec $(command -v setsid) "$W/executor.sh" "$1" "$TXN" "$T" "$TYPE" "$LOCKED" </dev/null 2>/dev/null)
}

drop() { # RECORD: takes away a transaction that neither runs nor is needed to go back
  [ $# -gt 3 ] || return 0
  use "$@"
  [ ! -d "$T/tree" ] || run cleanup
  [ "$1" != "${NEW%% *}" ] || mv -f "$T/log" "$V/log" 2>/dev/null # why it went back
  rm -rf "$T" "${V:?}/provides.$1" "${VAR:?}/spool/$C/$1"
}

discard() { STATE=$1 PHASE= && save && drop $NEW; } # STATE: ends the newest transaction before anything of it was active

refuse() { discard aborted; die "$@"; } # RC REASON DETAIL: nothing of the transaction stays
deny() { refuse 65 denied "$1"; }
gone() { die 78 nothing_to_roll_back "$1"; }

due() { # STATE: is the transaction there; further on there is nothing to do, elsewhere it dies
  [ "$NOW" != "$1" ] || return 0
  order='staging verified installed probation confirmed committed '
  case $order in *"$1 "*"$NOW "*) return 1 ;; esac
  die 78 wrong_state "the transaction is $NOW"
}

do_begin() { # makes the transaction the newest one, or finds it again
  case $STATE in probation | confirmed) [ "$NOW" = "$STATE" ] || die 78 wrong_state "another transaction is in $STATE" ;; esac
  case $NOW in
    staging) return ;;
    probation | confirmed | committed) echo 'again yes' && return ;;
    none | verified | installed) ;;
    *) die 78 wrong_state "the transaction is $NOW" ;;
  esac
  case $STATE in staging | verified | installed) discard aborted ;; esac
  [ "$NOW" != none ] || remember
  rm -f "$V/log"; NEW="$P_txn - - -" STATE=staging PHASE= REBOOT= && save
  [ -f "$VAR/reserve" ] || dd if=/dev/zero of="$VAR/reserve" bs=65536 count=1 2>/dev/null
}

remember() { # keeps the states of the last transactions, for repeats and `status`
  word 1 $NEW
  set -- ${W:+$W=$STATE} $PAST
  PAST="${1-} ${2-} ${3-} ${4-} ${5-} ${6-} ${7-} ${8-}"
}

do_verify() { # in this order: kinds and sizes, ticket and signature, checksums, header, whose turn it is
  due staging || return 0
  use $NEW
  spool=$VAR/spool/$C/$TXN in=$T/in
  [ -d "$spool" ] || die 78 wrong_state "nothing is staged"
  [ ! -e "$T" ] || rm -rf "$T" # from an attempt that was cut off
  mkdir -p "$T/tree/header" "$T/tree/tmp" "$T/scripts" && cp -RP "$spool" "$in" ||
    { fits 0 && refuse 74 io "the spool cannot be copied" || refuse 74 low_space "too little free space"; }
  check_kinds; trust verify "$in"; check_sums; check_header; trust open "$in" "$NAME"
  build_tree || refuse 74 io "the module's tree cannot be written"
  NEW="$TXN $NAME $MANIFEST $TYPE" STATE=verified NOW=verified
  [ "$verb" = prepare ] || { save && tidy; }
}

check_kinds() { # in root's copy are only frames: regular files of known names, none too long
  rows=$([ ! -L "$in" ] && cd "$in" && ls -lnA . data data/0000 2>/dev/null) || deny "the files cannot be listed"
  count=0 dir= left=0
  while read -r mode _ _ _ size _ _ _ name; do
    case $mode in
      .:) dir= ;;
      data: | data/0000:) dir=${mode%:}/ ;;
      '' | total) ;;
      d*) case $dir$name in data | data/0000) ;; *) deny "a directory is not of a delivery" ;; esac ;;
      -*)
        frame_limit "$dir$name"
        frame_name "$dir$name" && [ "$size" -le "$W" ] || deny "a file is not of a delivery, or too long"
        case $dir$name in ticket | ticket.sig) ;; *) count=$((count + 1)) ;; esac # the manifest lists no ticket
        [ "$dir$name" != manifest ] || left=$size
        ;;
      *) deny "a file is not regular" ;;
    esac
  done <<ROWS
$rows
ROWS
}

trust() { # WORDS...: trust.sh has to say yes; its no ends the transaction, unless it only came too early
  rooted || case $1 in verify | root) ;; *) return 0 ;; esac
  why=$("$LIB/trust.sh" "$@" </dev/null 2>/dev/null) && return
  rc=$?
  case $rc$1 in 77* | *root | *committed) ;; *) discard aborted ;; esac
  echo "$why"
  exit $rc
}

check_sums() { # Mender Artifact v3, "manifest": each line is one file, each file one line
  lines= list=$NL header=
  [ $count -le 254 ] || deny "there are more files than a delivery may have"
  while IFS= read -r line; do
    sum=${line%%  *} name=${line#*  } count=$((count - 1))
    case $sum in *[!0-9a-f]*) sum= ;; esac
    case $name in manifest*) sum= ;; header.*) [ -z "$header" ] || sum= && header=$name ;; esac
    case $list in *"$NL$name$NL"*) sum= ;; esac
    [ ${#sum} -eq 64 ] && frame_name "$name" || deny "the manifest has a malformed or double line"
    list=$list$name$NL lines=$lines$line$NL left=$((left - ${#line} - 1))
  done <"$in/manifest"
  [ -z "$line" ] || deny "the last line of the manifest has no end"
  [ $left -eq 0 ] || deny "the manifest is no text" # a shell reads over bytes that are zero
  [ -n "$header" ] || deny "the manifest lists no header"
  # the checksum of {"format":"mender","version":3}
  case $NL$lines in *"${NL}96bcd965947569404798bcbdb614f103db5a004eb6e364cfc162c146890ea35b  version$NL"*) ;;
    *) deny "not a Mender Artifact of version 3" ;; esac
  [ $count -eq 2 ] || deny "the files are not those of the manifest" # 2: itself and its signature
  sums=$(cd "$in" && sha256sum manifest $list 2>/dev/null) || deny "a file of the manifest is missing"
  [ "${sums#*"$NL"}$NL" = "$lines" ] || deny "a file differs from its checksum in the manifest"
  MANIFEST=${sums%% *}
}

check_header() { # only here an archive is opened: its bytes are signed
  case $header in *.gz) set -- gzip -dc ;; *.xz) set -- xz -dc ;; *) set -- cat ;; esac
  { XZ_OPT=-M80MiB "$@" && : >"$T/whole"; } <"$in/$header" 2>/dev/null | dd bs=65536 count=17 iflag=fullblock of="$T/header" 2>/dev/null
  W=$(wc -c <"$T/header") && [ -e "$T/whole" ] && [ "$W" -le 1048576 ] && one_stream "$in/$header" "$W" ||
    deny "the header cannot be unpacked"
  old_provides
  read -r DEVICE 2>/dev/null <"$ETC/device_type" || refuse 69 incompatible "the device has no type"
  enc "$DEVICE"
  W=$(od -An -v -tx1 "$T/header" | awk -v "device=$W" -v "out=$T/json" "$JUDGE" provides=1 "$OLD" provides=0 -)
  case $W in 'ok '*) ;; incompatible*) refuse 69 incompatible "${W#* }" ;; *) deny "${W#* }" ;; esac
  set -- $W
  TYPE=$2 NAME=$3 GROUP=${4#-} && module_of "$2"
  [ -f "$W" ] && [ -x "$W" ] || refuse 69 incompatible "the device has no update module $TYPE"
  shift 4 && parts=$*
}

build_tree() { # the file API of Mender's update modules, version 3
  cd "$T/tree" && mv "$in/data/0000" "$T/payload" && W=$(sed -n 's/^artifact_group=//p' "$OLD") && dec "$W" || return 1
  printf %s "${W:+$W$NL}" >current_artifact_group && set -- $parts && part header-info "$1" "$2" && part type-info "$3" "$4" && part meta-data "$5" "$6" && shift 6 || return 1
  while [ $# -gt 0 ]; do part "../../scripts/$1" "$2" "$3" && chmod 700 "$T/scripts/$1" && shift 3 || return 1; done
  echo 3 >version && echo "$DEVICE" >current_device_type && printf %s "$TYPE" >header/payload_type || return 1
  dec "$GROUP" && printf %s "$W" >header/artifact_group && dec "$NAME" && printf %s "$W" >header/artifact_name || return 1
  word 2 $CUR && dec "$W" && printf '%s\n' "$W" >current_artifact_name && cd /
}

part() { dd bs=512 skip="$2" if="$T/header" 2>/dev/null | head -c "$3" >"header/$1"; } # FILE BLOCK SIZE

do_install() { # puts the payload beside what runs
  due verified || return 0
  ! inhibited || die 77 inhibited "an inhibit file is on the device"
  use $NEW
  run install || refuse 69 install_failed "$SAID"
  sync -f "$T" 2>/dev/null || sync # what a later rollback needs is on disk before anything changes
  trust installed "$T/in"
  ask RollbackAfterCommit
  NEW="$NEW ${W:-No}" W=
  [ "$TYPE" != directory ] || IFS= read -r W <"$T/tree/files/dest_dir" # where a release brings checks
  enc "${W:--}"
  NEW="$NEW $W" STATE=installed
  save
}

tidy() { rm -rf "$T/header" "$T/whole" "$T/in/$header" "$spool"; }
do_prepare() { do_verify; echo 'step verify 0 ok'; do_install; tidy; } # all that a delivery needs before its go

arm() { # the dead-man answers with its pid when it holds no stream of ours any more
  deadman_kind
  [ "$W" != systemd ] || ! systemd-run --quiet --collect --unit="rollout-deadman-$C" \
    --property=KillMode=process --timer-property=AccuracySec=1s --on-active=$((DEADLINE - U + 1)) /bin/sh "$BASE/helper.sh" deadman "$TXN" >/dev/null 2>&1 || return 0
  W=$($(command -v setsid) sh "$BASE/helper.sh" --root "$ROOT" deadman "$TXN" </dev/null 2>/dev/null &)
  num "$W" && pid=$W && started "$pid" && echo "$pid $W" >"$RUN/deadman.$C"
}

disarm() { # ends the dead-man, unless that is who we are; one that stays finds nothing to do
  deadman_kind
  [ "$W" != systemd ] || systemctl stop "rollout-deadman-$C.timer" 2>/dev/null
  ! alive "$RUN/deadman.$C" || [ "$PID" = $$ ] || kill "-$PID" 2>/dev/null || kill "$PID" 2>/dev/null
}

do_activate() { # the point of no return: record, dead-man, switch
  due installed || return 0
  ! inhibited || die 77 inhibited "an inhibit file is on the device"
  use $NEW
  ! rooted || { trust verify "$T/in" && word 2 $NEW && trust open "$T/in" "$W"; }
  token
  NONCE=$W AT=$BOOT LIMIT=$P_deadline DEADLINE=$((U + P_deadline)) STATE=probation PHASE=switching
  save
  arm || refuse 74 io "the dead-man cannot be started"
  run activate || undo activate_failed
  REBOOT=$SAID PHASE= && save
  [ -z "$REBOOT" ] || [ -n "$ROOT" ] && [ ! -x "$ROOT/sbin/reboot" ] ||
    $(command -v setsid) sh "$BASE/helper.sh" --root "$ROOT" restart "$TXN" </dev/null >/dev/null 2>&1 &
}

restart() { # TXN: what its module wants between install and proof, once the answer is out
  find_txn "$1" && { [ -n "$ROOT" ] || sleep 2; } || exit
  until core_lock 25; do load "$C" && [ "$STATE ${NEW%% *}" = "probation $1" ] || exit; done # another component is at work
  load "$C" && recover
  [ "$STATE ${NEW%% *} $PHASE" = "probation $1 " ] && [ -n "$REBOOT" ] || exit
  PHASE=rebooting && save && use $NEW
  run reboot && rebooted || [ $? -eq 3 ] || takes_back # a module may have rebooted only a part of the device
}

undo() { # REASON: a step failed; the device goes back and says so
  why=$SAID; back
  case $? in 0) W='rolled back' ;; 3) W='it reboots to go back' ;; *) die 69 rollback_failed "$why; $SAID" ;; esac
  die 69 "$1" "$why ($W)"
}

back() { # takes the newest transaction back; fails when the module cannot, and with 3 when a boot has to come first
  use $NEW; PHASE=reverting && save
  run back
  case $? in
    0) STATE=rolled-back && { [ "${CUR%% *}" != "$TXN" ] || CUR=$PREV PREV=gone; } ;;
    3) REBOOT=Yes && save && return 3 ;;
    *) STATE=rollback-failed ;;
  esac
  PHASE= REBOOT=; save; disarm
  [ $STATE = rolled-back ] && drop $NEW
}

takes_back() { REVERTED=${NEW%% *} && back; } # the device decides by itself

finish() { # makes the newest transaction permanent
  use $NEW; run commit || undo commit_failed
  after=$SAID
  word 5 $NEW
  case $W.$CUR in Yes.none) W=- ;; Yes.*) W=$V/txn/${CUR%% *}/in ;; *) W=- ;; esac
  trust committed "$T/in" "$W"
  old_provides
  (umask 022 && awk "$PROVIDES" "$OLD" "$T/json" >"$V/provides.$TXN") && durable "$V/provides.$TXN" ||
    die 74 io "the provides cannot be written"
  before=$PREV PREV=$CUR CUR="$NEW $(date +%s)" STATE=committed PHASE=$after
  save; disarm; drop $before
  [ -z "$PHASE" ] || left
}

left() { # what scripts have to do after a commit that stands
  use $CUR; run left && after= || after="$SAID (it is committed)"
  PHASE= && save; [ -z "$after" ] || die 69 commit_failed "$after"
}

fresh() { # the sender has spoken to this version, after the last boot, over a new connection
  [ -z "$REBOOT" ] && [ -n "$P_nonce" ] && [ "$P_nonce" = "$NONCE" ] && [ "$AT" = "$BOOT" ] || die 77 stale_nonce "ask for the nonce again"
}

do_adopt() { DIRTY=1; }
do_root() { trust root "$VAR/spool/.root"; }
do_confirm() { ! due probation || { fresh && STATE=confirmed && save && disarm; }; }

do_commit() {
  [ "$NOW" = probation ] || due confirmed || return 0
  fresh && PHASE=committing && save && finish
}

do_rollback() {
  case $NOW in
    staging | verified) discard aborted && return ;;
    installed) discard rolled-back && return ;;
    aborted | rolled-back) return ;;
    committed) again_newest ;;
    probation | confirmed | rollback-failed) [ "${NEW%% *}" = "$P_txn" ] || gone "another one came after it" ;;
    *) gone "the transaction is not known" ;;
  esac
  back && return
  [ $? -eq 3 ] && die 75 busy "it reboots to go back" || die 69 rollback_failed "$SAID"
}

again_newest() { # a committed transaction becomes the newest one again, to be taken back
  word 5 $CUR
  [ "${CUR%% *}" = "$P_txn" ] && [ "$W" = Yes ] && [ "$PREV" != gone ] || gone "the previous version is gone"
  setting rollback-window 604800
  { [ "$AT ${NEW%% *}" = "$BOOT $P_txn" ] && [ "$U" -le "$W" ]; } || [ $(($(date +%s) - ${CUR##* })) -le "$W" ] || gone "the rollback window is over" # by either clock: one may have been set since
  case $STATE in probation | confirmed) die 78 wrong_state "another transaction is in $STATE" ;; esac
  case $STATE in staging | verified | installed) discard aborted ;; esac
  [ "${NEW%% *}" = "$P_txn" ] || remember
  NEW=${CUR% *} STATE=committed
}

do_abort() {
  case $NOW in none | aborted) return ;; staging | verified | installed) discard aborted && return ;; esac
  die 78 wrong_state "the transaction is $NOW"
}

do_gc() { # what neither runs, nor is needed to go back, nor is under way
  keep=" ${CUR%% *} ${PREV%% *} "
  case $STATE in aborted | rolled-back) ;; *) keep="$keep${NEW%% *} " ;; esac
  names "$VAR/spool/$C"
  for txn in $W $(names "$V/txn" && echo "$W"); do
    case $keep in *" $txn "*) continue ;; esac
    [ ${#txn} -eq 26 ] || continue
    W=-
    IFS= read -r W 2>/dev/null <"$V/txn/$txn/tree/header/payload_type"
    drop "$txn" - - "$W"
  done
}

recover() { # finishes or undoes what a core was doing when it was killed or the power went
  # they must not work beside us
  for who in executor module; do ! alive "$RUN/$who" || kill -9 "-$PID" 2>/dev/null || kill -9 "$PID"; done
  case $PHASE in
    switching | verifying) takes_back ;;
    reverting) back ;;
    committing | leaving) ([ $PHASE = leaving ] && left || finish) ; load "$C" ;;
  esac
  [ "$PHASE" != reverting ] || die 75 busy "it reboots to go back"
  [ "$AT" != "$BOOT" ] || return 0
  case $STATE in
    probation) [ -n "$REBOOT" ] && rebooted || takes_back ;;
    confirmed) rebooted ;;
  esac
}

rebooted() { # the module had asked for this boot, or the transaction was confirmed before it
  token && clock # its time begins now, however long that took
  [ "$STATE" = confirmed ] || PHASE=verifying
  NONCE=$W AT=$BOOT DEADLINE=$((U + LIMIT)) REBOOT= && save && use $NEW
  [ "$STATE" = confirmed ] || { arm && run verify && PHASE= && save; }
}

boot() { # the hook: before anything else may change something
  core_lock 1500 || exit 75
  names "$VAR/component"
  for C in $W; do
    (load "$C" && recover)
    (load "$C" && [ "$STATE" = probation ] && ! alive "$RUN/deadman.$C" && use $NEW && { [ -z "$PHASE" ] || DEADLINE=$U; } && arm) || :
  done
}

deadman() { # TXN: takes it back when its deadline passes before it is confirmed
  find_txn "$1"
  echo $$
  exec >/dev/null
  while [ "$STATE ${NEW%% *}" = "probation $1" ]; do
    [ -d "$LIB" ] || exec sh "$BASE/helper.sh" --root "$ROOT" deadman "$1" # two newer ones were committed since
    clock && left=$((DEADLINE - U))
    [ $left -le 0 ] || [ "$PHASE" != reverting ] || left=0
    if [ $left -gt 0 ]; then
      sleep $((left < 30 ? left : 30))
    elif core_lock 2; then
      (load "$C" && recover && [ "$STATE ${NEW%% *}" = "probation $1" ] && takes_back)
      : >"$LOCKED" && LOCKED= && load "$C"
      [ "$STATE" != probation ] || sleep 30 # a reboot of the way back that does not come is asked for again
    else # a helper on trial may hang for ever where it holds the lock
      word 4 $NEW
      [ "$W" != rollout-helper ] || [ $left -gt -$LIMIT ] || kill -9 "$HOLDER" 2>/dev/null
    fi
    load "$C"
  done
}

core() { # VERB KEY=VALUE...: the only way in, in a process or subshell of its own
  verb=$1 && shift
  args "$@" && case $verb in
    readback | kept) load "$P_component" && readback && "tell_$verb" && exit ;;
    log) [ -n "$P_txn" ] && load "$P_component" && said && exit ;;
    report) [ -n "$P_nonce" ] && load "$P_component" && readback && report && exit ;;
    begin | verify | install | prepare | activate | confirm | commit | rollback | abort) [ -n "$P_txn" ] ;;
    adopt | gc | root) ;;
    *) false ;;
  esac && [ -n "$P_controller" ] && [ -n "$P_epoch" ] || die 64 usage "a parameter is missing or malformed"
  core_lock 25 || { [ $? -eq 1 ] && die 75 busy "another request is at work" || die 74 io "$RUN cannot be written"; }
  [ -d "$LIB" ] || die 75 busy "this helper is not there any more"
  load "$P_component"
  recover
  [ "$verb" != adopt ] || OWNER=
  fence
  state_of "$P_txn" && NOW=$W
  "do_$verb"
  [ -z "$DIRTY" ] || save
  exit 0
}
# --- core end ---

# --- protocol begin ---
# May run as an unprivileged user: reads the request, moves bytes into the spool, asks the core.

say() { # KEY WORDS...: one line of the reply, of printable words
  line="$*$NL"
  [ $((${#OUT} + ${#line})) -le 65000 ] || return 0
  OUT=$OUT$line HELD=$HELD$line
}

flush() { # sends what was said; the lines of a reply go out together, as each write is a packet
  printf %s "$HELD"
  HELD=
}

finish_reply() { # RC: the end line, without which nothing may be concluded from a reply
  W=$(printf %s "$OUT" | sha256sum)
  printf '%send %s %s\n' "$HELD" "$1" "${W%% *}"
  [ -z "$LOCKED" ] || : >"$LOCKED"
  exit "$1"
}

fail() { # RC REASON DETAIL
  say reason "$2"
  enc "$3"
  say detail "$W"
  finish_reply "$1"
}

call() { # VERB: asks the core; ANSWER are its lines, RC its exit code
  set -- "$1" ${P_txn:+txn=$P_txn} ${P_controller:+controller=$P_controller} \
    "component=$P_component" ${P_epoch:+epoch=$P_epoch} ${P_nonce:+nonce=$P_nonce} \
    ${P_report:+report=$P_report} "deadline=$P_deadline"
  if [ -n "$ELEVATE" ]; then
    ANSWER=$($ELEVATE "$@" </dev/null)
  else
    ANSWER=$(LOCKED='' REQUEST='' && umask 077 && core "$@" </dev/null)
  fi
  RC=$?
  case $RC in 0 | 64 | 65 | 69 | 74 | 75 | 76 | 77 | 78) ;; *) ANSWER="reason io${NL}detail the%20core%20ended%20with%20$RC" RC=74 ;; esac
  [ $RC -ne 0 ] || witness
}

# Whoever keeps the journal cannot cut its end off unseen, as devices know what was in it. Nothing on the
# device is decided by this, and nothing waits for it: a full disk only leaves it as it was.
witness() { # keeps where the journal stood that this change is in: of each of 64 rollouts the highest number
  [ -n "$P_audit" ] && [ -n "$P_seq" ] || return 0
  heads=$VAR/spool/.audit run="$P_controller ${P_seq%.*}" known=1
  list="$run ${P_seq##*.} $P_audit$NL"
  while read -r by id at sum; do
    if [ "$by $id" != "$run" ]; then
      [ $((known = known + 1)) -gt 64 ] || list="$list$by $id $at $sum$NL"
    elif num "$at" && [ "$at" -ge "${P_seq##*.}" ]; then
      return 0
    fi
  done 2>/dev/null <"$heads"
  [ -d "${heads%/*}" ] || mkdir -p "${heads%/*}" 2>/dev/null
  printf %s "$list" 2>/dev/null >"$heads.$$" && mv -f "$heads.$$" "$heads" 2>/dev/null || rm -f "$heads.$$"
}

witnessed() { # COUNT: says the newest of what it keeps of journals
  known=0
  while read -r line && [ $((known = known + 1)) -le "$1" ]; do say audit "$line"; done 2>/dev/null <"$VAR/spool/.audit"
}

answer() { # repeats what the core said, and where the transaction stands now
  while read -r key rest; do
    case $key in reason | detail) say "$key" $rest ;; esac
  done <<TEXT
$ANSWER
TEXT
}

end_failed() { # ends with the core's refusal
  answer
  standing
  finish_reply "$RC"
}

standing() { # where the newest transaction stands
  load "$P_component"
  say_state
}

say_state() {
  say state "$STATE"
  [ -z "$NEW" ] || say txn "${NEW%% *}"
  # the module asked for a boot that has not come yet: what runs now proves nothing
  [ "$STATE" != probation ] || [ -z "$REBOOT" ] || say reboot yes
}

fields() { # [nonce]: the fields of state, docs/reference/device-protocol.md; ACTIVE and OFFER stay known
  load "$P_component"
  say protocol rollout-agent/1
  say helper "$VERSION"
  [ -z "$P_nonce" ] || say nonce "$P_nonce"
  W=none
  read -r W 2>/dev/null <"$ETC/device_type"
  enc "$W"
  say device-type "$W"
  say boot-id "$BOOT"
  say uptime "$U"
  say_state
  set -- "${1-}" $CUR
  case $STATE in
    probation | confirmed | rollback-failed) set -- "$1" $NEW && back_to=$CUR ;;
    *) back_to=$PREV && word 5 $CUR && [ "$W" = Yes ] || back_to=gone ;;
  esac
  say artifact "${3-none}"
  say manifest "${4-none}"
  W=unknown
  if [ -n "$P_report" ] && [ -n "$P_nonce" ]; then
    reported
  elif [ $# -le 3 ]; then
    :
  elif [ -n "$ELEVATE" ]; then
    W=$($ELEVATE readback "component=$P_component" </dev/null)
  else
    use "$2" "$3" "$4" "$5" && readback
  fi
  case $W in yes | no) ACTIVE=$W ;; *) ACTIVE=unknown ;; esac
  say active $ACTIVE
  nonce=$1 OFFER=
  set -- $back_to
  case $back_to in
    gone) ;;
    none) say previous none && say previous-manifest none ;;
    *) say previous "$2" && say previous-manifest "$3" ;;
  esac
  [ -z "$REVERTED" ] || say reverted "$REVERTED"
  if [ -n "$OWNER" ]; then
    set -- $EPOCHS
    say epoch "${1#*=}"
    say controller "$OWNER"
  fi
  case $nonce$STATE in nonceprobation | nonceconfirmed) [ "$AT" != "$BOOT" ] || [ -n "$PHASE$REBOOT" ] || OFFER=$NONCE ;; esac
  [ -z "$OFFER" ] || say commit-nonce "$OFFER"
  deadman_kind
  say deadman "$W"
  if [ "$STATE" = probation ] && [ "$AT" = "$BOOT" ]; then
    W=$((DEADLINE - U))
    [ $W -ge 0 ] || W=0
    say deadline-left $W
  fi
  free
  say free "$W"
  ! rooted || asked show
}

reported() { # says what root says of itself, as it was signed; W is what readback said there
  journal=$P_seq P_seq='' W=unknown
  call report
  P_seq=$journal
  while read -r key rest; do
    case $key in active) W=$rest ;; report | signature | unsigned) say "$key" "$rest" ;; esac
  done <<TEXT
$ANSWER
TEXT
  [ $RC -eq 0 ] || say unsigned no_report
}

signs() { # says as whom, and with which of its host's keys, this device signs reports
  [ -x "$LIB/report.sh" ] && [ -n "$(command -v ssh-keygen)" ] && [ -n "$(command -v openssl || command -v base64)" ] || return 0
  for kind in ed25519 ecdsa; do
    key=$ROOT/etc/ssh/ssh_host_${kind}_key
    [ -f "$key" ] && read -r type key rest 2>/dev/null <"$key.pub" || continue
    case $type$key in *[!A-Za-z0-9+/=-]*) ;; *) enc "$("$LIB/report.sh")" && say signs "$W" "$type" "$key" ;; esac
  done
}

asked() { # WORDS...: says what trust.sh knows
  W=$("$LIB/trust.sh" "$@" </dev/null 2>/dev/null)
  while read -r key rest; do [ -z "$key" ] || say "$key" $rest; done <<TEXT
$W
TEXT
}

can() { # MODULE: a line of its type and whether it keeps a previous release; none where it lacks what it needs on this device
  [ -x "$1" ] || return 0
  W=$({ bounded 8 "$1" RollbackAfterCommit /nonexistent; printf '\n%s%64s' $? ''; } </dev/null 2>/dev/null | head -c 64)
  case $W in "Yes$NL"*"${NL}0 "*) echo "${1##*/} Yes" ;; *"${NL}0 "*) echo "${1##*/} " ;; esac
}

facts() {
  fields nonce
  ! rooted || asked tools
  W=unknown
  while IFS='=' read -r key v; do [ "$key" != PRETTY_NAME ] || { v=${v#\"} && W=${v%\"}; }; done 2>/dev/null <"$ROOT/etc/os-release"
  enc "$W" && say fact "os=$W"
  W=$(uname -m) && enc "$W" && say fact "arch=$W"
  W=$(uname -r) && enc "$W" && say fact "kernel=$W"
  W=$(readlink "/proc/$$/exe") && W=${W##*/} && enc "$W" && say fact "shell=$W"
  W=$(openssl version 2>/dev/null) || W=none
  enc "$W" && say fact "openssl=$W"
  W=$("$LIB/delta.sh" tools 2>/dev/null) && [ -n "$W" ] && say delta "$W"
  names "$LIB/modules"
  list=$W seen=' ' && names "$BASE/modules"
  list="$list $W"
  # all of them at once: each has its time, and whoever asks does not wait for the sum
  W=$(for TYPE in $list; do module_of "$TYPE" && can "$W" & done && wait)
  able=$NL$W$NL
  for TYPE in $list; do
    case $seen in *" $TYPE "*) continue ;; esac
    seen="$seen$TYPE "
    case $able in
      *"$NL$TYPE Yes$NL"*) say module "$TYPE+keeps-previous" ;;
      *"$NL$TYPE $NL"*) say module "$TYPE" ;;
    esac
  done
  signs
  release_checks
  names "$ETC/health.d"
  list=$W
  [ -z "$CHECKS" ] || { names "$CHECKS" && list="$list $W"; }
  seen=' '
  for W in $list; do
    W=${W%.check} # its definition for checks.sh
    case $seen in *" $W "*) ;; *) seen="$seen$W " && say health-check "$W" ;; esac
  done
  old_provides
  while IFS= read -r line; do say provides "$line"; done <"$OLD"
  witnessed 1
}

status() {
  fields nonce
  [ -n "$P_txn" ] || { witnessed 64; return 0; }
  state_of "$P_txn"
  say txn-state "$W"
  spool=$VAR/spool/$P_component/$P_txn
  [ "$W" = staging ] && cd "$spool" 2>/dev/null || return 0
  sums=$(find . -type f -exec sha256sum {} +)
  while read -r sum name; do
    [ -n "$name" ] || continue
    W=$(wc -c <"$name")
    say have "${name#./}" $W "$sum"
  done <<SUMS
$sums
SUMS
  cd /
}

release_checks() { # CHECKS is the directory of checks that the active release brought
  case $STATE in probation | confirmed | rollback-failed) word 6 $NEW ;; *) word 6 $CUR ;; esac
  CHECKS=
  case $W in /*) dec "$W" && CHECKS=$ROOT${W%/}/.rollout/health ;; esac
}

find_check() { # NAME: CHECK is the program that looks, empty when there is none, and TOLD its argument
  CHECK= TOLD=
  case $1 in
    *:*) CHECK=$LIB/checks.sh TOLD=$1 && return ;; # a built-in one: a name never holds a colon
    */*) return ;;
  esac
  for W in "$ETC/health.d/$1" "${CHECKS:-/nonexistent}/$1"; do
    [ ! -f "$W" ] || [ ! -x "$W" ] || { CHECK=$W && return; }
    [ ! -f "$W.check" ] || { CHECK=$LIB/checks.sh TOLD=$W.check && return; }
  done
}

verdict() { # MARK: of what a check says, the exit code behind the mark, and then its first line; holds two blocks at most
  first='' before='' begun=''
  while W=$(dd bs=65536 count=1 2>/dev/null | tr '\0' ' ' && echo .) && W=${W%.} && [ -n "$W" ]; do
    [ -n "$begun" ] || { first=$first$W && case $first in *"$NL"*) ;; *) [ ${#first} -gt 2000 ] ;; esac && begun=1; }
    case $before$W in
      *"$NL$1 "*"$NL"*)
        W=$before$W
        W=${W##*"$NL$1 "}
        printf '%s\n%.2000s' "${W%%"$NL"*}" "${first%%"$NL"*}"
        return
        ;;
    esac
    before=$W
  done
  echo 127
}

health() {
  fields nonce
  release_checks
  rest=$P_checks, mark=end-of-check.$$
  while [ -n "$rest" ]; do
    name=${rest%%,*} rest=${rest#*,}
    case $name in '' | .*) continue ;; esac
    find_check "$name"
    if [ ! -x "$CHECK" ]; then
      say check "$name" 127
      continue
    fi
    # to the mark only: what a check that was stopped leaves behind may hold the pipe open
    W=$(
      {
        cd / && bounded "$P_timeout" env -i "PATH=$PATH" LC_ALL=C "ROLLOUT_ROOT=$ROOT" "$CHECK" ${TOLD:+"$TOLD"} </dev/null 2>/dev/null
        printf '\n%s %s\n' "$mark" $?
      } | verdict "$mark"
    )
    code=${W%%"$NL"*} W=${W#"$code"}
    W=${W#"$NL"}
    case $code in 124 | 137 | 143) code=124 ;; esac
    enc "$W"
    say check "$name" "$code" $W
  done
}

attest() { # says what root says of itself, as it was signed; this part cannot make it
  [ -n "$P_nonce" ] || fail 64 usage "nonce= is missing"
  reported
  [ $RC -eq 0 ] || end_failed
}

rebuild() { # a payload file: of the patch on stdin, and of what runs
  case $P_name in data/*) ;; *) P_name='' ;; esac
  [ -n "$P_name" ] && [ -n "$P_size" ] && [ -n "$P_sha" ] && [ -n "$P_from" ] && [ -n "$P_had" ] && [ "$P_frames" = 1 ] ||
    fail 64 usage "name=, size=, sha=, from= or had= is missing, or frames= is not 1"
  open_spool
  made=$spool/$P_name spool=$VAR/spool/.delta-$P_component
  mkdir "$spool" || fail 74 io "the spool cannot be made"
  receive_frames
  whole "$sums" $sizes || give_up "the patch differs from its checksum"
  fits $((P_size + P_had)) || { rm -rf "$spool" && fail 74 low_space "too little free space for what runs and what it becomes"; }
  if [ -n "$ELEVATE" ]; then
    $ELEVATE kept "component=$P_component" "name=$P_name" "from=$P_from" "had=$P_had" </dev/null >"$spool/old"
  else
    (LOCKED='' REQUEST='' && core kept "component=$P_component" "name=$P_name" "from=$P_from" "had=$P_had" </dev/null) >"$spool/old"
  fi || give_up "what runs is not what the patch is for"
  W=$("$LIB/delta.sh" make "$spool" "$P_size" "$P_sha" </dev/null 2>/dev/null) || give_up "${W:-the patch cannot be used}"
  mv -f "$spool/new" "$made" || give_up "the file cannot be put in its place"
  rm -rf "$spool"
  standing
}

give_up() { rm -rf "$spool" && fail 74 io "$1"; } # WHY: the whole file has to come

log() { # what only root has: the end of what the update module said
  [ -n "$P_txn" ] || fail 64 usage "txn= is missing"
  call log
  [ $RC -eq 0 ] || end_failed
  while read -r key rest; do [ "$key" != log ] || say log "$rest"; done <<TEXT
$ANSWER
TEXT
}

take() { # BYTES: exactly so many of stdin, no more: the next frame follows (head -c would not do)
  [ "$1" -gt 0 ] || return 0
  [ "$1" -gt 2097152 ] || { dd "bs=$1" count=1 iflag=fullblock 2>/dev/null && return || return 1; }
  dd bs=65536 count=$(($1 / 65536)) iflag=fullblock 2>/dev/null || return 1
  [ $(($1 % 65536)) -eq 0 ] || dd bs=$(($1 % 65536)) count=1 iflag=fullblock 2>/dev/null
}

open_spool() { # the transaction becomes the newest one; one delivery at a time may write for it
  [ -n "$P_txn" ] && [ -n "$P_controller" ] && [ -n "$P_epoch" ] || fail 64 usage "txn=, controller= or epoch= is missing"
  spool=$VAR/spool/$P_component
  hold_spool
  call begin
  [ $RC -eq 0 ] || end_failed
  case $ANSWER in *'again yes'*)
    fields
    finish_reply 0
    ;;
  esac
  rm -rf "$VAR/spool/.delta-$P_component" # of a rebuild that was cut off; no component has such a name
  spool=$spool/$P_txn
  [ -d "$spool/data/0000" ] || mkdir -p "$spool/data/0000" || fail 74 io "the spool cannot be made"
}

hold_spool() { # or it is held by another request
  LOCKED=
  until lock "$spool/lock"; do
    [ $? -eq 1 ] || { fits 0 && fail 74 io "the spool cannot be written" || fail 74 low_space "the disk is full"; }
    # a holder that has received nothing for minutes hangs on a dead connection
    [ -n "$HOLDER" ] && [ -d "$spool/$P_txn" ] && [ -z "$(find "$spool" -mmin -3)" ] && kill -9 "$HOLDER" 2>/dev/null ||
      fail 75 busy "another delivery is under way"
    sleep 1
  done
}

receive() { # NAME SIZE SHA OFFSET: stdin's next bytes become (the rest of) that frame
  frame_limit "$1"
  [ "$2" -le $W ] && [ "$4" -le "$2" ] || fail 64 usage "the size or offset of $1 is out of bounds"
  [ $(($2 - $4)) -lt 65536 ] || fits $(($2 - $4)) || fail 74 low_space "$1 needs $need bytes, $W bytes are free"
  have=0
  [ "$4" -eq 0 ] || have=$(wc -c 2>/dev/null <"$spool/$1") || have=0
  if [ "$4" -ne $have ]; then
    W=$(sha256sum 2>/dev/null <"$spool/$1") || W=$(sha256sum </dev/null)
    say name "$1"
    say resume-at $have "${W%% *}"
    finish_reply 3
  fi
  [ "$4" -ne 0 ] || : >"$spool/$1" || fail 74 io "the spool cannot be written"
  take $(($2 - $4)) >>"$spool/$1" || fail 74 io "$1 cannot be written"
}

whole() { # SUMS FRAME-SIZES: does each frame have its bytes; a short one is kept for a resume
  (cd "$spool" && printf %s "$1" | sha256sum -c) >/dev/null 2>&1 && return 0
  shift
  while [ $# -gt 1 ]; do
    W=$(wc -c <"$spool/$1") && [ "$W" -eq "$2" ] || fail 74 io "stdin ended inside $1"
    shift 2
  done
  return 1
}

stage() {
  [ -n "$P_name" ] && [ -n "$P_size" ] && [ -n "$P_sha" ] || fail 64 usage "name=, size= or sha= is missing"
  open_spool
  receive "$P_name" "$P_size" "$P_sha" "$P_offset"
  whole "$P_sha  $P_name$NL" "$P_name" "$P_size" || { rm -f "$spool/$P_name" && fail 65 denied "$P_name differs from its checksum"; }
  standing
}

step() { # VERB STEPS...: asks the core, says how each step went; a failure ends the delivery
  call "$1"
  shift
  for name; do
    case "$RC $ANSWER" in
      '0 '* | *"step $name 0 ok"*) say step "$name" 0 ok ;;
      *)
        reason=${ANSWER##*reason }
        say step "$name" $RC "${reason%%"$NL"*}"
        end_failed
        ;;
    esac
  done
}

ready() { # NONCE: seals what was said, and waits; W is the word that came with the nonce, or empty
  W=$(printf %s "$OUT" | sha256sum)
  say ready "$1" "${W%% *}"
  flush
  W=$(bounded "$P_wait" head -n 1 2>/dev/null)
  case $W in *" $1") W=${W% *} ;; *) W= ;; esac
  clock
}

prove() { # health, and the step that follows from it, in one exec
  [ -n "$P_txn" ] && [ -n "$P_controller" ] && [ -n "$P_epoch" ] && [ "$P_wait" -le 3600 ] ||
    fail 64 usage "txn=, controller= or epoch= is missing, or wait= too large"
  health
  [ -n "$OFFER" ] && [ "${NEW%% *}" = "$P_txn" ] || return 0
  ready "$OFFER"
  P_nonce=$OFFER
  case $W in commit | confirm) step "$W" "$W" ;; esac
}

deliver() {
  [ "${P_frames:-0}" -ge 1 ] && [ "$P_frames" -le 256 ] && [ "$P_wait" -le 3600 ] ||
    fail 64 usage "frames= or wait= is missing or too large"
  fields
  word 3 $CUR
  case $STATE in
    probation | confirmed | rollback-failed) ;;
    *) [ "$W $ACTIVE" != "$P_unless yes" ] || finish_reply 0 ;;
  esac
  ! inhibited || fail 77 inhibited "an inhibit file is on the device"
  open_spool
  fits 0 || fail 74 low_space "$need bytes have to stay free, $W bytes are"
  receive_frames
  if ! whole "$sums" $sizes; then
    call abort
    say step stage 65 denied
    fail 65 denied "a frame differs from its checksum"
  fi
  say step stage 0 ok
  step prepare verify install
  token
  ready "$W"
  case $W in
    go) step activate activate && standing ;;
    keep) ;; # stays installed, for an activation of its own
    *)
      call abort
      fail 77 cancelled "there was no go"
      ;;
  esac
}

receive_frames() { # frames= of them, into the spool
  sums='' sizes=' ' count=0
  while [ $count -lt "$P_frames" ]; do
    count=$((count + 1))
    IFS=' ' read -r kind name size sum offset || fail 74 io "stdin ended before frame $count"
    [ "$kind" = frame ] && frame_name "$name" && num "$size" && num "$offset" && [ ${#sum} -eq 64 ] || kind=
    case $sum in *[!0-9a-f]*) kind= ;; esac
    case $sizes in *" $name "*) kind= ;; esac
    [ -n "$kind" ] || fail 64 usage "frame $count has a malformed or double head"
    sums="$sums$sum  $name$NL" sizes="$sizes$name $size "
    receive "$name" "$size" "$sum" "$offset"
  done
}

root() { # the next trust root; its bytes speak for themselves, so no transaction is needed
  [ "${P_frames:-0}" -eq 2 ] && [ -n "$P_controller" ] && [ -n "$P_epoch" ] ||
    fail 64 usage "controller= or epoch= is missing, or frames= is not 2"
  spool=$VAR/spool/.root # no component has such a name
  hold_spool
  receive_frames
  whole "$sums" $sizes || fail 65 denied "a frame differs from its checksum"
  call root
  [ $RC -eq 0 ] || end_failed
  fields
}

request() { # the one line that came over SSH
  [ ${#1} -le 1024 ] || fail 64 usage "the request is too long"
  case $1 in
    '' | ' '* | *' ' | *'  '* | *..* | *[!A-Za-z0-9._:+/@,=\ -]*) fail 64 usage "the request does not fit the grammar" ;;
  esac
  set -- $1
  verb=$1
  shift
  case $verb in *[!a-z]*) verb= ;; esac
  [ $# -le 16 ] || verb=
  for pair; do
    case $pair in [!=]*=*=* | =*) verb= ;; *=*) ;; *) verb= ;; esac
    case ${pair%%=*} in *[!a-z0-9-]*) verb= ;; esac
  done
  [ -n "$verb" ] && args "$@" || fail 64 usage "the request does not fit the grammar"
  case $verb in
    hello) fields nonce ;;
    facts | status | health | prove | stage | deliver | rebuild | root | attest | log) $verb ;;
    verify | install | activate | confirm | commit | rollback | abort | adopt | gc)
      call "$verb"
      [ $RC -eq 0 ] || end_failed
      answer
      standing
      ;;
    *) fail 64 usage "there is no verb $verb" ;;
  esac
  finish_reply 0
}
# --- protocol end ---

REQUEST='' LOCKED='' OUT='' HELD='' HOLDER='' SAID='' header=none spool=''
ROLLOUT_ROOT=$ROOT
export ROLLOUT_ROOT
trap '' HUP PIPE
case ${1-} in core | boot | deadman | restart) umask 077 ;; esac
case ${1-} in
  --version) echo "rollout-helper $VERSION" ;;
  core) shift && core "${@:-none}" ;;
  boot) boot ;;
  deadman | restart) "$1" "${2:-none}" ;;
  '')
    REQUEST=${SSH_ORIGINAL_COMMAND:-none}
    unset SSH_ORIGINAL_COMMAND
    request "$REQUEST"
    ;;
  *) echo "usage: helper.sh [--root DIR] [--elevate CMD] [core VERB ... | boot | deadman TXN | restart TXN | --version]" >&2 && exit 64 ;;
esac
