#!/bin/sh
# Who may change what runs on a device: keys, signatures, release tickets, trust roots and floors.
#
#   trust.sh verify DIR       may the release be installed whose manifest and ticket lie in DIR
#   trust.sh open DIR NAME    is the ticket for the artifact NAME, and is it this device's turn
#   trust.sh installed DIR    raises the serial and the time floor to those of the ticket
#   trust.sh committed DIR PREVIOUS
#                             raises the security floor to that of the ticket in DIR, but not above
#                             the version that is kept to go back to (its ticket's place, or -)
#   trust.sh root DIR         takes DIR/root as the next trust root, if it is signed for that
#   trust.sh show | tools     the root and the floors; what can check signatures
#
# The root core asks it, and nothing else changes the floors. DIR is root's own copy, but for `root`, which makes one. Exit 0 is yes;
# 65, 74 and 77 are no, with lines `reason` and `detail` as the core says them. What it cannot find out is no. Formats: docs/reference/release.md.
#
# The ways of helper.sh hold here too: functions give their value in W, records are split on purpose.
# shellcheck disable=SC2015,SC2046,SC2059,SC2086

set -fu
export LC_ALL=C
umask 022
NL='
'
ETC=${ROLLOUT_ROOT-}/etc/rollout VAR=${ROLLOUT_ROOT-}/var/lib/rollout
FLOORS=$VAR/floors SCRATCH=''
trap '[ -z "$SCRATCH" ] || rm -rf "$SCRATCH"' EXIT

# Reads one text, as hex bytes, so that no awk's idea of characters matters; exit 1 when any of it is not as it must be. Prints what
# a shell can split: of a ticket its values, its openings, its types; of a root its values, then `ROLE ALG.LENGTH DER SSH PEM` for each
# key, LENGTH of its signatures, 0 where they say it; of signatures `KEYID LENGTH DER-LENGTH BYTES`, in the form of SSH `KEYID LENGTH
# 64 BYTES BYTES-IF-ECDSA`, both lengths below 0 where Ed25519 has no such signature; of a manifest's signature the first without a
# key, ECDSA in DER; of a key `ALG.LENGTH PEM`. Bytes are octal escapes, those for SSH with their length before them.
# shellcheck disable=SC2016
TEXT='
function bad() { failed = 1; exit 1 }
function must(is) { if (!is) bad() }
function name(v, max) { must(v ~ /^[A-Za-z0-9][A-Za-z0-9._+-]*$/ && length(v) <= max); return v }
function number(v, min, max) { must(v ~ /^(0|[1-9][0-9]*)$/ && length(v) <= 15 && v + 0 >= min && v + 0 <= max); return v }
function digest(v) { must(v ~ /^[0-9a-f]+$/ && length(v) == 64); return v }
function more(key) { return index(line[at], key " ") == 1 }
function take(key) { must(more(key)); return substr(line[at++], length(key) + 2) }

function decode(s,  i, j, v, pad, k) { # base64 in its one form: b[0] to b[size - 1]
  size = 0
  must(s != "" && length(s) % 4 == 0 && s ~ "^[A-Za-z0-9+/]+=?=?$") # in slashes busybox takes a backslash, too
  for (i = 1; i <= length(s); i += 4) {
    for (j = v = pad = 0; j < 4; j++) { k = substr(s, i + j, 1); v = v * 64 + six[k]; pad += k == "=" }
    must(!pad || v % (pad > 1 ? 65536 : 256) == 0) # bits that say nothing: another text of the same bytes
    b[size++] = int(v / 65536)
    if (pad < 2) b[size++] = int(v / 256) % 256
    if (pad < 1) b[size++] = v % 256
  }
}
function oct(v) { return sprintf("\\%03o", v) }
function bytes(i,  s) { for (; i < size; i++) s = s oct(b[i]); return s } # from b[i] on
function ssh(s, n) { return oct(0) oct(0) oct(int(n / 256)) oct(n % 256) s } # N bytes as SSH writes them
function wrapped(s,  t) { for (; s != ""; s = substr(s, 65)) t = t substr(s, 1, 64) "\\n"; return t }

function want(hex,  i) { for (i = 1; i < length(hex); i += 2) must(b[p++] == code[substr(hex, i, 2)]) }
function long(  v) { # a length of DER, in its shortest form; none of a key has one from 128 to 255
  v = b[p++]
  if (v < 128) return v
  must(v == 130)
  v = b[p++] * 256; v += b[p++]; must(v > 255)
  return v
}
function last_one(tag,  v) { want(tag); v = long(); must(p + v == size) }
function bits(  v, i, d, s) { # how many the positive integer has that stands next
  want("02"); v = long(); i = p; p += v
  s = bytes(i); ints = ssh(substr(s, 1, 4 * v), v) ints # the exponent before the modulus
  must(b[i] < 128 && (b[i] > 0 || b[i + 1] > 127))
  if (!b[i]) { i++; v-- }
  v *= 8
  for (d = b[i]; d < 128; d *= 2) v--
  return v
}
function kind_of(  v, d) { # of the SubjectPublicKeyInfo in b, which has one form for one key
  p = 0
  if (size == 91) { want("3059301306072a8648ce3d020106082a8648ce3d03010703420004"); return "ecdsa-p256.0" }
  if (size == 44) { want("302a300506032b6570032100"); return "ed25519.64" }
  last_one("30"); want("300d06092a864886f70d0101010500"); ints = ""
  last_one("03"); want("00"); last_one("30")
  d = bits(); must(d >= 3072 && d <= 8192)
  v = bits(); must(v >= 17 && v <= 64 && b[p - 1] % 2 && p == size)
  return "rsa." int((d + 7) / 8) # none of it lay behind the end: P is SIZE, and never falls
}
function ssh_key() { # that key; 26 and 12 bytes say its kind
  if (size == 91) return ssh(ssh("ecdsa-sha2-nistp256", 19) ssh("nistp256", 8) ssh(bytes(26), 65), 104)
  if (size == 44) return ssh(ssh("ssh-ed25519", 11) ssh(bytes(12), 32), 51)
  return ssh(ssh("ssh-rsa", 7) ints, 11 + length(ints) / 4)
}
function lengths(n, der,  i, d) { # its own, and what it has as ECDSA in DER. Ed25519 has S, the last 32 bytes, below the order of
  for (i = n == 64 ? 32 : 0; i > 0 && !d; ) d = b[size - 33 + i] - order[--i] # its group; ssh-keygen, usign, signify take more
  return n == 64 && d >= 0 ? "-" n " -" der : n " " der
}

function ticket(  s, v, percent, from, part) {
  must(line[1] == "fleet-release 1"); at = 2
  s = name(take("fleet"), 63) " " number(take("serial"), 0, 1e15)
  v = number(take("issued"), 0, 1e15); s = s " " v
  s = s " " number(take("expires"), v + 1, 1e15)
  v = number(take("security-version"), 0, 1e15); s = s " " v
  s = s " " (more("min-security-version") ? number(take("min-security-version"), 0, v + 0) : v)
  for (v = ""; more("device-type"); v = part) {
    part = name(take("device-type"), 128)
    must(++count <= 16 && (part "" > v "")); types = types " " part
  }
  must(count)
  s = s " " name(take("artifact"), 128) " " digest(take("manifest-sha256"))
  for (v = count = 0; more("open"); count++) {
    must(count < 16 && split(take("open"), part2, " ") == 2)
    v = percent; percent = number(part2[1], 1, 100) + 0; must(percent > v + 0)
    must(number(part2[2], 0, 1e15) + 0 >= from + 0); from = part2[2]
    opens = opens " " percent " " from
  }
  print s "\n" opens "\n" types
}
function root(  s, i, role, last) {
  must(line[1] == "fleet-root 1"); at = 2
  s = name(take("fleet"), 63) " " number(take("version"), 1, 1e15); number(take("issued"), 0, 1e15)
  split("root release build", role, " ")
  for (i = 1; i <= 3; i++) { limit[role[i]] = number(take("threshold-" role[i]), 1, 16); s = s " " limit[role[i]] }
  print s
  for (; more("key"); last = line[at - 1]) {
    must(split(take("key"), part2, " ") == 3 && (part2[1] in limit) && ++count <= 48 && (line[at - 1] "" > last ""))
    decode(part2[3]); alg = kind_of()
    must(substr(alg, 1, index(alg, ".") - 1) == part2[2] && !(part2[3] in known))
    known[part2[3]] = 1; has[part2[1]]++
    print part2[1], alg, bytes(0), ssh_key(), wrapped(part2[3])
  }
  for (i in limit) must(has[i] + 0 >= limit[i] + 0)
}
function integer(i, head,  to, s) { # the 32 bytes from b[i] on, HEAD before their length; TOTAL grows by its size
  for (to = i + 32; i < to - 1 && b[i] == 0; ) i++
  s = head oct(to - i + (b[i] > 127)) (b[i] > 127 ? oct(0) : "")
  for (total += to - i + length(s) / 4; i < to; i++) s = s oct(b[i])
  return s
}
function ssh_form(  n, s) { # what stands behind the tag, for the kinds of keys that make signatures of its length
  n = size - 6
  if (n != 64) return lengths(n, 64) " " ssh(ssh("rsa-sha2-256", 12) ssh(bytes(6), n), n + 20) " -"
  total = 0; s = integer(6, oct(0) oct(0) oct(0)) integer(38, oct(0) oct(0) oct(0))
  s = ssh(ssh("ecdsa-sha2-nistp256", 19) ssh(s, total), total + 27)
  return lengths(n, 64) " " ssh(ssh("ssh-ed25519", 11) ssh(bytes(6), n), 83) " " s
}
function signatures() {
  for (at = 1; more("sig"); ) {
    must(split(take("sig"), part2, " ") == 2 && ++count <= 32); decode(part2[2])
    print digest(part2[1]), index(part2[2], "U1NIU0lH") == 1 ? ssh_form() : lengths(size, b[1] + 2) " " bytes(0) # tagged: SSHSIG
  }
}
function manifest(  s) { # ECDSA P-256 as Mender writes it is r and s, each 32 bytes
  decode(all)
  if (size != 64) { print lengths(size, b[1] + 2), bytes(0); return }
  s = integer(0, oct(2)) integer(32, oct(2))
  print total + 2, total + 2, oct(48) oct(total) s
}

BEGIN {
  for (i = 0; i < 256; i++) code[sprintf("%02x", i)] = i
  for (i = 0; i < 32; i++) order[i] = code[substr("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010", 2 * i + 1, 2)]
  for (i = 0; i < 64; i++) six[substr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", i + 1, 1)] = i
}
{
  for (i = 1; i <= NF; i++) {
    v = code[$i]
    if (++read > 16384 || (v != 10 && (v < 32 || v > 126))) bad()
    if (v == 10) { line[++n] = s; all = all s; s = "" } else s = s sprintf("%c", v)
  }
}
END {
  if (failed) exit 1
  if (kind == "manifest") { all = all s; manifest(); exit }
  if (kind == "key") { decode(s); print kind_of(), wrapped(s); exit }
  must(n && s == "")
  for (i = 1; i <= n; i++) must(line[i] !~ /  | $/) # where a line is split, they would pass
  if (kind == "ticket") ticket(); else if (kind == "root") root(); else signatures()
  must(at == n + 1)
}
'

no() { # RC REASON WORDS...: the answer is no, and why
  printf 'reason %s\ndetail %s' "$2" "$3"
  rc=$1
  shift 3
  [ $# -eq 0 ] || printf '%%20%s' "$@"
  echo
  exit "$rc"
}

num() { # TEXT: is it a number that shell arithmetic takes
  case $1 in 0) ;; '' | 0* | *[!0-9]*) return 1 ;; esac
  [ ${#1} -le 15 ]
}

parse() { # KIND FILE: W is what the text says
  [ -f "$2" ] && [ ! -L "$2" ] && W=$(od -An -v -tx1 "$2" | awk -v "kind=$1" "$TEXT")
}

scratch() { # DIR: a place beside it, for what programs want to have in files
  SCRATCH=$1.trust
  rm -rf "$SCRATCH" && mkdir -p "$SCRATCH" || no 74 io there is no room to verify in
}

# --- signatures ---

has() { [ -n "$(command -v "$1")" ]; } # PROGRAM
pem() { printf '%s\n%b%s\n' '-----BEGIN PUBLIC KEY-----' "$1" '-----END PUBLIC KEY-----'; } # BODY

verifiers() { # W is what can check Ed25519 here: programs that know -V, as the `signify` of Debian, which is for mail, does not
  case $(openssl pkeyutl -help 2>&1) in *-rawin*) W=openssl ;; *) W='' ;; esac
  ! has base64 || for tool in usign signify-openbsd signify; do case $($tool -h 2>&1 </dev/null) in *' -V'*) W="${W:+$W }$tool" ;; esac; done
}

made() { # ALG.LENGTH KEY FILE ROLE: did that key (KEY.der, .pem, .ssh) make the signature over FILE; SIZE, DER, BYTES, SSH are it
  # openssl reads no more of a file than a signature can have: what stands behind must not be free
  case ${1#*.} in 0) [ "$SIZE" -eq "$DER" ] ;; *) [ "$SIZE" -eq "${1#*.}" ] ;; esac || return 1
  [ "$SSH${4-}" != build ] || return 1 # plainly such a key signs artifacts alone, and says not for which fleet
  case $1 in ed25519.*) verifiers ;; *) W='' ;; esac
  if [ -n "$SSH" ]; then # whose, over what and for what it is, is said here and never by who signs
    name=rollout-$4@$FLEET
    about="\000\000\000$(printf '\\%03o' ${#name})$name\000\000\000\000\000\000\000\006sha256"
    [ -n "$W" ] || { by_ssh "$@"; return; }
    sum=$(sha256sum <"$3" | sed 's/ .*//; s/../0x& /g') &&
      printf "SSHSIG$about\000\000\000\040$(printf '\\%03o' $sum)" >"$SCRATCH/text" || no 74 io there is no room to verify in
    set -- "$1" "$2" "$SCRATCH/text"
  fi
  printf "$BYTES" | tail -c "$SIZE" >"$SCRATCH/signature" || no 74 io there is no room to verify in # behind what SSH writes before it
  case ${1%%.*}.$W in
    ecdsa-p256. | rsa.) openssl dgst -sha256 -verify "$2.pem" -signature "$SCRATCH/signature" "$3" ;;
    ed25519.openssl*) openssl pkeyutl -verify -rawin -pubin -inkey "$2.pem" -in "$3" -sigfile "$SCRATCH/signature" ;;
    ed25519.?*)
      tail -c 32 "$2.der" | usign_file >"$2.pub" && usign_file <"$SCRATCH/signature" >"$2.sig" &&
        ${W%% *} -V -q -m "$3" -p "$2.pub" -x "$2.sig"
      ;;
    *) false ;;
  esac >/dev/null 2>&1
}

one_line() { printf %s $(base64) && echo; } # stdin in base64: busybox before 1.33 makes no longer lines by itself

# stdin as usign and signify have keys and signatures, with a key number of zeros
usign_file() { echo 'untrusted comment: rollout' && { printf 'Ed\000\000\000\000\000\000\000\000' && cat; } | one_line; }

by_ssh() { # as `made`, in the form of SSH, ABOUT what NAME says
  read -r W <"$2.ssh" && case $1 in ecdsa-p256.*) BYTES=$SSH ;; esac
  BYTES="$W$about$BYTES"
  W=${W#????????????????} && kind=${W#????????????????} # the length before the key, and before its kind
  {
    printf '%s\n' '-----BEGIN SSH SIGNATURE-----' "$(printf "SSHSIG\000\000\000\001$BYTES" | base64)" '-----END SSH SIGNATURE-----' >"$SCRATCH/signature" &&
      printf 'rollout namespaces="%s" %s %s\n' "$name" "${kind%%\\*}" "$(printf "$W" | one_line)" >"$SCRATCH/allowed"
  } 2>/dev/null || no 74 io there is no room to verify in
  ssh-keygen -Y verify -f "$SCRATCH/allowed" -I rollout -n "$name" -s "$SCRATCH/signature" <"$3" >/dev/null 2>&1
}

count() { # ROLE FILE SIGNATURES KEYS: COUNT is how many keys of that role signed the file
  keys_of "$1" "$4"
  COUNT=0 seen=' ' ids=$NL$(cd "$SCRATCH" && set +f && sha256sum ./*.der 2>/dev/null)
  while read -r id SIZE DER BYTES SSH; do
    case $ids in *"$NL$id  ./"*) ;; *) continue ;; esac
    case $seen in *" $id "*) continue ;; esac
    key=${ids##*"$NL$id  ./"} && key=${key%%.der*}
    ! made "${key#*.}" "$SCRATCH/$key" "$2" "$1" || { COUNT=$((COUNT + 1)) && seen="$seen$id "; }
  done <<LIST
$3
LIST
}

keys_of() { # ROLE KEYS: the keys of that role as files N.ALG.LENGTH.der, .pem and .ssh (octal)
  set +f && rm -f "$SCRATCH"/*.der && set -f && made_files=0
  while read -r role alg bytes W body; do
    [ "$role" = "$1" ] || continue
    made_files=$((made_files + 1)) key=$SCRATCH/$made_files.$alg
    printf "$bytes" >"$key.der" && pem "$body" >"$key.pem" && printf '%s\n' "$W" >"$key.ssh" || no 74 io there is no room to verify in
  done <<LIST
$2
LIST
}

manifest_signed() { # DIR KEYS: did one of the build keys among them sign the manifest
  [ -s "$1/manifest" ] && parse manifest "$1/manifest.sig" ||
    no 65 denied there is no manifest, or its signature is not base64
  SIZE=${W%% *} BYTES=${W##* } W=${W% *} DER=${W#* } SSH=''
  keys_of build "$2"
  set +f && set -- "$1/manifest" "$SCRATCH"/*.der && set -f
  file=$1 && shift
  for key; do
    key=${key%.der} alg=${key##*/}
    case ${alg#*.} in ecdsa-p256.* | rsa.*) ! made "${alg#*.}" "$key" "$file" || return 0 ;; esac # Mender has no others
  done
  no 65 denied no key of this device made the signature
}

placed_keys() { # KEYS are those that enrolment placed; a broken, weak or unknown one refuses everything
  KEYS=''
  set +f && set -- "$ETC"/keys/*.pem && set -f
  for file; do
    body='' line=''
    while read -r line; do
      case $line in '-----BEGIN PUBLIC KEY-----') body='' ;; -----END*) break ;; *) body=$body$line ;; esac
    done 2>/dev/null <"$file"
    W=$(printf %s "$body" | od -An -v -tx1 | awk -v kind=key "$TEXT") || W=''
    file=${file##*/}
    case $file in *[!A-Za-z0-9._-]*) file='' ;; *) file=": $file" ;; esac
    case $W in ecdsa-p256.* | rsa.*) ;; *) no 65 denied no key, or a broken, weak or unknown one$file ;; esac
    KEYS="${KEYS}build ${W%% *} x x ${W#* }$NL"
  done
}

# --- floors ---

floor() { # NAME: W is that number, 0 before it was ever raised
  W=0
  [ ! -e "$FLOORS/$1" ] || { read -r W <"$FLOORS/$1" && num "$W"; } 2>/dev/null || no 74 io the floor "$1" cannot be read
}

raise() { # NAME NUMBER: it never falls
  floor "$1"
  [ "$2" -le "$W" ] || keep "$1" "$2"
}

keep() { # NAME TEXT: that file of the floors is the old one or the new one, at any moment
  [ -d "$FLOORS" ] || mkdir -p "$FLOORS"
  replace "$@" || { rm -f "$VAR/reserve" && replace "$@"; } || no 74 io "$1" cannot be written
}

replace() { # NAME TEXT
  printf '%s\n' "$2" 2>/dev/null >"$FLOORS/$1.new" && durable "$FLOORS/$1.new" &&
    mv -f "$FLOORS/$1.new" "$FLOORS/$1" && durable "$FLOORS"
}

durable() { sync "$@" 2>/dev/null || sync; } # FILES: their content survives a loss of power

now() { # NOW is the time, never before what a ticket has proven
  NOW=$(date +%s) && num "$NOW" || NOW=0
  floor time-floor
  [ "$NOW" -ge "$W" ] || NOW=$W
}

# --- roots and tickets ---

newest_root() { # ROOT is the file of the newest root, VERSION and FLEET what it says; empty when there is none
  ROOT='' VERSION=0 FLEET=''
  for file in "$ETC/root.txt" "$FLOORS/root.txt"; do
    [ -e "$file" ] || continue
    version='' fleet=''
    { read -r _ && read -r _ fleet && read -r _ version; } 2>/dev/null <"$file"
    num "$version" || version=0 fleet=broken
    [ -n "$ROOT" ] && [ "$version" -lt "$VERSION" ] || ROOT=$file VERSION=$version FLEET=$fleet
  done
}

load_root() { # FILE: its values and KEYS, or not
  parse root "$1" || return 1
  KEYS=${W#*"$NL"}
  read -r FLEET VERSION NEED_ROOT NEED_RELEASE NEED_BUILD <<LIST
$W
LIST
}

real_keys() { # openssl, or else ssh-keygen, takes each of KEYS: a good form does not make it a point of its curve
  set -- openssl pkey -pubin -noout -in "$SCRATCH/key"
  has openssl || set -- ssh-keygen -i -m PKCS8 -f "$SCRATCH/key"
  has "$1" || return 0 # where neither is there, such a key counts for nothing
  while read -r _ alg _ _ body; do
    case $alg in ecdsa-p256.* | rsa.*) pem "$body" >"$SCRATCH/key" && "$@" >/dev/null 2>&1 || return 1 ;; esac
  done <<LIST
$KEYS
LIST
}

load_ticket() { # DIR: what its ticket says
  [ -f "$1/ticket" ] || no 65 no_ticket the device has a trust root: a release needs a ticket
  parse ticket "$1/ticket" || no 65 ticket_syntax the ticket is malformed
  { read -r T_FLEET T_SERIAL T_ISSUED T_EXPIRES T_SECURITY T_MIN T_ARTIFACT T_MANIFEST && read -r OPENS && read -r TYPES; } <<LIST
$W
LIST
}

verify() { # DIR
  scratch "$1"
  newest_root
  if [ -z "$ROOT" ]; then
    placed_keys
  else
    load_root "$ROOT" || no 65 root_syntax the trust root of the device is broken
    ticket_holds "$1"
    [ "$NEED_BUILD" -eq 1 ] || no 65 denied a manifest has one signature, and the root wants more
    if ! has openssl; then # nothing here reads an artifact's signature: a build key signs beside the ticket, too
      parse signatures "$1/ticket.sig" && count build "$1/manifest" "$W" "$KEYS" && [ $COUNT -gt 0 ] && return
      no 65 denied no build key that can be checked here signed beside the ticket
    fi
  fi
  manifest_signed "$1" "$KEYS"
}

ticket_holds() { # DIR: all that a ticket must be, in this order
  load_ticket "$1"
  parse signatures "$1/ticket.sig" || no 65 ticket_syntax the signatures of the ticket are malformed
  [ "$T_FLEET" = "$FLEET" ] || no 65 ticket_fleet the ticket is for the fleet "$T_FLEET"
  count release "$1/ticket" "$W" "$KEYS"
  [ $COUNT -ge "$NEED_RELEASE" ] || no 65 ticket_signatures $COUNT of "$NEED_RELEASE" release keys signed
  read -r type 2>/dev/null <"$ETC/device_type" || type=
  case " $TYPES " in *" ${type:-/} "*) ;; *) no 65 ticket_device_type the ticket is for other device types ;; esac
  now
  [ "$T_EXPIRES" -gt "$NOW" ] || no 65 ticket_expired the ticket was good until "$T_EXPIRES"
  floor security-floor
  [ "$T_SECURITY" -ge "$W" ] || no 65 ticket_security security version "$T_SECURITY" is below "$W"
  floor serial
  [ "$T_SERIAL" -ge "$W" ] || no 65 ticket_serial serial "$T_SERIAL" is below "$W"
  W=$(sha256sum 2>/dev/null <"$1/manifest") && [ "${W%% *}" = "$T_MANIFEST" ] ||
    no 65 ticket_manifest the ticket is for another manifest
}

bucket() { # SERIAL DEVICE-ID: W is the device's place from 0 to 99
  W=$(printf %s "$1 $2" | sha256sum) && W=${W%"${W#????????}"} && W=$((0x$W % 100))
}

identity() { # W is what the inventory calls this device; an image that fits many says: by its host's name
  read -r W 2>/dev/null <"$ETC/device_id" || W=
  [ "$W" != @hostname ] || read -r W 2>/dev/null </proc/sys/kernel/hostname || W=
  [ -n "$W" ]
}

open() { # DIR NAME
  newest_root
  [ -n "$ROOT" ] || return 0
  load_ticket "$1"
  [ "$T_ARTIFACT" = "$2" ] || no 65 ticket_artifact the ticket is for the artifact "$T_ARTIFACT"
  [ -n "$OPENS" ] || return 0
  now
  identity || no 77 not_open_yet the device has no id
  bucket "$T_SERIAL" "$W"
  set -- $OPENS
  while [ $# -gt 1 ] && [ "$W" -ge "$1" ]; do shift 2; done
  [ $# -gt 1 ] || no 77 not_open_yet the ticket never opens for the bucket "$W"
  [ "$2" -le "$NOW" ] || no 77 not_open_yet the bucket "$W" opens at "$2"
}

installed() { # DIR
  load_ticket "$1"
  raise serial "$T_SERIAL"
  raise time-floor "$T_ISSUED"
}

committed() { # DIR PREVIOUS: what is kept to go back to never falls below the floor
  [ -e "$1/ticket" ] || return 0 # a release from before the device had a root
  load_ticket "$1"
  least=$T_MIN T_SECURITY=0
  if [ "$2" != - ]; then
    [ ! -e "$2/ticket" ] || load_ticket "$2"
    [ "$least" -le "$T_SECURITY" ] || least=$T_SECURITY
  fi
  raise security-floor "$least"
}

root() { # DIR
  newest_root
  [ -n "$ROOT" ] || no 65 no_root the first trust root is placed by enrolment
  scratch "$VAR/root"
  new=$SCRATCH/new # a refused root leaves nothing behind
  mkdir "$new" && cp -RP "$1/root" "$1/root.sig" "$new/" 2>/dev/null ||
    no 74 io the root cannot be copied
  load_root "$ROOT" || no 65 root_syntax the trust root of the device is broken
  fleet=$FLEET version=$VERSION need=$NEED_ROOT keys=$KEYS
  load_root "$new/root" || no 65 root_syntax the new root is malformed
  real_keys || no 65 root_syntax a key of the new root is none
  [ "$(cat "$ROOT")" != "$(cat "$new/root")" ] || return 0 # said before; both files are good text
  parse signatures "$new/root.sig" || no 65 root_syntax the signatures of the root are malformed
  [ "$FLEET" = "$fleet" ] || no 65 root_fleet the new root is of the fleet "$FLEET"
  [ "$VERSION" -eq $((version + 1)) ] || no 65 root_version the root "$VERSION" does not follow "$version"
  signed=$W
  count root "$new/root" "$signed" "$keys"
  [ $COUNT -ge "$need" ] || no 65 root_signatures $COUNT of "$need" root keys of the old root signed
  count root "$new/root" "$signed" "$KEYS"
  [ $COUNT -ge "$NEED_ROOT" ] || no 65 root_own_signatures $COUNT of "$NEED_ROOT" root keys of the new root signed
  keep serial 0 # first: a root in place with the old serial could never be told from a finished rotation
  keep root.txt "$(cat "$new/root")"
}

show() {
  newest_root
  [ -z "$ROOT" ] || printf 'root %s\nfleet %s\n' "$VERSION" "$FLEET"
  for file in security-floor serial; do (floor $file >/dev/null && echo "$file $W"); done
  ! identity || case $W in *[!A-Za-z0-9._@+-]*) ;; *) echo "device-id $W" ;; esac
}

tools() {
  verifiers
  case $W in openssl*) W="openssl-ed25519${W#openssl}" ;; esac
  ! has openssl || W="openssl $W"
  case $(ssh-keygen -Y verify 2>&1) in *'Too few'*) ! has base64 || W="$W ssh-keygen" ;; esac
  set -- $W
  (IFS=, && echo "verify ${*:-none}")
}

case ${1-}.$# in
  verify.2 | open.3 | installed.2 | committed.3 | root.2 | show.1 | tools.1) "$@" ;;
  *) echo "usage: trust.sh verify|installed|root DIR | committed DIR PREVIOUS | open DIR NAME | show | tools" >&2 && exit 64 ;;
esac
