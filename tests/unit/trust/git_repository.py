"""A git repository made by git itself, with SSH keys that sign its commits; and git as the judge."""

import os
import subprocess
from pathlib import Path

from tests.unit.trust.ssh_keys import SshKeys, line

ENVIRONMENT = {
    "PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "ann", "GIT_AUTHOR_EMAIL": "ann@corp",
    "GIT_COMMITTER_NAME": "ann", "GIT_COMMITTER_EMAIL": "ann@corp",
}  # fmt: skip


class GitRepository:
    """A repository in `root`; keys and lists of signers lie beside it."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.root = directory / "repository"
        self.root.mkdir()
        self.outside = directory / "outside"
        self.outside.mkdir()
        self.keys = SshKeys(self.outside)
        for name in ("ann", "bob"):
            self.keys.make(name)
        self.allowed = self.outside / "allowed_signers"
        self.allowed.write_text(line("ann@corp", self.keys.public("ann"), 'namespaces="git"'))
        self.git("init", "-q", "-b", "main", *options)

    def git(self, *words: str, check: bool = True, given: bytes = b"") -> str:
        done = subprocess.run(
            ("git", *words), cwd=self.root, env=ENVIRONMENT, input=given,
            capture_output=True, check=check, timeout=60,
        )  # fmt: skip
        return done.stdout.decode().strip() if check else str(done.returncode)

    def commit(self, signer: str = "ann", *, sign: bool = True) -> str:
        """Commits everything that git does not ignore; gives the commit's name."""
        self.git("add", "-A")
        key = ("-c", "gpg.format=ssh", "-c", f"user.signingkey={self.keys.path(signer)}")
        self.git(*key, "commit", "-q", "--allow-empty", "-m", "a\n\nb", *(["-S"] if sign else []))
        return self.git("rev-parse", "HEAD")

    def commit_with(self, signature: str, header: str = "gpgsig") -> str:
        """A commit of the present tree with any text as its signature, checked out."""
        data = self.unsigned()
        head, _, message = data.partition("\n\n")
        folded = signature.strip().replace("\n", "\n ")
        return self.check_out(f"{head}\n{header} {folded}\n\n{message}")

    def unsigned(self) -> str:
        name = self.commit(sign=False)
        return self.git("cat-file", "commit", name) + "\n"

    def check_out(self, text: str) -> str:
        words = ("hash-object", "-t", "commit", "-w", "--stdin")
        name = self.git(*words, given=text.encode())
        self.git("update-ref", "HEAD", name)
        return name

    def verifies(self, name: str) -> bool:
        """What `git verify-commit` says."""
        option = f"gpg.ssh.allowedSignersFile={self.allowed}"
        return self.git("-c", option, "verify-commit", name, check=False) == "0"
