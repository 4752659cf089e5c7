"""Mender Artifact v3: read, write and check, streaming, without extracting to disk."""

from orchestrator.artifact.errors import ArtifactError, Rule
from orchestrator.artifact.model import (
    Artifact,
    ArtifactFrame,
    Compression,
    Payload,
    PayloadFile,
    ScriptPolicy,
)
from orchestrator.artifact.reader import ReadOptions, read_artifact
from orchestrator.artifact.repository import find
from orchestrator.artifact.source import ArtifactSource
from orchestrator.artifact.spec import (
    ArtifactSpec,
    InputFile,
    PayloadSpec,
    SoftwareVersion,
    directory_payload,
    module_payload,
    path_file,
    single_file_payload,
    text_file,
)
from orchestrator.artifact.writer import sign_artifact, write_artifact

__all__ = [
    "Artifact",
    "ArtifactError",
    "ArtifactFrame",
    "ArtifactSource",
    "ArtifactSpec",
    "Compression",
    "InputFile",
    "Payload",
    "PayloadFile",
    "PayloadSpec",
    "ReadOptions",
    "Rule",
    "ScriptPolicy",
    "SoftwareVersion",
    "directory_payload",
    "find",
    "module_payload",
    "path_file",
    "read_artifact",
    "sign_artifact",
    "single_file_payload",
    "text_file",
    "write_artifact",
]
