"""Package URLs: `pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS#SUBPATH`, and OSV's names for them.

Source: package-url specification (types, percent-encoding, lower case of types).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

_FORM = re.compile(r"pkg:/*([A-Za-z][A-Za-z0-9.+-]*)/([^?#]+)(?:\?([^#]*))?(?:#.*)?", re.DOTALL)
_DISTRIBUTIONS = {"deb/debian": "Debian", "deb/ubuntu": "Ubuntu", "apk/alpine": "Alpine"}
_ECOSYSTEMS = {  # by type; those of distributions depend on the namespace
    "pypi": "PyPI",
    "npm": "npm",
    "cargo": "crates.io",
    "golang": "Go",
    "maven": "Maven",
    "nuget": "NuGet",
    "gem": "RubyGems",
    "composer": "Packagist",
    "hex": "Hex",
    "pub": "Pub",
    "conan": "ConanCenter",
}


@dataclass(frozen=True, slots=True)
class Purl:
    """A package; `version` is empty where it names all of its versions."""

    type: str
    namespace: str
    name: str
    version: str = ""
    qualifiers: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        space = f"{self.namespace}/" if self.namespace else ""
        version = f"@{self.version}" if self.version else ""
        return f"pkg:{self.type}/{space}{self.name}{version}"

    def names(self, other: Purl) -> bool:
        """Whether this names the other package: the same, in that version or in any."""
        same = (self.type, self.namespace, self.name) == (other.type, other.namespace, other.name)
        return same and self.version in ("", other.version)

    @property
    def ecosystem(self) -> str:
        """OSV's name of where it comes from, without a release; empty where OSV has none."""
        found = _DISTRIBUTIONS.get(f"{self.type}/{self.namespace}")
        return found or _ECOSYSTEMS.get(self.type, "")

    @property
    def release(self) -> str:
        """The release of a distribution, as `12`; empty where none is said."""
        return self.qualifiers.get("distro", "").rpartition("-")[2]

    @property
    def source(self) -> tuple[str, str]:
        """Name and version in OSV: of a package of a distribution those of its source.

        Distributions list vulnerabilities by source package, which the qualifier `upstream` names
        where the binary package has another name (or, as NAME@VERSION, version).
        """
        match self.type:
            case "deb" | "apk":
                name, _, version = self.qualifiers.get("upstream", "").partition("@")
                return name or self.name, version or self._with_epoch()
            case "maven":
                return f"{self.namespace}:{self.name}", self.version
            case _:
                return "/".join(filter(None, (self.namespace, self.name))), self.version

    def _with_epoch(self) -> str:
        epoch = self.qualifiers.get("epoch", "")
        return f"{epoch}:{self.version}" if epoch and ":" not in self.version else self.version


def parse_purl(text: str) -> Purl | None:
    """The package of a package URL; None where it is none."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    kind, path, query = match[1].lower(), match[2].strip("/"), match[3] or ""
    head, at, version = path.rpartition("@")
    # an `@` in a namespace (npm's scopes) is written %40, or stands before the last slash
    if not at or "/" in version:
        head, version = path, ""
    namespace, _, name = head.rpartition("/")
    parts = [unquote(part) for part in namespace.split("/") if part]
    name = unquote(name)
    if kind in ("deb", "pypi", "apk"):
        parts, name = [part.lower() for part in parts], name.lower()
    pairs = (item.partition("=") for item in query.split("&") if item)
    qualifiers = {key.lower(): unquote(value) for key, _, value in pairs if value}
    found = Purl(kind, "/".join(parts), name, unquote(version), qualifiers)
    return found if found.name else None
