"""Asks Ansible, as a process, what the cases of `ansible_cases` mean, and writes the answers down.

`python -m tests.ansible_oracle BIN` adds the cases that are new to `tests/golden/ansible.json`, with
`--all` it asks them all; BIN is the directory of a virtual environment's programs with
ansible-core in it. It is not a dependency: `make test` compares with what is written down,
`make night` asks Ansible itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.ansible_cases import Case, all_cases

ANSWERS = Path(__file__).parent / "golden" / "ansible.json"
CONFIG_OPTIONS = (
    "inventory", "remote_user", "port", "private_key_file", "host_key_checking", "ssh_args",
    "ssh_common_args", "ssh_extra_args",
)  # fmt: skip
_TIMEOUT_S = 120
_REFUSED = {"refused": True}


def write_files(case: Case, directory: Path) -> None:
    """The files of a case below a directory."""
    for name, text in case.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def ask(case: Case, programs: Path) -> dict[str, Any]:
    """What Ansible makes of a case: its listing, the hosts of a pattern, or that it refuses."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write_files(case, directory)
        options = [word for source in case.sources for word in ("-i", source)]
        if case.is_config:
            command = ["ansible-config", "dump", "--only-changed", "-t", "all", "--format", "json"]
        elif case.variable:
            words = ["-m", "debug", "-a", f"var={case.variable}", "-o"]
            command = ["ansible", *options, *words, case.pattern]
        elif case.pattern:
            # `--limit=` and `--`: patterns begin with what looks like an option
            limit = [f"--limit={case.limit}"] if case.limit else []
            command = ["ansible", *options, *limit, "--list-hosts", "--", case.pattern]
        else:
            command = ["ansible-inventory", *options, "--list"]
        done = _run([str(programs / command[0]), *command[1:]], directory)
    if done.returncode != 0:
        return _REFUSED
    if case.is_config:
        return {"config": _config(json.loads(done.stdout), str(directory))}
    if case.variable:
        return {"value": json.loads(done.stdout.partition("=> ")[2])[case.variable]}
    if case.pattern:
        return {"hosts": [line.strip() for line in done.stdout.splitlines()[1:]]}
    return {"listing": _plain(json.loads(done.stdout))}


def _run(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        "ANSIBLE_NOCOLOR": "1",
    }
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True,
        timeout=_TIMEOUT_S, check=False,
    )  # fmt: skip


def _config(dump: list[dict[str, Any]], directory: str) -> dict[str, Any]:
    """What ansible.cfg says of connections over ssh and of the inventory; paths from `.`."""
    base = {item["name"]: item["value"] for item in dump if "name" in item}
    connections = next(item["CONNECTION_PLUGINS"] for item in dump if "CONNECTION_PLUGINS" in item)
    ssh = next((item["ssh"] for item in connections if "ssh" in item), [])
    found = {option["name"]: option["value"] for option in ssh}
    found["inventory"] = base.get("DEFAULT_HOST_LIST")
    known = {name: found[name] for name in CONFIG_OPTIONS if found.get(name) not in (None, "")}
    return dict(json.loads(json.dumps(known).replace(f"{directory}/", "")))


def _plain(value: Any) -> Any:
    """The listing without Ansible's own marks."""
    if isinstance(value, dict):
        if set(value) == {"__ansible_unsafe"}:
            return value["__ansible_unsafe"]
        return {key: _plain(item) for key, item in value.items() if key != "profile"}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def record(programs: Path, known: dict[str, Any]) -> dict[str, Any]:
    """The version of Ansible and its answer to each case, by the digest of the case.

    Args:
        programs: the directory of Ansible's programs.
        known: answers by digest that need not be asked again.
    """
    version = subprocess.run(
        [programs / "ansible", "--version"], capture_output=True, text=True, check=True
    ).stdout.splitlines()[0]
    cases = {case.digest: case for case in all_cases()}
    new = [case for digest, case in cases.items() if digest not in known]
    with ThreadPoolExecutor(2) as pool:
        asked = pool.map(lambda case: ask(case, programs), new)
    answers = known | {case.digest: answer for case, answer in zip(new, asked, strict=True)}
    return {"ansible": version, "answers": {digest: answers[digest] for digest in cases}}


def recorded() -> dict[str, Any]:
    """The answers by digest, as they were written down."""
    answers: dict[str, Any] = json.loads(ANSWERS.read_text(encoding="utf-8"))["answers"]
    return answers


if __name__ == "__main__":
    everything = record(Path(sys.argv[1]), {} if "--all" in sys.argv else recorded())
    text = json.dumps(everything, indent=0, sort_keys=True, ensure_ascii=True)
    ANSWERS.write_text(text + "\n", encoding="utf-8")
