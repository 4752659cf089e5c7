#!/bin/sh
# Puts a bundle into an image: `sh install.sh [ROOT]`, as root, with `rollout-device.tar` beside it.
# ROOT is the directory of the image's root file system; nothing of the image is run. The same text
# is the Debian package's `preinst` and `postinst`, before and after its files are unpacked.
#
# Makes the account that stands in the record, without a password. Its home and the key that opens it
# are root's: whoever has the account lays no link there that the next unpacking would follow.
# shellcheck shell=sh disable=SC2015  # `a && b || stop` is meant
set -fu
LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 022

stop() { # WORDS
  echo "install.sh: $*" >&2
  exit 1
}

found() { # FILE NAME: LINE is the line of that account or group, its second colon on
  LINE=''
  while IFS=: read -r name _ rest; do
    if [ "$name" = "$2" ]; then LINE=$rest && return 0; fi
  done <"$1"
  return 1
}

free_id() { # ID is the highest of the system's ids that nobody has
  ID=999
  while cut -d: -f3 "$R/etc/passwd" "$R/etc/group" | grep -qx "$ID"; do
    ID=$((ID - 1))
    [ "$ID" -ge 100 ] || stop there is no free id for the account
  done
}

append() { # FILE LINE
  [ -e "$1" ] || return 0
  [ -z "$(tail -c 1 "$1")" ] || echo >>"$1"
  printf '%s\n' "$2" >>"$1" || stop "$1 cannot be written"
}

account() { # USER HOME: makes it, or finds the one of an earlier time; ID and GROUP are its numbers
  [ -f "$R/etc/passwd" ] && [ -f "$R/etc/group" ] || stop "${R:-/} has no /etc/passwd or no /etc/group"
  if found "$R/etc/passwd" "$1"; then
    ID=${LINE%%:*} LINE=${LINE#*:}
    GROUP=${LINE%%:*}
    case $LINE in *":$2:/bin/sh") return 0 ;; esac
    stop "the account $1 is somebody else's; make the bundle for another --user"
  fi
  ! found "$R/etc/group" "$1" || stop "there is a group $1 already; make the bundle for another --user"
  free_id
  GROUP=$ID
  append "$R/etc/group" "$1:x:$ID:"
  append "$R/etc/gshadow" "$1:!::"
  append "$R/etc/passwd" "$1:x:$ID:$ID::$2:/bin/sh"
  append "$R/etc/shadow" "$1:*:::::::" # no password fits `*`, and unlike `!` it does not count as locked
}

take_home() { # before anything is unpacked: on a device it was the account's, which may have laid links
  for path in "$R$home" "$R$home/.ssh" "$R$home/.ssh/authorized_keys"; do
    [ ! -L "$path" ] || stop "$path is a symbolic link: look where it leads and remove it"
    [ ! -e "$path" ] || chown -h 0:0 "$path" || stop "$path cannot be taken over"
    [ ! -d "$path" ] || chmod 755 "$path" || stop "$path cannot be closed"
  done
}

home=/var/lib/rollout/home
tarball=''
case ${1-} in
  install | upgrade)
    R=${DPKG_ROOT-}
    take_home
    exit 0
    ;;
  configure) R=${DPKG_ROOT-} ;;
  abort-* | triggered) exit 0 ;;
  *)
    R=${1-} R=${R%/}
    [ -d "$R/" ] || stop "there is no directory $R"
    case $0 in */*) tarball=${0%/*}/rollout-device.tar ;; *) tarball=rollout-device.tar ;; esac
    ;;
esac
if [ -n "$tarball" ]; then
  record=$(tar -xOf "$tarball" ./etc/rollout/enrolled) || stop the bundle cannot be read
else
  record=$(cat "$R/etc/rollout/enrolled") || stop the bundle is not unpacked
fi
USER_NAME=''
while read -r key how who; do
  [ "$key $how" != "account created" ] || USER_NAME=$who
done <<RECORD
$record
RECORD
[ -n "$USER_NAME" ] || stop the bundle names no account
account "$USER_NAME" "$home" # before anything is unpacked: it may refuse
if [ -n "$tarball" ]; then
  take_home
  tar -xpf "$tarball" -C "$R/" || stop the bundle cannot be unpacked
fi
chown -h "$ID:$GROUP" "$R/var/lib/rollout/spool" || stop "the spool cannot be given to $USER_NAME"
[ -n "$R" ] || [ ! -d /run/systemd/system ] || systemctl daemon-reload
exit 0
