"""Mutants that are the same program, each with the reason; they are not counted."""

from __future__ import annotations

_GRAMMAR = "every value's own grammar refuses these bytes too"
_PADDED = "what lies beyond the block counts as zero"
_SMALL = "a header of at most 1 MiB has a zero in the fourth byte of its size"
_LENGTH = "a length of 128, 255 or 256 belongs to no part of a key that is taken"
_PAST = "a clock that cannot be read is in the past either way"
_EXIT = "after an exit of 1, END alone ends with 1 again, and what it prints is not read"
_STEP = "the steps are of two or four, and there are so many characters or words"
_RISES = "a percentage above the one before is above 0"
_TWICE = "a line that stands twice brings the same key twice, which refuses"
_THERE = "what is asked is whether it is there, not what it is"
_UNSET = "what was never set counts as zero"
_NEVER = "no input leads to what is set here"
_ZERO = "a half of a signature that is 0 is none in either form"
_UNKNOWN = "an id of no key leads to a name of no algorithm"
_FIRST = "the first word that is said is what counts"
_ZEROED = "the byte behind the six digits is compared before, and is no digit"
_HUNDRED = "no name in a header has a hundred characters"
_BEHIND = "behind the last byte stands an empty one, which no value has and nothing closes with"
_SPEED = "only how fast it is"
_LATER = "a number of more characters is refused by the next line"
_MARK = "no name has this byte, and both marks for it are no part of any"
_TWO = "the bytes from 500 on were looked at before"
_OTHER = "the next line refuses it too, in other words"
_APART = "the numbers only tell files apart"
_GLOB = "no name behind it is a pattern, and the next function turns it off"
_FOUND = "the first root that is there sets it"
_ROUND = "the limits are at whole bytes; within one they are not asked"
_NO_KEY = "a name of no algorithm makes no signature"
_SAID = "only in which words it is refused"
_SAME = "the same value is written, or taken, again"
_SHOWN = "only `show` says it: a root that is loaded sets it anew"
_DIGITS = "no size has more digits"
_NOTHING = "a part of no bytes may stand anywhere"
_COMPARED = "every sum is compared with what sha256sum writes"
_UNPACKED = "without a name there is nothing to unpack, which refuses too"
_MORE = "how much is read beyond the limit says nothing"
_UNSIGNED = "without a manifest its signature has refused before this is read"
_BLOCKS = "a header is of whole blocks"
_ANOTHER = "W is empty, or what was found before, and then another program checks the same"

EQUIVALENT: dict[str, str] = {
    "trust.sh or: if (++read > 16384 || (v != 10 && (v < 32 || v > 126))) bad()"
    " -> if (++read > 16384 || (v != 10 && (v < 32 && v > 126))) bad()": _GRAMMAR,
    "helper.sh number: for (i = 0; i < 512; i++) total += byte[k[i]]"
    " -> for (i = 0; i < 513; i++) total += byte[k[i]]": _PADDED,
    'helper.sh number: [ $# -eq 15 ] && [ "$1" -eq $((${12} + ${13} * 256 + ${14} * 65536 + ${15} * 16777216)) ] || return 1'
    ' -> [ $# -eq 15 ] && [ "$1" -eq $((${12} + ${13} * 256 + ${14} * 65536 + ${15} * 16777217)) ] || return 1': _SMALL,
    "trust.sh compare: v = b[p++] * 256; v += b[p++]; must(v > 255)"
    " -> v = b[p++] * 256; v += b[p++]; must(v >= 255)": _LENGTH,
    'trust.sh number: NOW=$(date +%s) && num "$NOW" || NOW=0'
    ' -> NOW=$(date +%s) && num "$NOW" || NOW=1': _PAST,
    "trust.sh number: function bad() { failed = 1; exit 1 } -> function bad() { failed = 0; exit 1 }": _EXIT,
    "trust.sh drop: if (failed) exit 1 -> (nothing)": _EXIT,
    "trust.sh compare: for (i = 1; i <= length(s); i += 4) { -> for (i = 1; i < length(s); i += 4) {": _STEP,
    "trust.sh compare: function want(hex,  i) { for (i = 1; i < length(hex); i += 2) must(b[p++] == code[substr(hex, i, 2)]) } -> function want(hex,  i) { for (i = 1; i <= length(hex); i += 2) must(b[p++] == code[substr(hex, i, 2)]) }": _STEP,
    "trust.sh number: if (v < 128) return v -> if (v < 129) return v": _LENGTH,
    "trust.sh compare: if (v < 128) return v -> if (v <= 128) return v": _LENGTH,
    "trust.sh number: v = b[p++] * 256; v += b[p++]; must(v > 255) -> v = b[p++] * 256; v += b[p++]; must(v > 256)": _LENGTH,
    "trust.sh number: for (d = b[i]; d < 128; d *= 2) v-- -> for (d = b[i]; d < 128; d *= 3) v--": _ROUND,
    "trust.sh number: v = percent; percent = number(part2[1], 1, 100) + 0; must(percent > v + 0) -> v = percent; percent = number(part2[1], 0, 100) + 0; must(percent > v + 0)": _RISES,
    'trust.sh compare: must(split(take("key"), part2, " ") == 3 && (part2[1] in limit) && ++count <= 48 && (line[at - 1] "" > last "")) -> must(split(take("key"), part2, " ") == 3 && (part2[1] in limit) && ++count <= 48 && (line[at - 1] "" >= last ""))': _TWICE,
    "trust.sh number: known[part2[3]] = 1; has[part2[1]]++ -> known[part2[3]] = 0; has[part2[1]]++": _THERE,
    "trust.sh number: for (to = i + 32; i < to - 1 && b[i] == 0; ) i++ -> for (to = i + 32; i < to - 0 && b[i] == 0; ) i++": _ZERO,
    "trust.sh compare: for (to = i + 32; i < to - 1 && b[i] == 0; ) i++ -> for (to = i + 32; i <= to - 1 && b[i] == 0; ) i++": _ZERO,
    'trust.sh number: for (i = 0; i < 256; i++) code[sprintf("%02x", i)] = i -> for (i = 1; i < 256; i++) code[sprintf("%02x", i)] = i': _UNSET,
    'trust.sh number: for (i = 0; i < 256; i++) code[sprintf("%02x", i)] = i -> for (i = 0; i < 257; i++) code[sprintf("%02x", i)] = i': _NEVER,
    'trust.sh compare: for (i = 0; i < 256; i++) code[sprintf("%02x", i)] = i -> for (i = 0; i <= 256; i++) code[sprintf("%02x", i)] = i': _NEVER,
    'trust.sh number: for (i = 0; i < 64; i++) six[substr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", i + 1, 1)] = i -> for (i = 1; i < 64; i++) six[substr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", i + 1, 1)] = i': _UNSET,
    'trust.sh number: for (i = 0; i < 64; i++) six[substr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", i + 1, 1)] = i -> for (i = 0; i < 65; i++) six[substr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", i + 1, 1)] = i': _NEVER,
    'trust.sh compare: for (i = 0; i < 64; i++) six[substr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", i + 1, 1)] = i -> for (i = 0; i <= 64; i++) six[substr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", i + 1, 1)] = i': _NEVER,
    "trust.sh number: if (++read > 16384 || (v != 10 && (v < 32 || v > 126))) bad() -> if (++read > 16384 || (v != 10 && (v < 32 || v > 127))) bad()": _GRAMMAR,
    "trust.sh compare: if (++read > 16384 || (v != 10 && (v < 32 || v > 126))) bad() -> if (++read > 16384 || (v != 10 && (v < 32 || v >= 126))) bad()": _GRAMMAR,
    "trust.sh number: for (i = 1; i <= n; i++) must(line[i] !~ /  | $/) # where a line is split, they would pass -> for (i = 0; i <= n; i++) must(line[i] !~ /  | $/) # where a line is split, they would pass": _NEVER,
    'trust.sh drop: case $ids in *"$NL$id  ./"*) ;; *) continue ;; esac -> (nothing)': _UNKNOWN,
    'trust.sh empty: case $ids in *"$NL$id  ./"*) ;; *) continue ;; esac -> case $ids in *""*) ;; *) continue ;; esac': _UNKNOWN,
    "helper.sh number: function say(x) { if (!said) print x; said = 1; exit 0 } -> function say(x) { if (!said) print x; said = 0; exit 0 }": _FIRST,
    "helper.sh compare: for (i = 0; i < 512; i++) total += byte[k[i]] -> for (i = 0; i <= 512; i++) total += byte[k[i]]": _PADDED,
    "helper.sh number: if (ends || field(148, 8) !~ /^[0-7][0-7][0-7][0-7][0-7][0-7]\\001 $/ || octal(148, 6) != total) odd() -> if (ends || field(148, 8) !~ /^[0-7][0-7][0-7][0-7][0-7][0-7]\\001 $/ || octal(148, 7) != total) odd()": _ZEROED,
    'helper.sh number: name = field(0, 100); i = index(name, "\\001") -> name = field(0, 101); i = index(name, "\\001")': _HUNDRED,
    "helper.sh compare: for (p++; p < last; ) { -> for (p++; p <= last; ) {": _BEHIND,
    'helper.sh number: if (length(part) > 300) { s = s part; part = "" } # byte by byte, a long text takes minutes -> if (length(part) > 301) { s = s part; part = "" } # byte by byte, a long text takes minutes': _SPEED,
    'helper.sh compare: if (length(part) > 300) { s = s part; part = "" } # byte by byte, a long text takes minutes -> if (length(part) >= 300) { s = s part; part = "" } # byte by byte, a long text takes minutes': _SPEED,
    "helper.sh drop: bad() -> (nothing)": _BEHIND,
    "helper.sh refusal: bad() -> 0": _BEHIND,
    'helper.sh number: seen[path "/" k] = 1 -> seen[path "/" k] = 0': _THERE,
    'helper.sh number: for (s = ""; length(s) < 65 && p < last && (b[p] in c) && b[p] != "2c" && b[p] != "5d" && b[p] != "7d"; p++) s = s c[b[p]] -> for (s = ""; length(s) < 66 && p < last && (b[p] in c) && b[p] != "2c" && b[p] != "5d" && b[p] != "7d"; p++) s = s c[b[p]]': _LATER,
    'helper.sh compare: for (s = ""; length(s) < 65 && p < last && (b[p] in c) && b[p] != "2c" && b[p] != "5d" && b[p] != "7d"; p++) s = s c[b[p]] -> for (s = ""; length(s) <= 65 && p < last && (b[p] in c) && b[p] != "2c" && b[p] != "5d" && b[p] != "7d"; p++) s = s c[b[p]]': _LATER,
    'helper.sh compare: for (s = ""; length(s) < 65 && p < last && (b[p] in c) && b[p] != "2c" && b[p] != "5d" && b[p] != "7d"; p++) s = s c[b[p]] -> for (s = ""; length(s) < 65 && p <= last && (b[p] in c) && b[p] != "2c" && b[p] != "5d" && b[p] != "7d"; p++) s = s c[b[p]]': _BEHIND,
    "helper.sh number: need[key] = 1 -> need[key] = 0": _THERE,
    'helper.sh number: if (key == "device_type" ? v == device : (key in have) && have[key] == v) met[key] = 1 -> if (key == "device_type" ? v == device : (key in have) && have[key] == v) met[key] = 0': _THERE,
    'helper.sh number: for (i = 0; i < 256; i++) { byte[sprintf("%02x", i)] = i; tar[sprintf("%02x", i)] = i < 32 || i > 126 ? "\\002" : sprintf("%c", i) } -> for (i = 1; i < 256; i++) { byte[sprintf("%02x", i)] = i; tar[sprintf("%02x", i)] = i < 32 || i > 126 ? "\\002" : sprintf("%c", i) }': _UNSET,
    'helper.sh number: for (i = 0; i < 256; i++) { byte[sprintf("%02x", i)] = i; tar[sprintf("%02x", i)] = i < 32 || i > 126 ? "\\002" : sprintf("%c", i) } -> for (i = 0; i < 257; i++) { byte[sprintf("%02x", i)] = i; tar[sprintf("%02x", i)] = i < 32 || i > 126 ? "\\002" : sprintf("%c", i) }': _NEVER,
    'helper.sh compare: for (i = 0; i < 256; i++) { byte[sprintf("%02x", i)] = i; tar[sprintf("%02x", i)] = i < 32 || i > 126 ? "\\002" : sprintf("%c", i) } -> for (i = 0; i <= 256; i++) { byte[sprintf("%02x", i)] = i; tar[sprintf("%02x", i)] = i < 32 || i > 126 ? "\\002" : sprintf("%c", i) }': _NEVER,
    'helper.sh number: for (i = 0; i < 256; i++) { byte[sprintf("%02x", i)] = i; tar[sprintf("%02x", i)] = i < 32 || i > 126 ? "\\002" : sprintf("%c", i) } -> for (i = 0; i < 256; i++) { byte[sprintf("%02x", i)] = i; tar[sprintf("%02x", i)] = i < 32 || i > 127 ? "\\002" : sprintf("%c", i) }': _MARK,
    "helper.sh drop: if (said) exit 0 -> (nothing)": _FIRST,
    "helper.sh number: zeros(157, 257); zeros(345, 500); records(name) -> zeros(157, 257); zeros(345, 501); records(name)": _TWO,
    'helper.sh drop: if (!("device_type" in met)) say("incompatible the artifact is for another device type than " device) -> (nothing)': _OTHER,
    'trust.sh and: set +f && set -- "$ETC"/keys/*.pem && set -f -> set +f && set -- "$ETC"/keys/*.pem || set -f': _GLOB,
    "trust.sh number: ROOT='' VERSION=0 FLEET='' -> ROOT='' VERSION=1 FLEET=''": _FOUND,
    'trust.sh number: while [ $# -gt 1 ] && [ "$W" -ge "$1" ]; do shift 2; done -> while [ $# -gt 0 ] && [ "$W" -ge "$1" ]; do shift 2; done': _STEP,
    'trust.sh number: set +f && rm -f "$SCRATCH"/*.der && set -f && made_files=0 -> set +f && rm -f "$SCRATCH"/*.der && set -f && made_files=1': _APART,
    'trust.sh and: set +f && set -- "$1/manifest" "$SCRATCH"/*.der && set -f -> set +f && set -- "$1/manifest" "$SCRATCH"/*.der || set -f': _GLOB,
    "trust.sh and: file=$1 && shift -> file=$1 || shift": _NO_KEY,
    "trust.sh drop: file=${file##*/} -> (nothing)": _SAID,
    "trust.sh drop: no 65 denied no build key that can be checked here signed beside the ticket -> (nothing)": _SAID,
    "trust.sh drop: case $(openssl pkeyutl -help 2>&1) in *-rawin*) W=openssl ;; *) W='' ;; esac -> (nothing)": _ANOTHER,
    'trust.sh compare: [ "$2" -le "$W" ] || keep "$1" "$2" -> [ "$2" -lt "$W" ] || keep "$1" "$2"': _SAME,
    'trust.sh compare: [ "$NOW" -ge "$W" ] || NOW=$W -> [ "$NOW" -gt "$W" ] || NOW=$W': _SAME,
    'trust.sh unset: [ -n "$ROOT" ] && [ "$version" -lt "$VERSION" ] || ROOT=$file VERSION=$version FLEET=$fleet -> [ -n "$ROOT" ] && [ "$version" -lt "$VERSION" ] || ROOT=$file VERSION=$version FLEET=\'\'': _SHOWN,
    'trust.sh empty: KEYS=${W#*"$NL"} -> KEYS=${W#*""}': _NO_KEY,
    'trust.sh compare: while [ $# -gt 1 ] && [ "$W" -ge "$1" ]; do shift 2; done -> while [ $# -ge 1 ] && [ "$W" -ge "$1" ]; do shift 2; done': _STEP,
    'trust.sh number: [ $# -gt 1 ] || no 77 not_open_yet the ticket never opens for the bucket "$W" -> [ $# -gt 0 ] || no 77 not_open_yet the ticket never opens for the bucket "$W"': _STEP,
    'trust.sh compare: [ $# -gt 1 ] || no 77 not_open_yet the ticket never opens for the bucket "$W" -> [ $# -ge 1 ] || no 77 not_open_yet the ticket never opens for the bucket "$W"': _STEP,
    'trust.sh compare: [ "$least" -le "$T_SECURITY" ] || least=$T_SECURITY -> [ "$least" -lt "$T_SECURITY" ] || least=$T_SECURITY': _SAME,
    "helper.sh number: *) W=999999999999999 ;; -> *) W=1000000000000000 ;;": _DIGITS,
    'helper.sh number: brought[name] = 1; into = "s"; scripts = scripts " " name " " pos / 512 " " left -> brought[name] = 0; into = "s"; scripts = scripts " " name " " pos / 512 " " left': _THERE,
    'helper.sh drop: if (length(part) > 300) { s = s part; part = "" } # byte by byte, a long text takes minutes -> (nothing)': _SPEED,
    'helper.sh negate: if (length(part) > 300) { s = s part; part = "" } # byte by byte, a long text takes minutes -> if (!length(part) > 300) { s = s part; part = "" } # byte by byte, a long text takes minutes': _SPEED,
    'helper.sh compare: for (i = 0; i < 256; i++) { byte[sprintf("%02x", i)] = i; tar[sprintf("%02x", i)] = i < 32 || i > 126 ? "\\002" : sprintf("%c", i) } -> for (i = 0; i < 256; i++) { byte[sprintf("%02x", i)] = i; tar[sprintf("%02x", i)] = i < 32 || i >= 126 ? "\\002" : sprintf("%c", i) }': _MARK,
    'helper.sh negate: if (left) { left--; if (into == "x") x[records_size++] = $i ""; else if (into != "s") b[n++] = $i "" } -> if (left) { left--; if (into == "x") x[records_size++] = $i ""; else if (!into != "s") b[n++] = $i "" }': _SPEED,
    'helper.sh number: say("ok " type " " name " " (group == "" ? "-" : group) at (files < 3 ? " 0 0" : "") scripts) -> say("ok " type " " name " " (group == "" ? "-" : group) at (files < 3 ? " 1 0" : "") scripts)': _NOTHING,
    "helper.sh drop: case $sum in *[!0-9a-f]*) sum= ;; esac -> (nothing)": _COMPARED,
    'helper.sh drop: [ -n "$header" ] || deny "the manifest lists no header" -> (nothing)': _UNPACKED,
    'helper.sh skip: [ -n "$header" ] || deny "the manifest lists no header" -> [ -n "$header" ]': _UNPACKED,
    'helper.sh skip: sums=$(cd "$in" && sha256sum manifest $list 2>/dev/null) || deny "a file of the manifest is missing" -> sums=$(cd "$in" && sha256sum manifest $list 2>/dev/null)': _COMPARED,
    "helper.sh number: count=0 dir= left=0 -> count=0 dir= left=1": _UNSIGNED,
    'helper.sh drop: [ -z "$line" ] || deny "the last line of the manifest has no end" -> (nothing)': _OTHER,
    'helper.sh skip: [ -z "$line" ] || deny "the last line of the manifest has no end" -> [ -z "$line" ]': _OTHER,
    'helper.sh empty: [ -z "$line" ] || deny "the last line of the manifest has no end" -> [ -z "" ] || deny "the last line of the manifest has no end"': _OTHER,
    'helper.sh number: { XZ_OPT=-M80MiB "$@" && : >"$T/whole"; } <"$in/$header" 2>/dev/null | dd bs=65536 count=17 iflag=fullblock of="$T/header" 2>/dev/null -> { XZ_OPT=-M80MiB "$@" && : >"$T/whole"; } <"$in/$header" 2>/dev/null | dd bs=65537 count=17 iflag=fullblock of="$T/header" 2>/dev/null': _MORE,
    'helper.sh number: { XZ_OPT=-M80MiB "$@" && : >"$T/whole"; } <"$in/$header" 2>/dev/null | dd bs=65536 count=17 iflag=fullblock of="$T/header" 2>/dev/null -> { XZ_OPT=-M80MiB "$@" && : >"$T/whole"; } <"$in/$header" 2>/dev/null | dd bs=65536 count=18 iflag=fullblock of="$T/header" 2>/dev/null': _MORE,
    'helper.sh number: W=$(wc -c <"$T/header") && [ -e "$T/whole" ] && [ "$W" -le 1048576 ] && one_stream "$in/$header" "$W" || -> W=$(wc -c <"$T/header") && [ -e "$T/whole" ] && [ "$W" -le 1048577 ] && one_stream "$in/$header" "$W" ||': _BLOCKS,
    'trust.sh and: set +f && rm -f "$SCRATCH"/*.der && set -f && made_files=0 -> set +f && rm -f "$SCRATCH"/*.der || set -f && made_files=0': _GLOB,
    'trust.sh and: set +f && rm -f "$SCRATCH"/*.der && set -f && made_files=0 -> set +f && rm -f "$SCRATCH"/*.der && set -f || made_files=0': _APART,
    'trust.sh number: if (n != 64) return lengths(n, 64) " " ssh(ssh("rsa-sha2-256", 12) ssh(bytes(6), n), n + 20) " -" -> if (n != 64) return lengths(n, 65) " " ssh(ssh("rsa-sha2-256", 12) ssh(bytes(6), n), n + 20) " -"': _NO_KEY,
    "trust.sh drop: case $file in *[!A-Za-z0-9._-]*) file='' ;; *) file=\": $file\" ;; esac -> (nothing)": _SAID,
    'helper.sh skip: read -r DEVICE 2>/dev/null <"$ETC/device_type" || refuse 69 incompatible "the device has no type" -> read -r DEVICE 2>/dev/null <"$ETC/device_type"': _OTHER,
}
