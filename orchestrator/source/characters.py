"""Bytes to text, refusing characters that make a review see something else than the parser.

Sources: YAML 1.1 line breaks that no editor shows (U+0085, U+2028, U+2029, lone CR); the
bidirectional and zero-width characters of "Trojan Source" (CVE-2021-42574).
"""

from __future__ import annotations

import re
import unicodedata

from orchestrator.errors import Severity, Where
from orchestrator.source.policy import Policy
from orchestrator.source.text import DIAGNOSTICS_MAX, Findings, SourceText

BYTE_ORDER_MARK = "\ufeff"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_ASCII_ALLOWED = bytes([0x09, 0x0A, *range(0x20, 0x7F)])
_BREAKS = "\x85\u2028\u2029"
_INVISIBLE = "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
_CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff"
_INVISIBLE_CHAR = re.compile(f"[{_INVISIBLE}]")
_FATAL = re.compile(rf"\r(?!\n)|[{_BREAKS}{_CONTROL}]")
_SUSPECT = re.compile(rf"{_FATAL.pattern}|[{_INVISIBLE}]")
_BETWEEN_WORDS = re.compile(r"[\s/:,;&!?*|'\"()\[\]{}<>=]+")
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "GEORGIAN", "HEBREW", "ARABIC")


def decode(data: bytes, file: str, policy: Policy) -> tuple[SourceText, Findings]:
    """The text of a file, without a byte order mark, and what is wrong with its characters.

    Cost: one pass over the bytes; plain ASCII takes a table look-up per byte.
    """
    if len(data) > policy.bytes_max:
        findings = Findings(SourceText(file, ""))
        limit_mib = policy.bytes_max // 2**20
        message = f"the file has {len(data)} bytes; {policy.name} has at most {limit_mib} MiB"
        findings.add(Where(file), "Y102", message, "split it into several files")
        return findings.source, findings
    try:
        text = data.decode("utf-8").removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        return _not_utf8(data, file, error.start)
    findings = Findings(SourceText(file, text))
    if data.translate(None, _ASCII_ALLOWED):
        _check_text(text, policy, findings)
    return findings.source, findings


def _not_utf8(data: bytes, file: str, offset: int) -> tuple[SourceText, Findings]:
    good = data[:offset].decode("utf-8")
    is_utf16 = data.startswith(_UTF16_MARKS)
    source = SourceText(file, "" if is_utf16 else data.decode("utf-8", "replace"))
    findings = Findings(source)
    hint = "save the file as UTF-8"
    if is_utf16:
        findings.add(Where(file, 1, 1), "Y103", "the file is UTF-16; only UTF-8 is read", hint)
        return source, findings
    message = f"byte 0x{data[offset]:02x} is not UTF-8"
    findings.add(SourceText(file, good).where(len(good)), "Y103", message, hint)
    return source, findings


def _check_text(text: str, policy: Policy, findings: Findings) -> None:
    """Two passes, each with an end: many invisible characters must not hide a line break."""
    for suspects in (_FATAL, _INVISIBLE_CHAR):
        line, line_start = 1, 0
        for count, match in enumerate(suspects.finditer(text)):
            at = match.start()
            line += text.count("\n", line_start, at)
            line_start = text.rfind("\n", line_start, at) + 1 or line_start
            code, message, hint = describe(match[0])
            severity = policy.invisible if code == "Y106" else Severity.ERROR
            where = Where(findings.source.file, line, at - line_start + 1)
            findings.add(where, code, message, hint, severity)
            if count >= DIAGNOSTICS_MAX:
                break


def describe(char: str) -> tuple[str, str, str]:
    """Code, message and hint for a character that a file may not hold."""
    point = f"U+{ord(char):04X}"
    name = unicodedata.name(char, "").lower()
    shown = f"{point} ({name})" if name else point
    if char == "\r":
        return "Y105", "a carriage return without a line feed", "end lines with LF or CR LF"
    if char in _BREAKS:
        message = f"{shown} ends a line for the parser but not for your editor"
        return "Y105", message, "remove it"
    if _INVISIBLE_CHAR.match(char):
        message = f"{shown} is invisible and changes how the line reads"
        return "Y106", message, "remove it"
    if char.isspace():
        return "Y106", f"{shown} looks like a blank and is none", "type a normal blank"
    if unicodedata.category(char) == "Cc":
        return "Y104", f"control character {shown}", "remove it; the file may be damaged or binary"
    return "Y104", f"{shown} has no shape of its own", "remove it"


def bad_key_character(text: str) -> str:
    """The first character that a key may not hold (invisible, control, odd blank), or ""."""
    if text.isprintable():
        return ""
    return next((char for char in text if not char.isprintable()), "")


def bad_value_character(text: str) -> str:
    """The first character that a value may hold only by mistake or malice, or ""."""
    if text.isprintable():
        return ""
    match = _SUSPECT.search(text)
    return match[0] if match else ""


def mixed_words(text: str) -> tuple[str, str]:
    """Message and hint for the first word that mixes look-alike alphabets, or two empty texts."""
    if text.isascii():
        return "", ""
    for word in _BETWEEN_WORDS.split(text):
        if scripts := mixed_scripts(word):
            odd = next(char for char in word if not char.isascii())
            point = f"U+{ord(odd):04X} ({unicodedata.name(odd).lower()})"
            message = f"`{word}` mixes {' and '.join(scripts)} letters that look alike"
            return f"{message}: it holds {point}", "retype the word with one keyboard layout"
    return "", ""


def mixed_scripts(word: str) -> tuple[str, ...]:
    """The scripts of a word that mixes look-alike alphabets (Cyrillic in Latin), else empty."""
    if word.isascii():
        return ()
    names = {unicodedata.name(char, "").partition(" ")[0] for char in word if char.isalpha()}
    found = tuple(script.capitalize() for script in _SCRIPTS if script in names)
    return found if len(found) > 1 else ()
