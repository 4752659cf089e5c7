# Enrols a device, or releases it: one program, run as root over an ordinary SSH connection.
#
# Stdin, in this order; nothing of it is ever executed or expanded:
#   set KEY VALUE                      VALUE of [A-Za-z0-9._:@+-], `key-blob` also / and =
#   file NAME MODE SHA256 LINES        then, when applying, LINES of base64
#   run look|apply enrol|release
# Stdout: `ACTION SUBJECT TARGET` lines (same, create, change, remove), `problem WORDS`, `holds KIND
# BASE64` for the host's certificate that was placed before, then
# `end RC SHA256`. `look` changes nothing, not even a temporary file.
#
# What was written stands in /etc/rollout/enrolled, so that a release removes that and no more.
# shellcheck shell=sh disable=SC2015,SC2086,SC2094  # `a && b || stop` is meant; ls is split
set -fu
LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 022
NL='
'
LIB=/usr/lib/rollout ETC=/etc/rollout VAR=/var/lib/rollout RECORD=/etc/rollout/enrolled
CERT=/etc/rollout/host-cert.pub SHOWN=/etc/ssh/sshd_config.d/rollout.conf
DOAS=/etc/doas.conf STEP="^permit nopass [^ ]+ as root cmd $LIB/core\$"
OUT='' PROBLEMS=0 FILES='' TMP='' RECORDED=''
S_user='' S_type='' S_id='' S_algorithm='' S_blob='' S_comment=rollout S_ca='' S_ca_blob=''
S_fleet='' S_version='' S_needs='' S_lacks='' NEWER=''
trap '[ -z "$TMP" ] || rm -rf "$TMP"' EXIT

say() { OUT="$OUT$*$NL"; }

problem() {
  say problem "$@"
  PROBLEMS=1
}

has() { [ -n "$(command -v "$1")" ]; } # PROGRAM

finish() { # RC
  sum=$(printf %s "$OUT" | sha256sum)
  printf '%send %s %s\n' "$OUT" "$1" "${sum%% *}"
  exit 0
}

stop() { # WORDS: something that cannot be continued from
  problem "$@"
  finish 74
}

fits() { # VALUE EXTRA: is it of the characters that values may have
  case $1 in '') return 1 ;; esac
  case $1 in *[!A-Za-z0-9._:@+"$2"-]*) return 1 ;; esac
  [ ${#1} -le 1000 ]
}

# --- input ---

receive() {
  while IFS=' ' read -r kind name a b c; do
    case $kind in
      set) receive_setting "$name" "$a" ;;
      file) receive_file "$name" "$a" "$b" "$c" ;;
      run) MODE=$name TASK=$a && return 0 ;;
      *) stop the input is malformed ;;
    esac
  done
  stop the input ended early
}

receive_setting() { # KEY VALUE
  case $1 in
    key-blob | ca-blob) fits "$2" /= || stop the key is malformed ;;
    *) fits "$2" '' || stop "$1" has characters that it may not have ;;
  esac
  case $1 in
    user) S_user=$2 ;; device-type) S_type=$2 ;; device-id) S_id=$2 ;;
    key-algorithm) S_algorithm=$2 ;; key-blob) S_blob=$2 ;; key-comment) S_comment=$2 ;;
    ca-algorithm) S_ca=$2 ;; ca-blob) S_ca_blob=$2 ;;
    root-fleet) S_fleet=$2 ;; root-version) S_version=$2 ;; root-needs) S_needs=$2 ;; root-lacks) S_lacks=$2 ;;
    *) stop "the setting $1 is unknown" ;;
  esac
}

receive_file() { # NAME MODE SHA256 LINES
  case $1 in
    helper.sh | executor.sh | trust.sh | checks.sh | report.sh | delta.sh | streams.sh | core | root.txt | host-cert.pub | modules/* | keys/*.pem | health.d/*) ;;
    launch/* | elevate/* | boot/*) ;; # kinds of one file: the device takes the one that fits
    *) stop "the file $1 has no place" ;;
  esac
  case ${1#*/} in *[!A-Za-z0-9._-]* | [.-]* | '') stop "the file name $1 is not allowed" ;; esac
  case $2 in 644 | 755) ;; *) stop "the mode $2 is not allowed" ;; esac
  FILES="$FILES$1 $2 $3$NL"
  [ "$4" -gt 0 ] || return 0
  [ -n "$TMP" ] || TMP=$(mktemp -d) || stop there is no room for temporary files
  mkdir -p "$TMP/${1%/*}.d" || stop there is no room for temporary files
  left=$4
  while [ "$left" -gt 0 ] && IFS= read -r line; do
    printf '%s\n' "$line"
    left=$((left - 1))
  done | if has openssl; then openssl base64 -d; else base64 -d; fi >"$TMP/${1%/*}.d/${1##*/}" || stop "$1 did not arrive"
  sum=$(sha256sum <"$TMP/${1%/*}.d/${1##*/}")
  [ "${sum%% *}" = "$3" ] || stop "$1 did not arrive whole"
}

# --- wishes: each says what differs and, when applying, makes it so ---

perms() { # PATH: P are its mode as ls writes it, and its owner
  P=$(ls -ldn "$1" 2>/dev/null) || P=''
  set -- $P
  [ $# -ge 3 ] && P="$(printf %.10s "$1") $3" || P=''
}

letters() { # MODE TYPE: P is the mode as ls writes it
  case $1 in
    755) P=rwxr-xr-x ;; 700) P=rwx------ ;; 644) P=rw-r--r-- ;; 600) P=rw------- ;; 440) P=r--r----- ;;
  esac
  P=$2$P
}

own_dir() { # PATH MODE USER
  owner=$(id -u "$3" 2>/dev/null) || owner=new
  letters "$2" d && wish="$P $owner"
  perms "$1"
  if [ "$P" = "$wish" ]; then say same dir "$1"; else
    action=change
    [ -d "$1" ] || action=create
    [ ! -L "$1" ] || stop "$1 is a symbolic link"
    say $action dir "$1"
    if [ "$MODE" = apply ]; then
      mkdir -p "$1" && chmod "$2" "$1" && chown "$3" "$1" || stop "$1 cannot be made"
    fi
  fi
  RECORDED="${RECORDED}dir $1$NL"
}

own_file() { # PATH MODE SHA256, content on stdin: a file of root
  letters "$2" - && wish="$P 0"
  perms "$1"
  RECORDED="${RECORDED}file $1$NL"
  sum=none
  [ ! -f "$1" ] || sum=$(sha256sum <"$1")
  if [ "$P ${sum%% *}" = "$wish $3" ]; then
    action=same
    say same file "$1"
    return 0
  fi
  action=change
  [ -e "$1" ] || [ -L "$1" ] || action=create
  say $action file "$1"
  [ "$MODE" = apply ] || return 0
  cat >"$1.new" && chmod "$2" "$1.new" && chown 0:0 "$1.new" && mv -f "$1.new" "$1" ||
    stop "$1 cannot be written"
}

own_kind() { # NAME PATH MODE: a file of several kinds
  sum=$NL$FILES
  sum=${sum#*"$NL$1 644 "}
  source=/dev/null
  [ "$MODE" != apply ] || source=$TMP/${1%/*}.d/${1##*/}
  own_file "$2" "$3" "${sum%%"$NL"*}" <"$source"
}

own_text() { # PATH MODE TEXT
  sum=$(printf '%s\n' "$3" | sha256sum)
  own_file "$1" "$2" "${sum%% *}" <<TEXT
$3
TEXT
}

drop() { # PATH: a file or an empty directory
  [ -e "$1" ] || [ -L "$1" ] || return 0
  say remove "$2" "$1"
  [ "$MODE" = apply ] || return 0
  if [ -d "$1" ] && [ ! -L "$1" ]; then rmdir "$1" 2>/dev/null || :; else rm -f "$1" || stop "$1 cannot be removed"; fi
}

recorded() { # KEY: R is the rest of the first line of the record with that key
  R=''
  [ -f "$RECORD" ] || return 1
  while read -r key rest; do
    if [ "$key" = "$1" ]; then R=$rest && return 0; fi
  done <"$RECORD"
  return 1
}

# --- the account ---

account() { # HOME_DIR, and whether the account is there
  HOME_DIR='' SHELL_OF=''
  while IFS=: read -r name _ _ _ _ home shell; do
    if [ "$name" = "$S_user" ]; then HOME_DIR=$home SHELL_OF=$shell; fi
  done </etc/passwd
  case $HOME_DIR in *[!A-Za-z0-9._/-]*) stop "the home directory of $S_user has characters that are not expected" ;; esac
  [ -n "$HOME_DIR" ]
}

want_account() {
  created=existing
  recorded account && created=${R%% *}
  if account; then
    say same account "$S_user"
    case $SHELL_OF in */nologin | */false) problem "the account $S_user has no shell: forced commands need one" ;; esac
  else
    created=created HOME_DIR=$VAR/home
    say create account "$S_user"
    [ "$MODE" = apply ] && make_account
  fi
  RECORDED="${RECORDED}account $created $S_user$NL"
}

make_account() { # no password fits `*`, and unlike `!` it does not count as locked for sshd
  if command -v useradd >/dev/null; then
    useradd -r -M -d "$HOME_DIR" -s /bin/sh -p '*' "$S_user" >/dev/null 2>&1
  else
    adduser -S -D -H -h "$HOME_DIR" -s /bin/sh "$S_user" >/dev/null 2>&1 &&
      { ! command -v chpasswd >/dev/null || echo "$S_user:*" | chpasswd -e >/dev/null 2>&1; }
  fi || stop "the account $S_user cannot be made"
}

remove_account() {
  recorded account || return 0
  [ "${R%% *}" = created ] || { say same account "${R#* }" && return 0; }
  S_user=${R#* }
  account || return 0
  say remove account "$S_user"
  [ "$MODE" = apply ] || return 0
  if command -v userdel >/dev/null; then userdel "$S_user"; else deluser "$S_user"; fi >/dev/null 2>&1 ||
    stop "the account $S_user cannot be removed"
}

# --- the login key ---

key_file() { # K is the authorized_keys file of the user
  K=$HOME_DIR/.ssh/authorized_keys
  [ "$S_user" != root ] || [ ! -d /etc/dropbear ] || [ -x /usr/sbin/sshd ] || K=/etc/dropbear/authorized_keys
}

restrictions() { # R: old Dropbears refuse a line with an option they do not know
  R=restrict
  [ ! -x /usr/sbin/sshd ] || return 0
  v=$(dropbear -V 2>&1) || return 0
  v=${v##*v}
  v=${v%%.*}
  case $v in '' | *[!0-9]*) return 0 ;; esac
  [ "$v" -ge 2022 ] || R=no-port-forwarding,no-agent-forwarding,no-X11-forwarding,no-pty
}

without_ours() { # FILE: prints the lines of it that are not ours
  [ -f "$1" ] || return 0
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in *'command="/usr/lib/rollout/launch"'*) ;; *) printf '%s\n' "$line" ;; esac
  done <"$1"
}

plain_keys() { # the account may lay links there: root neither reads nor writes where they lead
  [ ! -L "${K%/*}" ] && [ ! -L "$K" ] || stop "$K is a symbolic link, or lies behind one"
}

want_login_key() {
  key_file
  plain_keys
  restrictions
  wish="$R,command=\"$LIB/launch\" $S_algorithm $S_blob $S_comment" door=line
  if [ -n "$S_ca_blob" ] && [ -x /usr/sbin/sshd ]; then # Dropbear knows no certificates: there the key stays
    door=authority
    wish="restrict,cert-authority,principals=\"rollout\",command=\"$LIB/launch\" $S_ca $S_ca_blob $S_comment"
  fi
  RECORDED="${RECORDED}login $K$NL"
  if [ ! -d "${K%/*}" ] || { recorded made && [ "$R" = "${K%/*}" ]; }; then
    RECORDED="${RECORDED}made ${K%/*}$NL"
  fi
  if [ -f "$K" ] && [ "$(grep -cF 'command="/usr/lib/rollout/launch"' "$K")" = 1 ] && grep -qxF "$wish" "$K"; then
    say same $door "$K" && return 0
  fi
  action=change
  [ -f "$K" ] && grep -qF 'command="/usr/lib/rollout/launch"' "$K" || action=create
  say $action $door "$K"
  [ "$MODE" = apply ] || return 0
  [ -d "$HOME_DIR" ] || { mkdir -p "$HOME_DIR" && chmod 755 "$HOME_DIR" && chown "$S_user" "$HOME_DIR"; }
  [ -d "${K%/*}" ] || { mkdir -m 700 "${K%/*}" && chown -h "$S_user" "${K%/*}"; } ||
    stop "${K%/*} cannot be made"
  write_keys "$wish"
}

write_keys() { # LINE or nothing: the other lines stay as they are
  # noclobber makes files anew only; from within, no part of the path can be exchanged any more
  (
    set -C
    umask 077
    dir=${K%/*} name=${K##*/}
    home=$(cd -P "${dir%/*}" && pwd) && cd -P "$dir" && [ "$(pwd)" = "${home%/}/${dir##*/}" ] &&
      [ ! -L "$name" ] && rm -f "$name.rollout" &&
      { without_ours "$name"; [ -z "$1" ] || printf '%s\n' "$1"; } >"$name.rollout" &&
      chown -h "$S_user" "$name.rollout" && mv -f "$name.rollout" "$name"
  ) || stop "$K cannot be written"
}

remove_login_key() {
  recorded login || return 0
  K=$R
  plain_keys
  recorded account && S_user=${R#* }
  [ -f "$K" ] && grep -qF 'command="/usr/lib/rollout/launch"' "$K" || return 0
  say remove line "$K"
  [ "$MODE" = apply ] || return 0
  write_keys ''
  if [ ! -s "$K" ]; then rm -f "$K"; fi
  ! recorded made || rmdir "$R" 2>/dev/null
}

# --- the step to root, for the core alone ---

elevation() { # E is the kind of the step, EF its file; or EL, a file of others that gets a line
  E=root EF='' EL=''
  [ "$S_user" != root ] || return 0
  if command -v sudo >/dev/null && [ -d /etc/sudoers.d ]; then
    E=sudo EF=/etc/sudoers.d/rollout
  elif command -v doas >/dev/null && [ -d /etc/doas.d ]; then
    E=doas EF=/etc/doas.d/rollout.conf
  elif command -v doas >/dev/null && [ -f $DOAS ] && [ ! -L $DOAS ]; then
    E=doas EL=$DOAS # Debian's reads no other
  else
    problem there is neither sudo with /etc/sudoers.d nor doas with /etc/doas.d or $DOAS: log in as root instead
  fi
}

want_elevation() {
  [ -n "$EL" ] || remove_step
  [ -z "$EL" ] || want_step "permit nopass $S_user as root cmd $LIB/core"
  [ -n "$EF" ] || return 0
  if [ "$MODE" = apply ] && [ $E = sudo ]; then
    visudo -cqf "$TMP/elevate.d/sudo" >/dev/null 2>&1 || stop visudo does not accept what would be written
  fi
  own_kind "elevate/$E" "$EF" 440
}

want_step() { # LINE in doas.conf: the last rule that fits decides
  RECORDED="${RECORDED}step $EL$NL"
  if [ "$(grep -cE "$STEP" "$EL")" = 1 ] && grep -qxF "$1" "$EL"; then
    say same line "$EL" && return 0
  fi
  action=change
  grep -qE "$STEP" "$EL" || action=create
  say $action line "$EL"
  [ "$MODE" != apply ] || write_step "$EL" "$1"
}

write_step() { # FILE and LINE or nothing: the other lines, the mode and the owner stay as they are
  cp -p "$1" "$1.rollout" && {
    grep -vE "$STEP" "$1" || :
    [ -z "$2" ] || printf '%s\n' "$2"
  } >"$1.rollout" && doas -C "$1.rollout" >/dev/null 2>&1 && mv -f "$1.rollout" "$1" || {
    rm -f "$1.rollout"
    stop "$1 cannot be written, or doas does not accept what would be written"
  }
}

remove_step() {
  recorded step || return 0
  [ -f "$R" ] && grep -qE "$STEP" "$R" || return 0
  say remove line "$R"
  [ "$MODE" != apply ] || write_step "$R" ''
}

# --- the trust root ---

root_of() { # FILE: F is the fleet of that root, V its version
  F='' V=''
  { read -r _ && read -r _ F && read -r _ V; } 2>/dev/null <"$1"
  case $V in '' | *[!0-9]*) V=0 ;; esac
}

want_root() { # it replaces none of another fleet, and no later one; without a wish the device keeps its own
  if [ -z "$S_fleet" ]; then
    [ -f "$RECORD" ] && grep -qxF "file $ETC/root.txt" "$RECORD" && RECORDED="${RECORDED}file $ETC/root.txt$NL"
    return 0
  fi
  case $S_version in '' | *[!0-9]*) stop the version of the root is malformed ;; esac
  for file in "$ETC/root.txt" "$VAR/floors/root.txt"; do
    [ -e "$file" ] || continue
    root_of "$file"
    [ "$F" = "$S_fleet" ] || problem "the device has a trust root of the fleet $F: release it first"
    [ "$file" = "$ETC/root.txt" ] && [ "$V" -ge "$S_version" ] || continue
    sum=$(sha256sum <"$file")
    wish=${FILES#*"root.txt 644 "} # the digest of what is to be placed
    [ "${wish%%"$NL"*}" = "${sum%% *}" ] || problem "the device has version $V of the trust root already"
  done
}

# --- what will check signatures ---

rungs() { # W is what this device has for that, as trust.sh says it
  W=''
  ! has openssl || W=,openssl
  case $(openssl pkeyutl -help 2>&1) in *-rawin*) W=$W,openssl-ed25519 ;; esac
  ! has base64 || for tool in usign signify-openbsd signify; do case $($tool -h 2>&1 </dev/null) in *' -V'*) W=$W,$tool ;; esac; done
  case $(ssh-keygen -Y verify 2>&1) in *'Too few'*) ! has base64 || W=$W,ssh-keygen ;; esac
  W=${W#,}
}

want_rungs() {
  rungs
  say same verifier "${W:-none}"
  case $W in
    '') problem the device has no openssl, and none that stands in for it: the ssh-keygen of OpenSSH 8.1, usign or signify, each with base64 ;;
    *openssl*) [ "$S_needs$W" != ed25519openssl ] ||
      problem the trust root needs Ed25519, and the device has neither OpenSSL 3, usign, signify nor OpenSSH 8.1 ;;
    *) [ -n "$S_fleet" ] || [ -e "$ETC/root.txt" ] ||
      problem without openssl only releases with a ticket can be checked: enrol the device with a trust root ;;
  esac
  case $W in '' | *openssl* | *ssh-keygen*) ;; *) want_ed25519 ;; esac
}

want_ed25519() { # the device counts no other keys: they must do for every role of the root that will count
  newest=${S_version:-0} lacks=$S_lacks
  for file in "$ETC/root.txt" "$VAR/floors/root.txt"; do
    root_of "$file"
    [ "$V" -le "$newest" ] || newest=$V lacks=$(lacks_of "$file")
  done
  for role in root release build; do
    case +$lacks+ in *"+$role+"*)
      problem "the trust root has too few Ed25519 keys of the role $role, and with $W the device counts no others: rotate it to one that has more" ;;
    esac
  done
}

lacks_of() { # FILE: the roles of that root whose thresholds its Ed25519 keys do not reach
  awk '
    /^threshold-/ { need[substr($1, 11)] = $2 }
    /^key / { has[$2] += $3 == "ed25519" }
    END { for (role in need) if (has[role] < need[role]) printf "%s+", role }' "$1"
}

# --- the boot hook ---

hook() { # H is what /etc/rollout/deadman says, HK the kind of the hook, HF its file, HM the file's mode
  H=init HM=755 HF=/etc/init.d/rollout-boot
  if [ -d /run/systemd/system ]; then
    H=systemd HK=systemd HF=/etc/systemd/system/rollout-boot.service HM=644
  elif [ -f /etc/rc.common ]; then
    HK=procd
  elif [ -x /sbin/openrc-run ]; then
    HK=openrc
  elif [ -d /etc/init.d ]; then
    HK=init
    command -v update-rc.d >/dev/null || HF=/etc/init.d/S15rollout-boot
  elif [ -d /etc/cron.d ]; then
    H=cron HK=cron HF=/etc/cron.d/rollout-boot HM=644
  else
    problem there is no systemd, init or cron to run the boot hook
  fi
}

want_hook() {
  own_kind "boot/$HK" "$HF" "$HM"
  RECORDED="${RECORDED}hook $H$NL"
  [ "$MODE" = apply ] && [ "$action" != same ] || return 0
  case $H in
    systemd) systemctl daemon-reload && systemctl -q enable rollout-boot.service ;;
    init)
      if [ -f /etc/rc.common ]; then "$HF" enable
      elif [ -x /sbin/openrc-run ]; then rc-update -q add rollout-boot default
      elif command -v update-rc.d >/dev/null; then update-rc.d rollout-boot defaults
      fi ;;
  esac >/dev/null 2>&1 || stop the boot hook cannot be enabled
}

disable_hook() {
  recorded hook && [ "$MODE" = apply ] || return 0
  case $R in
    systemd) systemctl -q disable rollout-boot.service ;;
    init)
      if [ -f /etc/rc.common ]; then /etc/init.d/rollout-boot disable
      elif [ -x /sbin/openrc-run ]; then rc-update -q del rollout-boot
      fi ;;
  esac >/dev/null 2>&1
}

forget_hook() { # after its file is gone
  recorded hook && [ "$MODE" = apply ] || return 0
  case $R in
    systemd) systemctl daemon-reload ;;
    init) ! command -v update-rc.d >/dev/null || update-rc.d rollout-boot remove ;;
  esac >/dev/null 2>&1
}

# --- the host's certificate ---

shows_certificates() { # sshd, where it reads a folder that others may write to
  [ -x /usr/sbin/sshd ] && [ -d /etc/ssh/sshd_config.d ] &&
    grep -qiE '^[[:space:]]*include[[:space:]].*/sshd_config\.d/\*\.conf' /etc/ssh/sshd_config
}

want_certificate() { # without a wish the device keeps the one it has
  [ ! -f "$CERT" ] || { read -r kind name _ <"$CERT" && say holds "$kind" "$name"; }
  case $NL$FILES in
    *"${NL}host-cert.pub 644 "*) ;;
    *)
      for path in "$CERT" "$SHOWN"; do
        [ -f "$RECORD" ] && grep -qxF "file $path" "$RECORD" && RECORDED="${RECORDED}file $path$NL"
      done
      return 0
      ;;
  esac
  shows_certificates || return 0
  own_kind host-cert.pub "$CERT" 644
  changed=$action
  own_text "$SHOWN" 644 "HostCertificate $CERT"
  [ "$MODE" = apply ] && [ "$changed$action" != samesame ] || return 0
  if ! /usr/sbin/sshd -t >/dev/null 2>&1; then # it is not told to read what would end it
    rm -f "$SHOWN"
    stop sshd does not accept its configuration with the certificate
  fi
  reload_sshd || stop sshd cannot be told of its certificate
}

reload_sshd() { # whoever is connected stays so
  if [ -d /run/systemd/system ]; then
    systemctl -q reload ssh 2>/dev/null || systemctl -q reload sshd
  else
    read -r pid 2>/dev/null </run/sshd.pid && kill -HUP "$pid"
  fi
}

# --- tasks ---

enrol() {
  for tool in sha256sum awk od dd tar gzip id ls; do
    command -v $tool >/dev/null || problem "the device has no $tool"
  done
  [ -n "$S_user$S_type$S_id" ] && [ -n "$S_blob" ] || stop settings are missing
  want_account
  elevation
  hook
  want_root
  want_rungs
  [ $PROBLEMS -eq 0 ] || finish 69
  [ "$MODE" != apply ] || [ -n "$TMP" ] || TMP=$(mktemp -d) || stop there is no room for temporary files
  for dir in "$LIB" "$LIB/modules" "$ETC" "$ETC/keys" "$ETC/health.d" "$VAR"; do own_dir "$dir" 755 root; done
  own_dir "$VAR/spool" 700 "$S_user"
  own_kind "launch/$E" "$LIB/launch" 755
  want_files
  own_text "$ETC/device_type" 644 "$S_type"
  own_text "$ETC/device_id" 644 "$S_id"
  own_text "$ETC/deadman" 644 "$H"
  want_elevation
  want_hook
  want_certificate
  drop_unlisted
  [ "$MODE" != apply ] || sync
  want_login_key # last: the door opens when all is in place
  record
  finish 0
}

want_files() {
  while read -r name mode sum; do
    [ -n "$name" ] || continue
    case $name in
      launch/* | elevate/* | boot/* | host-cert.pub) continue ;;
      root.txt | keys/* | health.d/*) place=$ETC/$name ;;
      *) place=$LIB/$name ;;
    esac
    source=/dev/null
    [ "$MODE" != apply ] || source=$TMP/${name%/*}.d/${name##*/}
    own_file "$place" "$mode" "$sum" <"$source"
    case $action.$place in same.* | *."$ETC"/*) ;; *) NEWER=1 ;; esac
  done <<LIST
$FILES
LIST
  [ -z "$NEWER" ] || drop "$VAR/helper/current" file # what a release put over the helper before
}

drop_unlisted() { # keys that are not given any more must not count; checks only if they were ours
  set +f
  for path in "$ETC"/keys/*; do
    case $RECORDED in *"file $path$NL"*) ;; *) drop "$path" file ;; esac
  done
  set -f
  [ -f "$RECORD" ] || return 0
  while read -r key path; do
    case $RECORDED in *"$key $path$NL"*) continue ;; esac
    [ "$key" != file ] || drop "$path" file
  done <"$RECORD"
}

record() {
  own_text "$RECORD" 644 "rollout 1
${RECORDED%"$NL"}"
}

release() {
  if [ ! -f "$RECORD" ]; then # it is written last
    [ ! -e "$LIB" ] && [ ! -e "$ETC" ] || stop "the device was enrolled in part: enrol it again, then release it"
    finish 0
  fi
  for part in main helper; do
    state=$(SSH_ORIGINAL_COMMAND="hello component=$part" /bin/sh "$LIB/helper.sh" 2>/dev/null | grep '^state ')
    case $state in 'state probation') stop a release is on probation: commit it or roll it back first ;; esac
  done
  remove_login_key
  remove_step
  disable_hook
  shown=''
  while read -r key path; do
    [ "$key" != file ] || [ "$path" = "$RECORD" ] || drop "$path" file
    [ "$path" != "$SHOWN" ] || shown=yes
  done <"$RECORD"
  [ -z "$shown" ] || [ "$MODE" != apply ] || reload_sshd
  forget_hook
  say remove state "$VAR"
  [ "$MODE" != apply ] || rm -rf "$VAR" /run/rollout || stop "$VAR cannot be removed"
  remove_account
  dirs=''
  while read -r key path; do
    [ "$key" != dir ] || dirs="$path $dirs"
  done <"$RECORD"
  drop "$RECORD" file
  for dir in $dirs; do drop "$dir" dir; done
  finish 0
}

receive
[ "$(id -u)" = 0 ] || stop this must run as root
case $MODE.$TASK in
  look.enrol | apply.enrol) enrol ;;
  look.release | apply.release) release ;;
  *) stop the task is unknown ;;
esac
