"""Mutants that are the same program, each with the reason; they are not counted."""

from __future__ import annotations

_GRAMMAR = "every value's own grammar refuses these bytes too"
_PADDED = "what lies beyond the block counts as zero"
_SMALL = "a header of at most 1 MiB has a zero in the fourth byte of its size"
_LENGTH = "a length of exactly 255 belongs to no part of a key that is taken"
_PAST = "a clock that cannot be read is in the past either way"
_WORDS = "the line feed behind the words for people"

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
    "trust.sh drop: echo -> (nothing)": _WORDS,
}
