"""A lab whose devices have another update client, and its page of docs/: the commands as they stand."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.integration.project import Project

DEVICES = 3
HOW_TO = Path(__file__).parents[2] / "docs/how-to"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REBOOT = '#!/bin/sh\n: >"{root}/run/reboot"\n'


class ClientFleet:
    """Somebody who follows the page, in an empty directory and with three gateways."""

    def __init__(self, root: Path, program: Path, page: str) -> None:
        self.project = Project(root, devices=DEVICES)
        self.blocks = _BLOCK.findall((HOW_TO / page).read_text(encoding="utf-8"))
        path = self.project.environment()["PATH"]
        self.project.env["PATH"] = f"{program}:{path}"

    def up(self) -> list[Path]:
        """The page's first block, and gateways that trust the key which it makes; their trees."""
        project = self.project
        self.type(self.blocks[0])
        project.run("lab", "up", "--devices", str(DEVICES), "--key", "release.key.pub")
        listed = project.inventory.read_text().replace("\nlab:", "\ngateways:")
        (project.root / "inventory.yml").write_text(listed)
        (project.root / "rollout.toml").write_text('inventory = ["inventory.yml"]\n')
        roots = [project.device_root(f"lab-{number:02d}") for number in range(1, DEVICES + 1)]
        for root in roots:
            (root / "etc/rollout/device_type").write_text("gateway\n")
        return roots

    def down(self) -> None:
        self.project.down()

    def type(self, text: str) -> str:
        """Runs a block, which must end well; gives what it printed to stdout."""
        done = subprocess.run(
            ["sh", "-euc", text], cwd=self.project.root, env=self.project.environment(),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def furnish(self, root: Path, boot: str, programs: dict[str, str]) -> None:
        """Gives a device programs, by their paths, and what its boot loader does before anything else."""
        launch = root / "usr/lib/rollout/launch"
        text = launch.read_text().replace("\npath=", f"\npath={root}/programs:")
        text = text.replace(
            "#!/bin/sh\n", f'#!/bin/sh\n[ "${{1-}}" != boot ] || {{ {boot}; }}\n', 1
        )
        launch.write_text(text)
        for name, body in {"sbin/reboot": REBOOT.format(root=root), **programs}.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(body)
            (root / name).chmod(0o755)
