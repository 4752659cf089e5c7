"""A fleet of 400 gateways that both examples of the plan language can be planned for."""

from __future__ import annotations

import shutil
from pathlib import Path

from orchestrator import api
from orchestrator.plan.resolved import ResolvedPlan

PLAYBOOKS = Path(__file__).parents[1] / "playbooks"
INVENTORY = """\
gateways:
  children:
    berlin: {hosts: {"gw-[001:200]": {}}, vars: {site: berlin, timezone: Europe/Berlin}}
    lisbon: {hosts: {"gw-[201:300]": {}}, vars: {site: lisbon, timezone: Europe/Lisbon}}
    denver: {hosts: {"gw-[301:400]": {}}, vars: {site: denver, timezone: America/Denver}}
production: {children: {berlin: {}, lisbon: {}, denver: {}}}
lab: {hosts: {"gw-[001:004]": {}}}
held: {hosts: {gw-399: {}, gw-400: {}}}
rev_a: {hosts: {"gw-[001:250]": {}}, vars: {hardware: rev-a}}
rev_b: {hosts: {"gw-[251:395]": {}}, vars: {hardware: rev-b}}
rev_c: {hosts: {"gw-[396:400]": {}}, vars: {hardware: rev-c}}
"""


class ExampleProject:
    """A directory with that fleet, and releases at the paths that plans name."""

    def __init__(self, root: Path) -> None:
        self._root = root
        (root / "hosts.yml").write_text(INVENTORY)
        (root / "releases").mkdir()
        (root / "tree").mkdir()
        (root / "tree/version").write_text("1")
        api.key_generate(root / "release.key")
        self._settings = api.Settings(
            root=root, state=str(root / "state.db"), inventory=(str(root / "hosts.yml"),)
        )

    def release(self, name: str) -> None:
        """Builds the signed release of that name."""
        api.artifact_build(
            api.BuildRequest(
                kind="directory", out=self._root / f"releases/{name}.mender", name=name,
                device_types=("rpi4",), source=self._root / "tree", dest="/opt/gateway",
                sign_key=self._root / "release.key",
            )
        )  # fmt: skip

    async def example(self, name: str) -> ResolvedPlan:
        """A plan of the playbooks, resolved without asking devices."""
        shutil.copy(PLAYBOOKS / name, self._root / name)
        return await self._resolved(name)

    async def written(self, name: str, text: str) -> ResolvedPlan:
        """Another plan of that text, resolved without asking devices."""
        (self._root / name).write_text(text)
        return await self._resolved(name)

    async def _resolved(self, name: str) -> ResolvedPlan:
        request = api.PlanRequest(self._root / name, api.Source(), offline=True)
        return (await api.prepare(self._settings, request)).resolved
