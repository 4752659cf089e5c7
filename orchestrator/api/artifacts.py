"""Keys and artifacts: generate, build, sign, verify, inspect."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from orchestrator.api.artifact_values import ArtifactShown, BuildRequest, KeyShown
from orchestrator.api.trust_values import Unlock
from orchestrator.errors import PlanError, TrustError, Where

if TYPE_CHECKING:
    from orchestrator.artifact.model import Artifact
    from orchestrator.artifact.spec import PayloadSpec
    from orchestrator.trust.keys import SigningKey, VerificationKey

PUBLIC_SUFFIX = ".pub"


def key_generate(
    path: Path, *, kind: str = "ecdsa-p256", passphrase: bytes | None = None
) -> KeyShown:
    """Makes a signing key: `path` (mode 0600) and `path` with `.pub`; replaces nothing.

    A missing directory is made, for its owner alone. With a passphrase the private key is
    encrypted.

    Raises:
        TrustError: a file exists or cannot be written, or the passphrase is empty or too long.
        PlanError: there is no such kind of key, or `path` is a directory.
    """
    from orchestrator.trust.keys import KeyKind, generate_key, save_private_key, save_public_key

    kinds = {
        "ecdsa-p256": KeyKind.ECDSA_P256,
        "rsa-3072": KeyKind.RSA,
        "ed25519": KeyKind.ED25519,
    }
    if kind not in kinds:
        message = f"there is no key kind `{kind}`"
        raise PlanError(message, hint=f"kinds: {', '.join(kinds)}", code="T100")
    if path.is_dir():
        message = f"`{path}` is a directory"
        raise PlanError(message, hint="name the file of the private key", code="T100")
    with contextlib.suppress(OSError):  # writing says why
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    public = path.with_name(path.name + PUBLIC_SUFFIX)
    if public.exists():
        message = f"`{public}` exists already"
        raise PlanError(message, hint="keys are never replaced; choose another name", code="T101")
    key = generate_key(kinds[kind])
    save_private_key(key, path, passphrase=passphrase)
    try:
        save_public_key(key.verification, public)
    except TrustError:
        path.unlink(missing_ok=True)  # made just now; half a pair is of no use
        raise
    return _shown(key.verification, path, public)


def key_show(path: Path) -> KeyShown:
    """What a key file holds; private or public.

    Raises:
        TrustError: it is no key that we use.
    """
    from orchestrator.trust.errors import TrustRule
    from orchestrator.trust.keys import TICKET_KINDS, load_private_key, load_public_key

    try:
        return _shown(load_public_key(path, kinds=TICKET_KINDS), None, path)
    except TrustError as not_public:
        try:
            key = load_private_key(path, kinds=TICKET_KINDS)
            return _shown(key.verification, path, None)
        except TrustError as not_private:
            if not_private.code == TrustRule.KEY_PASSPHRASE:
                not_private.hint = f"show its public part: `{path}{PUBLIC_SUFFIX}`"
            raise not_private from not_public


def artifact_build(request: BuildRequest) -> ArtifactShown:
    """Builds an artifact, signed when a key is given.

    Raises:
        ArtifactError: an input cannot be used or holds a private key, or the output exists.
        TrustError: the key cannot be used.
    """
    from orchestrator.artifact.model import Compression
    from orchestrator.artifact.spec import ArtifactSpec, SoftwareVersion
    from orchestrator.artifact.writer import write_artifact

    _check_inputs(request)
    key = None if request.sign_key is None else _signing_key(request.sign_key, request.unlock)
    spec = ArtifactSpec(
        name=request.name,
        device_types=request.device_types,
        payload=_PAYLOADS[request.kind](request),
        depends={name: (value,) for name, value in request.depends.items()},
        provides=dict(request.provides),
        software=SoftwareVersion(version=request.version),
        meta_data=dict(request.meta) or None,
        compression=Compression(request.compression),
    )
    artifact = write_artifact(spec, request.out, sign=_sign(key))
    return show_artifact(request.out, artifact, key.verification if key else None)


def helper_build(request: BuildRequest) -> ArtifactShown:
    """Builds an artifact of this version's own helper, called after it unless the request has a name.

    Raises:
        ArtifactError: the output exists or cannot be written.
        TrustError: the key cannot be used.
    """
    from orchestrator.device.shipped import helper_version

    version = helper_version()
    name = request.name or f"rollout-helper-{version}"
    return artifact_build(replace(request, kind="helper", name=name, version=version))


def _check_inputs(request: BuildRequest) -> None:
    from orchestrator.artifact.errors import ArtifactError, Rule
    from orchestrator.artifact.secrets import refuse_private_keys

    source = request.source
    if source is not None and source.is_dir():
        if request.out.resolve().is_relative_to(source.resolve()):
            message = f"`{request.out}` lies in the tree `{source}` that it is made of"
            hint = "write it somewhere else; it would pack itself"
            raise ArtifactError(Rule.WRITE_TREE, message, hint=hint, where=Where(str(request.out)))
        if request.kind != "directory":
            message = f"`{source}` is a directory"
            hint = "name a file, or use `rollout artifact build directory`"
            raise ArtifactError(Rule.WRITE_INPUT, message, hint=hint, where=Where(str(source)))
    if not request.private_keys:
        named = (source, request.rollback_script, *request.files)
        refuse_private_keys(path for path in named if path is not None)


def artifact_sign(
    path: Path, key: Path, *, out: Path | None = None, unlock: Unlock | None = None
) -> ArtifactShown:
    """Signs an artifact in place, or into `out`.

    Args:
        path: the artifact.
        key: the private key.
        out: where the signed artifact goes, if not in place.
        unlock: where the key's passphrase comes from, if it has one.

    Raises:
        ArtifactError: it breaks a rule, is signed already, or `out` exists.
        TrustError: the key cannot be used.
    """
    from orchestrator.artifact.writer import sign_artifact
    from orchestrator.trust.signature import signer

    signing = _signing_key(key, unlock)
    target = out or path
    artifact = sign_artifact(path, target, sign=signer(signing), overwrite=out is None)
    return show_artifact(target, artifact, signing.verification)


def artifact_verify(path: Path, keys: Sequence[Path]) -> ArtifactShown:
    """Verifies that every rule holds and that one of the keys signed.

    Raises:
        ArtifactError: a rule is broken (code and reason).
        TrustError: no signature, or none of these keys made it.
    """
    from orchestrator.trust.keys import load_public_key
    from orchestrator.trust.signature import verify_artifact

    verified = verify_artifact(path, [load_public_key(key) for key in keys])
    return show_artifact(path, verified.artifact, verified.key)


def artifact_inspect(path: Path) -> ArtifactShown:
    """What an artifact holds; structure and hashes are checked, the signature is not judged.

    Raises:
        ArtifactError: a rule is broken.
    """
    from orchestrator.artifact.reader import read_artifact

    return show_artifact(path, read_artifact(path), None)


def show_artifact(path: Path, artifact: Artifact, key: VerificationKey | None) -> ArtifactShown:
    """The public face of an artifact; `key` is the one that verified it."""
    return ArtifactShown(
        path=path,
        name=artifact.name,
        sha256=artifact.sha256,
        manifest_sha256=artifact.manifest_sha256,
        size_bytes=artifact.size_bytes,
        device_types=artifact.device_types,
        payload_type=artifact.payload.type,
        compression=str(artifact.compression),
        signed=artifact.signature is not None,
        signed_by=f"{key.kind} {key.fingerprint}" if key else "",
        depends={name: list(values) for name, values in artifact.depends.items()},
        provides=dict(artifact.provides),
        files=tuple((file.name, file.size_bytes, file.sha256) for file in artifact.payload.files),
    )


def _shown(key: VerificationKey, private: Path | None, public: Path | None) -> KeyShown:
    return KeyShown(str(key.kind), key.fingerprint, private, public, key.pem.decode("ascii"))


def _signing_key(path: Path, unlock: Unlock | None) -> SigningKey:
    from orchestrator.trust.keys import ARTIFACT_KINDS
    from orchestrator.trust.passphrase import Passphrases
    from orchestrator.trust.signers import unlocked_key

    given = Passphrases() if unlock is None else Passphrases(unlock.passphrase_file, unlock.ask)
    return unlocked_key(path, given, ARTIFACT_KINDS)


def _sign(key: SigningKey | None) -> Callable[[bytes], bytes] | None:
    if key is None:
        return None
    from orchestrator.trust.signature import signer

    return signer(key)


def _source(request: BuildRequest) -> Path:
    if request.source is None:
        message = f"an artifact of kind `{request.kind}` needs a source"
        raise PlanError(message, hint="name the directory, file or script", code="A100")
    return request.source


def _directory(request: BuildRequest) -> PayloadSpec:
    from orchestrator.artifact.spec import directory_payload

    return directory_payload(_source(request), dest_dir=request.dest)


def _single_file(request: BuildRequest) -> PayloadSpec:
    from orchestrator.artifact.spec import single_file_payload

    dest = PurePosixPath(request.dest)
    return single_file_payload(
        _source(request),
        dest_dir=str(dest.parent),
        filename=dest.name or None,
        owner=request.owner,
    )


def _module(request: BuildRequest) -> PayloadSpec:
    from orchestrator.artifact.spec import module_payload

    return module_payload(request.module, request.files)


def _script(request: BuildRequest) -> PayloadSpec:
    from orchestrator.artifact.spec import PayloadSpec, path_file

    files = [path_file(_source(request), name="install")]
    if request.rollback_script is not None:
        files.append(path_file(request.rollback_script, name="rollback"))
    files.extend(path_file(path) for path in request.files)
    return PayloadSpec("script", tuple(files))


def _helper(_request: BuildRequest) -> PayloadSpec:
    from orchestrator.artifact.spec import helper_payload
    from orchestrator.device.shipped import helper_files

    return helper_payload(helper_files())


_PAYLOADS: Mapping[str, Callable[[BuildRequest], PayloadSpec]] = {
    "directory": _directory,
    "single-file": _single_file,
    "module": _module,
    "script": _script,
    "helper": _helper,
}
