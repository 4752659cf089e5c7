"""Keys of each kind, made once for all tests of a process: RSA takes a quarter of a second of a core."""

from orchestrator.trust import KeyKind, generate_key

KEYS = {kind: generate_key(kind) for kind in KeyKind}
OTHERS = {kind: generate_key(kind) for kind in KeyKind}
