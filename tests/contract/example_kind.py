"""A tiny package that brings a kind of gate, laid out as an installed one."""

PACKAGE = '''
"""The kind `example`: gives back the number that the plan holds."""

import asyncio

from orchestrator.engine.ports import Sample
from orchestrator.gates.failure import ProbeError


class Example:
    def check(self, probe):
        if not dict(probe.options).get("answer"):
            raise ProbeError("`example` needs `answer`")

    async def sample(self, probe, *, deadline_s):
        answer = dict(probe.options)["answer"]
        if answer == "never":
            await asyncio.Event().wait()
        if answer == "list":
            return Sample({"value": [1]})
        if answer == "nothing":
            return None
        if answer == "nan":
            return Sample({"value": float("nan")}, series={"a": float("inf"), "b": 1.0})
        return Sample({"value": int(answer)})
'''
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"


def install(directory, monkeypatch, *, name="rollout-example", kind="example"):
    """Makes the package importable, as an installer would; it is gone with `monkeypatch`."""
    module = name.replace("-", "_")
    (directory / f"{module}.py").write_text(PACKAGE)
    info = directory / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA.format(name=name))
    (info / "entry_points.txt").write_text(f"[rollout.gates]\n{kind} = {module}:Example\n")
    monkeypatch.syspath_prepend(str(directory))
