"""A fleet's keys, a signed artifact and a signed root, for the tests of tickets and roots."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator import api

ROOT_KEYS = ("ann", "bob")
RELEASE_KEYS = ("rel1", "rel2", "rel3")


@dataclass(frozen=True)
class Releases:
    """A directory with all of it."""

    where: Path

    def key(self, name: str) -> str:
        """The private key of that name, made when it is first asked for; Ed25519 if it says so."""
        path = self.where / f"{name}.key"
        if not path.exists():
            kind = "ed25519" if name.startswith("ed25519") else "ecdsa-p256"
            api.key_generate(path, kind=kind)
        return str(path)

    def public(self, name: str) -> str:
        return f"{self.key(name)}.pub"

    def signer(self, name: str) -> api.SignWith:
        return api.SignWith(self.key(name))

    def key_id(self, name: str) -> str:
        return api.key_show(Path(self.public(name))).fingerprint

    def artifact(self, name: str = "app-2.0", key: str = "build", types=("rpi5", "rpi4")) -> Path:
        out = self.where / f"{name}-{key}.mender"
        (self.where / "tree").mkdir(exist_ok=True)
        (self.where / "tree/run").write_text(name)
        api.artifact_build(
            api.BuildRequest(
                kind="directory", out=out, name=name, device_types=types,
                source=self.where / "tree", dest="/opt/app", sign_key=Path(self.key(key)),
            )
        )  # fmt: skip
        return out

    def root(
        self, *, signed_by: tuple[str, ...] = ROOT_KEYS, build: tuple[str, ...] = ("build",)
    ) -> Path:
        """The first root: two of two root keys, two of three release keys, one build key or more."""
        out = self.where / "root-1.txt"
        if not out.exists():
            roles = (("root", ROOT_KEYS), ("release", RELEASE_KEYS), ("build", build))
            add = tuple((role, self.public(name)) for role, names in roles for name in names)
            request = api.RootRequest(
                out, add, thresholds={"root": 2, "release": 2},
                sign_with=tuple(self.signer(name) for name in signed_by),
            )  # fmt: skip
            api.root_init("acme-prod", request)
        return out

    def request(self, **changes: object) -> api.TicketRequest:
        given = {
            "artifact": self.where / "app-2.0-build.mender", "expires": "30d",
            "root": self.root(), "out": self.where / "app.ticket", **changes,
        }  # fmt: skip
        if not given["artifact"].exists():
            self.artifact()
        return api.TicketRequest(**given)
