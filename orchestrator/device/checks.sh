#!/bin/sh
# The built-in health checks of a device: looks at one thing, says what it found.
#
#   checks.sh KIND:ARGUMENT...   as a plan asks, `service:gatewayd`, `disk:/var:104857600`
#   checks.sh /PATH/NAME.check   as the device's owner defines it, one line: `service gatewayd`
#
#   service NAME     the service manager calls it running       value: its state
#   process NAME     a process of that name lives               value: how many
#   port N           something listens on TCP port N            value: how many
#   http URL         a page on loopback answers with 2xx        value: the status
#   file PATH        the file is there                          value: its size in bytes
#   disk PATH MIN    so much space is free                      value: free bytes
#   load MAX         the load of one minute is at most that     value: the load
#
# Exit 0: yes, 1: no, each with one line `{"value": ...}`; 127: it cannot be told, and why.
# It writes nothing, and runs nothing of what it is given: words are only compared, looked up or
# handed over as single arguments. Contract: docs/reference/device-protocol.md. It runs in dash,
# busybox ash and bash, as the user of the helper.
# shellcheck disable=SC2015,SC2086

set -fu
LC_ALL=C
export LC_ALL
ROOT=${ROLLOUT_ROOT-}
ROOTS='/data /etc /home /mnt /opt /run /srv /tmp /usr /var' # where `file` may look
LIMIT_S=10 # of one request to the device's own loopback

unable() { echo "$1" && exit 127; } # WHY: no evidence either way

found() { # VALUE-AS-JSON, then the exit code of what came before as the verdict
  printf '{"value": %s}\n' "$1"
  exit "$2"
}

plain() { # TEXT CHARACTERS: is it one word of such characters that cannot be an option
  case $1 in '' | -* | *..*) return 1 ;; esac
  case $1 in *[!$2]*) return 1 ;; esac
  [ ${#1} -le 200 ]
}

number() { # TEXT: is it a whole number that shell arithmetic takes
  case $1 in 0) ;; '' | 0* | *[!0-9]*) return 1 ;; esac
  [ ${#1} -le 15 ]
}

there() { # COMMAND: is there such a program
  command -v "$1" >/dev/null 2>&1
}

service() { # NAME
  plain "$1" 'A-Za-z0-9:_.@-' || unable "this is no name of a service"
  if [ -d "$ROOT/run/systemd/system" ] && there systemctl; then
    state=$(systemctl is-active -- "$1" 2>/dev/null </dev/null)
    code=$?
    # 3: not active, 4: no such unit; anything else: the manager did not answer
    case $code in 0) ;; 3 | 4) code=1 ;; *) unable "systemctl does not answer" ;; esac
  elif there rc-service; then
    rc-service "$1" status >/dev/null 2>&1 </dev/null
    code=$? state=started
    [ $code -eq 0 ] || code=1 state=stopped
  elif there sv; then
    state=$(sv status "$1" 2>/dev/null </dev/null)
    case $state in run:*) code=0 ;; *) code=1 ;; esac
    state=${state%%:*}
  else
    unable "no service manager that this check knows is here"
  fi
  case $state in '' | *[!a-z-]*) state=unknown ;; esac
  found "\"$state\"" $code
}

process() { # NAME: by the name of the program, of which the kernel keeps 15 characters
  plain "$1" 'A-Za-z0-9_.@+:-' || unable "this is no name of a process"
  [ -r "$ROOT/proc/loadavg" ] && proc=$ROOT/proc || proc=/proc
  head=$1 count=0
  while [ ${#head} -gt 15 ]; do head=${head%?}; done
  set +f
  set -- "$1" "$proc"/[0-9]*
  set -f
  name=$1
  shift
  for p; do
    comm='' stat=''
    read -r comm 2>/dev/null <"$p/comm" && [ "$comm" = "$head" ] || continue
    read -r stat 2>/dev/null <"$p/stat" || continue
    case ${stat##*) } in Z* | X*) continue ;; esac # dead, and not yet buried
    [ "$head" = "$name" ] || is_run_as "$p" "$name" || continue
    count=$((count + 1))
  done
  [ $count -gt 0 ]
  found $count $?
}

is_run_as() { # PROC NAME: is that the name it was started by
  argv0=$(tr '\0' '\n' 2>/dev/null <"$1/cmdline" | head -n 1)
  [ "${argv0##*/}" = "$2" ]
}

port() { # NUMBER
  number "$1" && [ "$1" -ge 1 ] && [ "$1" -le 65535 ] || unable "this is no TCP port"
  [ -r "$ROOT/proc/net/tcp" ] && proc=$ROOT/proc || proc=/proc
  [ -r "$proc/net/tcp" ] || unable "/proc/net/tcp cannot be read"
  wanted=$(printf %04X "$1") count=0
  for table in "$proc/net/tcp" "$proc/net/tcp6"; do
    [ -r "$table" ] || continue
    while read -r _ local _ state _; do
      # 0A: listening
      [ "${local##*:} $state" != "$wanted 0A" ] || count=$((count + 1))
    done <"$table"
  done
  [ $count -gt 0 ]
  found $count $?
}

http() { # URL or HOST:PORT/PATH, of this device's own loopback
  url=${1#http://}
  plain "$url" 'A-Za-z0-9_.:/@+=?&%~,-' || unable "this is no address that may be asked"
  place=${url%%/*} path=/${url#*/}
  [ "$place" != "$url" ] || path=/
  host=${place%%:*} at=80
  [ "$host" = "$place" ] || at=${place#*:}
  case $host in
    127.0.0.1 | localhost) ;;
    *) unable "only 127.0.0.1 and localhost may be asked" ;;
  esac
  number "$at" && [ "$at" -ge 1 ] && [ "$at" -le 65535 ] || unable "this is no TCP port"
  status=$(http_status "$at" "$path")
  case $? in 126) unable "there is no curl, nc or bash to ask with" ;; esac
  case $status in
    2??) found "$status" 0 ;;
    [1345]??) found "$status" 1 ;;
    *) found 0 1 ;; # nobody answers, or not in HTTP
  esac
}

http_status() { # PORT PATH: prints the status of the answer, without following where it leads
  if there curl; then
    curl -q -s -o /dev/null -w '%{http_code}' --noproxy '*' --max-time $LIMIT_S --max-filesize 1048576 \
      -- "http://127.0.0.1:$1$2" </dev/null 2>/dev/null
    return 0
  fi
  text="GET $2 HTTP/1.0
Host: localhost:$1
Connection: close

"
  if there nc; then
    answer=$(printf '%s' "$text" | nc -w $LIMIT_S 127.0.0.1 "$1" 2>/dev/null | head -n 1 | head -c 100)
  elif there bash; then
    answer=$(printf '%s' "$text" | bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" && cat >&3 && head -n 1 <&3' - "$1" 2>/dev/null | head -c 100)
  else
    return 126
  fi
  case $answer in HTTP/1.?' '[1-5][0-9][0-9]*) answer=${answer#* } && echo "${answer%"${answer#???}"}" ;; esac
}

file() { # PATH
  where "$1"
  [ -f "$at" ] || found 0 1
  size=$(wc -c 2>/dev/null <"$at") || size=0 # there, but not for this user to read
  found $((size)) 0
}

where() { # PATH: `at` is what it leads to, which must lie below a root that may be looked at
  case $1 in /*) ;; *) unable "a path begins with /" ;; esac
  plain "$1" 'A-Za-z0-9_.@+/-' || unable "this is no path that may be looked at"
  base=$(readlink -f -- "$ROOT/") && base=${base%/}
  at=$(readlink -f -- "$ROOT$1" 2>/dev/null) || at=
  [ -n "$at" ] || at=$base$1 # not there: nothing leads anywhere
  for root in $ROOTS; do
    case $at in "$base$root"/*) return ;; esac
  done
  unable "files there may not be looked at"
}

disk() { # PATH MIN
  case $1 in /*) ;; *) unable "a path begins with /" ;; esac
  plain "$1" 'A-Za-z0-9_.@+/-' || unable "this is no path"
  bytes "${2-}"
  free=$(df -Pk -- "$ROOT$1" 2>/dev/null | { read -r _ && read -r _ _ _ free _ && echo "$free"; })
  number "$free" || unable "df does not know that path"
  free=$((free * 1024))
  [ $free -ge $want ]
  found $free $?
}

bytes() { # TEXT: `want` is that size in bytes
  want=${1%[KMG]iB} unit=1
  case $1 in *KiB) unit=1024 ;; *MiB) unit=1048576 ;; *GiB) unit=1073741824 ;; esac
  number "$want" && { [ $unit -eq 1 ] || [ ${#want} -le 6 ]; } ||
    unable "the least free space is a number of bytes, or as 100MiB"
  want=$((want * unit))
}

load() { # MAX
  case $1 in '' | .* | *. | *.*.* | *[!0-9.]*) unable "the highest load is a number" ;; esac
  [ ${#1} -le 10 ] || unable "the highest load is a number"
  now=
  read -r now _ 2>/dev/null <"$ROOT/proc/loadavg" || read -r now _ 2>/dev/null </proc/loadavg
  case $now in '' | *[!0-9.]*) unable "/proc/loadavg cannot be read" ;; esac
  awk -v "now=$now" -v "most=$1" 'BEGIN { exit !(now + 0 <= most + 0) }'
  found "$now" $?
}

definition() { # FILE: `words` are those of its only line
  words=''
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in '' | '#'*) continue ;; esac
    [ -z "$words" ] && [ ${#line} -le 300 ] || unable "the definition is not one short line"
    words=$line
  done <"$1"
}

main() { # KIND ARGUMENTS...
  case $# in 2 | 3) ;; *) unable "the definition is not a kind and what it looks at" ;; esac
  case $1:$# in
    service:2 | process:2 | port:2 | http:2 | file:2 | disk:3 | load:2) "$@" ;;
    *) unable "there is no built-in check of that form" ;;
  esac
}

case ${1-} in
  /*)
    definition "$1"
    main $words
    ;;
  http:*) main http "${1#http:}" ;; # the colons of an address are its own
  *:*)
    W=${1#*:}
    case $1 in
      service:* | process:*) main "${1%%:*}" "$W" ;;
      *:*:*) main "${1%%:*}" "${W%%:*}" "${W#*:}" ;;
      *) main "${1%%:*}" "$W" ;;
    esac
    ;;
  *) unable "there is no built-in check of that form" ;;
esac
