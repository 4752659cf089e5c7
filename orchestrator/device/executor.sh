#!/bin/sh
# Runs the update module of one release, state by state: Mender's update module protocol, version 3.
#
#   executor.sh install TXN DIR TYPE LOCK    Download, with the payload as files or as streams
#   executor.sh activate ...                 ArtifactInstall; says Yes or Automatic when it wants a reboot
#   executor.sh reboot ...                   ArtifactReboot, or the system's reboot; 3: that is under way
#   executor.sh verify ...                   ArtifactVerifyReboot
#   executor.sh commit | left ...            ArtifactCommit; its Leave scripts, once the core wrote it down
#   executor.sh back ...                     ArtifactRollback to ArtifactFailure; 3: waits for a reboot
#   executor.sh cleanup ...                  Cleanup
#
# Only the root core starts it, under its lock LOCK and after it verified what lies in DIR. Exit 0 is
# done; else the one line of output says why not. Around each state run the scripts of the device
# (etc/rollout/scripts) and of the release. Which states follow on which, and what is repeated after
# a loss of power: docs/reference/device-layout.md. The ways of helper.sh hold here too.
# shellcheck disable=SC1007,SC2015,SC2016,SC2086,SC2317

set -fu
LC_ALL=C
export LC_ALL
umask 077
NL='
'
TRIES_MAX=6 # how often one step of going back is begun again before it is given up
ROOT=${ROLLOUT_ROOT-} VERB=$1 TXN=$2 T=$3 TYPE=$4 LOCK=$5
ETC=$ROOT/etc/rollout RUN=$ROOT/run/rollout TREE=$T/tree
MODULE=${0%/*}/modules/$TYPE
[ -x "$MODULE" ] || MODULE=$ROOT/usr/lib/rollout/modules/$TYPE # one that stands on the device
SESSION=$(command -v setsid) TIMER=$(command -v timeout)
SAID='' WHY='' STEP='' TRIES=0 BEGUN='' SINCE=0 BAD='' REBOOT=''
ROLLOUT_TXN=$TXN
export ROLLOUT_TXN

setting() { # NAME DEFAULT: W is the number that etc/rollout/limits gives to NAME
  W=$2
  while read -r key v _; do
    case $key.$v in "$1".*[!0-9]* | "$1". | "$1".0?* | "$1".????????????????*) ;; "$1".*) W=$v ;; esac
  done 2>/dev/null <"$ETC/limits" || :
}

uptime() { read -r U _ 2>/dev/null </proc/uptime && U=${U%%.*} || U=$(date +%s); } # U is in seconds

durable() { sync "$@" 2>/dev/null || sync; } # FILES: their content survives a loss of power

enlist() { # FILE: writes there who works, for the next core to end it; ends us when that one came first
  file=$1
  read -r W </proc/self/stat
  PID=${W%% *}
  set -- ${W##*) }
  echo "$PID ${20}" >"$RUN/$file"
  [ ! -e "${LOCK%/*}/g.$((${LOCK##*.} + 1))" ] || exit 1
}

record() { # STEP: stands on disk before anything of it is done; on a full one over what stands there
  STEP=$1 && uptime
  W="$STEP ${TRIES:-0} $BOOT ${BAD:--} ${REBOOT:--}$NL$U"
  { echo "$W" >"$T/step.new" && durable "$T/step.new" && mv -f "$T/step.new" "$T/step" && durable "$T"; } 2>/dev/null ||
    { echo "$W" 1<>"$T/step" && durable "$T/step"; } 2>/dev/null
}

recall() { # what was recorded last; BEGUN is no boot where that was another one
  read -r BOOT 2>/dev/null <"$ROOT/proc/sys/kernel/random/boot_id" ||
    read -r BOOT 2>/dev/null </proc/sys/kernel/random/boot_id || BOOT=unknown
  { read -r STEP TRIES BEGUN BAD REBOOT && read -r SINCE || SINCE=0; } 2>/dev/null <"$T/step" || STEP=
  BAD=${BAD#-} REBOOT=${REBOOT#-} && uptime
  [ "$U" -ge "${SINCE:-0}" ] || BEGUN= # an id of a boot may not change
}

hear() { # what is said goes to 9 from here on, and streams.sh takes it to the log
  END=all-was-said.$$
  rm -f "$RUN/said" "$RUN/heard"
  mkfifo "$RUN/said" "$RUN/heard" || { exec 9>/dev/null 8</dev/null && return; }
  "${0%/*}/streams.sh" keep "$T/log" $END <"$RUN/said" >"$RUN/heard" 2>/dev/null &
  exec 9>"$RUN/said" 8<"$RUN/heard"
}

heard() { # all of it is in the log; nobody waits for what a daemon may say yet
  (trap '' PIPE && printf %s $END >&9) 2>/dev/null
  read -r _ <&8
}

run() { # SECONDS PROGRAM WORDS...: in a session of its own, and ended when the time is over
  (
    limit=$1 && shift
    enlist module
    cd "$TREE" && exec $SESSION ${TIMER:+"$TIMER" -k 10 "$limit"} "$@"
  ) </dev/null >&9 2>&1 9>&- &
  wait $!
}

failed() { # WHAT RC: SAID are its last words
  heard
  W=$(tail -c 300 "$T/log" | tail -n 1)
  case $W in '-- '*) W= ;; esac # it said nothing
  [ -d "$TREE" ] || W="its tree is gone"
  SAID="$1 failed with $2: $W"
  return 1
}

module() { # STATE
  setting module-timeout 3600
  run "$W" "$MODULE" "$1" "$TREE" || failed "$1" $?
}

query() { # NAME ANSWERS...: W is what the module answers, in one line and as it may, or it fails
  name=$1 && shift
  # filled up, so that nobody waits for a daemon that holds the pipe; an answer without end is cut off
  W=$({ (cd "$TREE" && exec ${TIMER:+"$TIMER" -k 10 60} "$MODULE" "$name" "$TREE") </dev/null 2>&9 9>&-; printf '\n%s %256s' $? ''; } | head -c 256)
  rc=${W##*"$NL"} W=${W%"$NL"*}
  case ${rc%% *} in 0) ;; [1-9]*) failed "$name" "${rc%% *}" || return 1 ;; *) W=$rc ;; esac
  for word in '' "$@"; do [ "${W%"$NL"}" != "$word" ] || { W=$word && return; }; done
  SAID="$name was answered in a way that means nothing"
  return 1
}

list() { # STATE WHEN: LIST are the scripts of that moment, the device's first, each by name
  set +f
  set -- "$ETC/scripts/$1_$2"_* "$T/scripts/$1_$2"_*
  set -f
  LIST=
  for file; do
    W=${file##*/} file=${file#"$ROOT"}
    case $W in *[!A-Za-z0-9_.,+-]*) ;; *_*_[0-9][0-9] | *_*_[0-9][0-9]_*) LIST="$LIST $file" ;; esac
  done
}

scripts() { # STATE WHEN: the first that fails ends it; 21 means: later
  list "$1" "$2"
  for file in $LIST; do
    uptime && begun=$U
    while setting script-timeout 3600 && run "$W" "$ROOT$file"; rc=$? && [ $rc -eq 21 ]; do
      setting script-retry-limit 1800 && uptime # what it takes itself counts as well
      [ $((U - begun)) -lt "$W" ] || break
      setting script-retry-interval 60
      sleep "$W"
      begun=$((begun - 1)) # also without an interval it has an end
    done
    [ $rc -eq 0 ] || failed "${file##*/}" $rc || return 1
  done
}

errors() { words=$SAID && { scripts "$1" Error || :; } && SAID=$words && return 1; } # STATE: they change nothing any more

state() { # STATE: its Enter scripts, the module, its Leave scripts; the Error scripts where one failed
  scripts "$1" Enter && module "$1" && scripts "$1" Leave || errors "$1"
}

do_install() { # the module gets the payload as it wants it; an attempt that was cut off is cleaned up first
  recall
  [ -z "$STEP" ] || module Cleanup
  [ -d "$T/payload" ] || mv "$TREE/files" "$T/payload" || return 1
  rm -rf "$TREE/tmp" "$TREE/streams" "$TREE/stream-next"
  mkdir "$TREE/tmp" && record Download || { SAID="the module's tree cannot be written" && return 1; }
  scripts Download Enter || { record none && errors Download || return; }
  download && scripts Download Leave || errors Download
}

download() {
  query FilesAtDownload Yes No || return 1
  [ "$W" != Yes ] || { mv "$T/payload" "$TREE/files" && module Download; return; }
  query ProvidePayloadFileSizes Yes No || return 1
  SIZES=$W
  mkfifo -m 600 "$TREE/stream-next" && mkdir "$TREE/streams" || return 1
  rm -f "$T/streamed" "$T/started"
  "${0%/*}/streams.sh" feed "$T" "$SIZES" >/dev/null 2>&1 9>&- & # holds no stream of ours, whatever becomes of us
  feeder=$!
  case $SIZES in Yes) module DownloadWithFileSizes ;; *) module Download ;; esac
  rc=$?
  kill -9 $feeder 2>/dev/null
  wait $feeder 2>/dev/null
  rm -rf "$TREE/streams" "$TREE/stream-next"
  [ $rc -eq 0 ] || return 1
  [ -e "$T/started" ] || { mv "$T/payload" "$TREE/files" && return; }
  [ -e "$T/streamed" ] || { SAID="Download did not read its streams to their end" && return 1; }
}

do_activate() {
  rm -rf "$T/payload"
  state ArtifactInstall && query NeedsArtifactReboot Yes No Automatic || return 1
  case $W in Yes | Automatic) SAID=$W ;; esac
}

do_reboot() {
  query NeedsArtifactReboot Yes No Automatic && reboot=$W && scripts ArtifactReboot Enter || errors ArtifactReboot || return
  [ "$reboot" != Automatic ] || { restart && exit 3 || errors ArtifactReboot || return; }
  module ArtifactReboot || errors ArtifactReboot
}

restart() { # the system, once our answer is out; below a prefix its own program does it, if it has one
  program=$ROOT/sbin/reboot
  [ -x "$program" ] || { [ -n "$ROOT" ] && return; } || program=$(command -v reboot) || { SAID="there is no program reboot" && return 1; }
  [ -z "$ROOT" ] || { "$program" 9>&- && return; }
  $SESSION sh -c 'sleep 2; exec "$0"' "$program" </dev/null >/dev/null 2>&1 9>&- &
}

do_verify() { module ArtifactVerifyReboot && scripts ArtifactReboot Leave || errors ArtifactReboot; }

again() { # STEP: one that is finished after a loss of power, but not boot after boot where it takes the machine down
  recall && { [ "$STEP" = "$1" ] || TRIES=0 BEGUN=; }
  [ "$BEGUN" = "$BOOT" ] || TRIES=$((TRIES + 1))
  record "$1"
  [ $TRIES -le $TRIES_MAX ] || { SAID="$1 was cut off again and again" && return 1; }
}

do_commit() { # says whether there is something left to do once it is written down
  again commit || return
  scripts ArtifactCommit Enter && module ArtifactCommit || errors ArtifactCommit || return
  list ArtifactCommit Leave
  [ -z "$LIST" ] || SAID=leaving
}

do_left() { again left && { scripts ArtifactCommit Leave || errors ArtifactCommit; }; }

do_cleanup() { recall && { [ "$STEP" = none ] || module Cleanup; }; }

# Going back is written down step by step, and a step that was cut off is begun again, but for
# a reboot that came meanwhile. What fails on the way is remembered, and the rest done all the same.
do_back() {
  recall
  WHY='a step of going back failed before it was cut off'
  case $STEP in Artifact*) resume ;; *) plan_back ;; esac
  while [ "$STEP" != over ]; do "back_$STEP"; done
  record over
  [ -z "$BAD" ] || { SAID=$WHY && return 1; }
}

bad() { BAD=1 WHY=$SAID; }

plan_back() { # asked before anything of it is done
  BAD= TRIES=0 REBOOT= STEP=ArtifactFailure
  query SupportsRollback Yes No || { bad; return; }
  [ "$W" = Yes ] || { SAID="the module $TYPE does not support rollback" && bad; return; }
  STEP=ArtifactRollback
  query NeedsArtifactReboot Yes No Automatic && REBOOT=$W || bad
}

resume() { # the step that was cut off
  if [ "$STEP" = ArtifactRollbackReboot ]; then
    [ "$BEGUN" = "$BOOT" ] || { STEP=ArtifactVerifyRollbackReboot && return; }
    [ "$REBOOT" != Automatic ] || [ $((U - SINCE)) -gt 300 ] || exit 3
  fi
  TRIES=$((TRIES + 1))
  [ $TRIES -gt $TRIES_MAX ] || return
  SAID="$STEP was cut off again and again" && bad
  [ "$STEP" = ArtifactFailure ] && STEP=over || STEP=ArtifactFailure
  TRIES=0
}

back_ArtifactRollback() {
  record ArtifactRollback
  scripts ArtifactRollback Enter || bad
  STEP=ArtifactFailure
  if module ArtifactRollback; then
    case $REBOOT in Yes | Automatic) STEP=ArtifactRollbackReboot ;; esac
  else
    bad
  fi
  scripts ArtifactRollback Leave || bad
  TRIES=0
}

back_ArtifactRollbackReboot() { # whether it worked is what the next step says
  record ArtifactRollbackReboot
  [ $TRIES -gt 0 ] || scripts ArtifactRollbackReboot Enter || { bad; record ArtifactRollbackReboot; }
  case $REBOOT in Automatic) restart && exit 3 ;; *) module ArtifactRollbackReboot ;; esac
  STEP=ArtifactVerifyRollbackReboot
}

back_ArtifactVerifyRollbackReboot() {
  record ArtifactVerifyRollbackReboot
  STEP=ArtifactFailure
  if module ArtifactVerifyRollbackReboot; then
    scripts ArtifactRollbackReboot Leave || { bad; errors ArtifactRollbackReboot; }
  elif [ $((TRIES = TRIES + 1)) -le $TRIES_MAX ]; then
    STEP=ArtifactRollbackReboot && return
  else
    bad
  fi
  TRIES=0
}

back_ArtifactFailure() {
  record ArtifactFailure
  scripts ArtifactFailure Enter || bad
  module ArtifactFailure || bad
  scripts ArtifactFailure Leave || bad
  STEP=over
}

enlist executor
echo "-- $VERB" 2>/dev/null >>"$T/log"
hear 2>/dev/null
case $VERB in
  install | activate | reboot | verify | commit | left | back | cleanup) "do_$VERB" ;;
  *) SAID="there is no verb $VERB" && false ;;
esac
rc=$?
heard # whoever asks why it went back asks when that is over
[ -z "$SAID" ] || echo "$SAID"
exit $rc
