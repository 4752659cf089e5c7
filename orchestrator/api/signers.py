"""Whose SSH signatures count, from the files that the operator's configuration names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.values import Settings
from orchestrator.errors import TrustError, system_reason

if TYPE_CHECKING:
    from orchestrator.trust.allowed import AllowedSigner
    from orchestrator.trust.revoked import Revoked

FILE_BYTES_MAX = 16 * 1024 * 1024
_AUTHORITY = b"@cert-authority"


def signers(settings: Settings) -> tuple[tuple[AllowedSigner, ...], Revoked]:
    """Who may sign, and which keys do not count any more.

    Raises:
        TrustError: no file is named, or one cannot be used in full.
    """
    from orchestrator.trust.allowed import read_allowed_signers
    from orchestrator.trust.revoked import Revoked, read_revoked

    allowed_file, revoked_file = settings.allowed_signers, settings.revoked_signers
    if allowed_file is None:
        message = "the configuration names no file of allowed signers"
        hint = 'name it in your own configuration: `allowed_signers = "/etc/rollout/signers"`'
        raise TrustError(message, hint=hint, code="T133")
    revoked = Revoked()
    if revoked_file is not None:
        revoked = read_revoked(bytes_of(revoked_file), str(revoked_file))
    return read_allowed_signers(bytes_of(allowed_file), str(allowed_file)), revoked


def refuse_inside(settings: Settings, place: Path) -> None:
    """Refuses files that say whom to trust where who writes the plans writes them too.

    Args:
        settings: the operator's configuration.
        place: the plan, or another file of its repository.

    Raises:
        TrustError: one lies there.
    """
    from orchestrator.trust.errors import TrustRule, refuse
    from orchestrator.trust.work_tree import work_tree_of

    tree = work_tree_of(place.resolve().parent)
    if tree is None:
        return
    trust = settings.trust_root, settings.host_ca, settings.user_ca
    named = (settings.allowed_signers, settings.revoked_signers, *trust)
    hosts = filter(names_authorities, settings.known_hosts)
    for file in (*named, *hosts):
        if file is not None and tree.holds(file):
            message = (
                f"`{file}` lies in the repository of the plan, which would choose whom to trust"
            )
            hint = "keep it where only operators write"
            raise refuse(TrustRule.SIGNERS_PLACE, message, hint=hint)


def names_authorities(known_hosts: Path) -> bool:
    """Whether a file of known hosts says who may vouch for hosts, and not only which keys they have."""
    try:
        return _AUTHORITY in bytes_of(known_hosts)
    except TrustError:
        return False  # a file that is not there knows nobody


def bytes_of(path: Path) -> bytes:
    """The bytes of a file of signers, or of what one of them signed.

    Raises:
        TrustError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        message = f"cannot read `{path}`: {system_reason(error)}"
        raise TrustError(message, code="T133") from error
