"""What can be wrong with an artifact: one code for each rule.

The codes are a stable interface; docs/reference/artifact.md explains each.
"""

from __future__ import annotations

from enum import StrEnum

from orchestrator.errors import ExitCode, OrchestratorError, Where


class Rule(StrEnum):
    """The rule that an artifact, or the wish to write one, breaks."""

    UNREADABLE = "A100"
    EMPTY = "A101"
    TRUNCATED = "A110"
    TAR_CHECKSUM = "A111"
    TAR_NUMBER = "A112"
    TAR_FORMAT = "A113"
    TAR_TYPE = "A114"
    TAR_EXTENSION = "A115"
    TAR_NAME = "A116"
    TAR_MODE = "A117"
    TAR_SLACK = "A118"
    MEMBER_UNEXPECTED = "A120"
    MEMBER_DUPLICATE = "A121"
    AUGMENTED = "A122"
    PAYLOAD_COUNT = "A123"
    VERSION = "A124"
    COMPRESSION_UNSUPPORTED = "A125"
    MANIFEST_FORM = "A130"
    MANIFEST_DUPLICATE = "A131"
    MANIFEST_EXTRA = "A132"
    MANIFEST_MISSING = "A133"
    CHECKSUM = "A134"
    SIGNATURE_FORM = "A135"
    STREAM_DAMAGED = "A140"
    STREAM_LIMIT = "A141"
    STREAM_TRAILING = "A142"
    HEADER_JSON = "A150"
    HEADER_FIELD = "A151"
    DEVICE_TYPE = "A152"
    TEXT = "A153"
    PAYLOAD_TYPE = "A154"
    TYPE_MISMATCH = "A155"
    STATE_SCRIPT = "A156"
    FILE_NAME = "A157"
    SIZE_LIMIT = "A158"
    WRITE_EXISTS = "A170"
    WRITE_INPUT = "A171"
    WRITE_CHANGED = "A172"
    WRITE_TREE = "A173"
    WRITE_DESTINATION = "A174"
    WRITE_SIGNED = "A175"
    WRITE_PRIVATE_KEY = "A176"
    NOT_FOUND = "A180"
    AMBIGUOUS = "A181"


class ArtifactError(OrchestratorError):
    """An artifact breaks a rule of the format or of ours; nothing of it may be used."""

    exit_code = ExitCode.REFUSED

    def __init__(
        self, rule: Rule, message: str, *, hint: str = "", where: Where | None = None
    ) -> None:
        super().__init__(message, hint=hint, where=where, code=str(rule))
        self.rule = rule
