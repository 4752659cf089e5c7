import asyncio
import os
import sys
import textwrap
import time
from pathlib import Path

import pytest

from orchestrator.engine.ports import Sample
from orchestrator.gates.probes import Probes
from orchestrator.outward.command import OUTPUT_BYTES_MAX
from orchestrator.plan.resolved import Probe, ProbeKind
from tests.patience import within


@pytest.fixture
def script(tmp_path):
    """Makes an executable Python script; gives its path."""

    def make(text):
        path = tmp_path / "gate"
        path.write_text(f"#!{sys.executable} -I\n" + textwrap.dedent(text))
        path.chmod(0o755)
        return str(path)

    return make


async def run(program, *words, deadline_s=10.0, **more):
    probe = Probe(ProbeKind.COMMAND, argv=(program, *words))
    return await Probes(allowed=[program], **more).sample(probe, deadline_s=deadline_s)


class TestFields:
    @pytest.mark.parametrize("code", [0, 1, 124, 127])
    async def test_exit_code_is_a_field(self, script, code):
        assert await run(script(f"raise SystemExit({code})")) == Sample({"exit": code})

    async def test_json_line_adds_its_fields(self, script):
        program = script("""print('looking ...\\n{"value": 1.5, "who": "web"}\\ndone')""")

        assert await run(program) == Sample({"exit": 0, "value": 1.5, "who": "web"})

    @pytest.mark.parametrize(
        ("line", "word"),
        [
            ('{"value": [1]}', "'value' is a list"),
            ('{"exit": 0}', "'exit' stands twice"),
            ('{"value": 1', "does not parse"),
            ('{"a": 1}\n{"b": 2}', "wrote 2 JSON lines"),
        ],
    )
    async def test_line_that_breaks_the_rules_is_an_error(self, script, line, word):
        found = await run(script(f"print({line!r})"))

        assert word in found.error
        assert found.fields == {}

    async def test_number_that_is_not_finite_is_no_data(self, script):
        assert await run(script("""print('{"value": NaN}')""")) == Sample({"exit": 0})

    async def test_bytes_that_are_no_text_bring_no_fields(self, script):
        program = script("import sys; sys.stdout.buffer.write(bytes(range(256)))")

        assert await run(program) == Sample({"exit": 0})

    async def test_program_ended_by_a_signal_is_an_error(self, script):
        found = await run(script("import os; os.kill(os.getpid(), 11)"))

        assert "was ended by signal 11" in found.error


class TestAllowed:
    async def test_nothing_is_allowed_unless_the_operator_says_so(self):
        probe = Probe(ProbeKind.COMMAND, argv=("/bin/true",))

        found = await Probes().sample(probe, deadline_s=1)

        assert "`/bin/true` is not allowed" in found.error
        assert Probes().refused(probe) == found.error

    @pytest.mark.parametrize("name", ["true", "/bin/../bin/true", "//bin/true", "/bin/true ", ""])
    def test_another_spelling_is_not_allowed(self, name):
        probe = Probe(ProbeKind.COMMAND, argv=(name,))

        assert "is not allowed" in Probes(["/bin/true"]).refused(probe)

    def test_empty_command_is_refused(self):
        assert Probes(["true"]).refused(Probe(ProbeKind.COMMAND)) is not None

    def test_relative_path_is_refused_even_if_listed(self):
        probe = Probe(ProbeKind.COMMAND, argv=("./gate",))

        assert "neither an absolute path nor a name" in Probes(["./gate"]).refused(probe)

    def test_allowed_program_that_is_missing_is_said(self):
        probe = Probe(ProbeKind.COMMAND, argv=("/no/such/gate",))

        assert "is not there" in Probes(["/no/such/gate"]).refused(probe)

    async def test_name_is_looked_up_in_the_fixed_path_only(self, tmp_path, monkeypatch):
        liar = tmp_path / "true"
        liar.write_text("#!/bin/sh\nexit 9\n")
        liar.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

        assert await run("true") == Sample({"exit": 0})

    async def test_file_that_cannot_be_run_is_an_error(self, tmp_path):
        broken = tmp_path / "gate"
        broken.write_bytes(b"\x00nonsense")
        broken.chmod(0o755)

        assert "did not start" in (await run(str(broken))).error

    async def test_nul_in_a_word_is_an_error(self):
        assert "did not start" in (await run("true", "a\0b")).error

    def test_checks_are_the_device_s_business(self):
        assert Probes().refused(Probe(ProbeKind.CHECK, check="http-200")) is None

    async def test_a_check_never_comes_here(self):
        with pytest.raises(AssertionError, match="on the device"):
            await Probes().sample(Probe(ProbeKind.CHECK, check="x"), deadline_s=1)


class TestIsolation:
    async def test_words_reach_the_program_as_they_are(self, script):
        program = script("import sys, json; print(json.dumps({'words': repr(sys.argv[1:])}))")
        words = ("$(id)", "; id", "a b", "*", "", "--x='y'", "`id`")

        found = await run(program, *words)

        assert found.fields["words"] == repr(list(words))

    async def test_environment_holds_nothing_of_the_controller(self, script, monkeypatch):
        monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
        monkeypatch.setenv("SECRET_TOKEN", "s3cret")
        program = script(
            "import os, json; print(json.dumps({'names': ' '.join(sorted(os.environ))}))"
        )

        found = await run(program, context={"plan": "web", "rollout_id": "r-1"})

        assert found.fields["names"] == "LC_ALL PATH ROLLOUT_PLAN ROLLOUT_ROLLOUT_ID"

    async def test_stdin_is_closed(self, script):
        program = script("import sys, json; print(json.dumps({'n': len(sys.stdin.read())}))")

        assert await run(program) == Sample({"exit": 0, "n": 0})

    async def test_stderr_is_not_a_sample(self, script):
        program = script("""import sys; print('{"value": 1}', file=sys.stderr)""")

        assert await run(program) == Sample({"exit": 0})


class TestLimits:
    async def test_too_much_output_ends_the_program(self, script, tmp_path):
        program = script("while True: print('x' * 1000)")

        found = await run(program)

        assert found == Sample(error="the command wrote more than 64 KiB")

    async def test_output_up_to_the_limit_is_read(self, script):
        program = script(f"print('x' * ({OUTPUT_BYTES_MAX} - 20) + '\\n' + '{{\"n\": 1}}')")

        assert await run(program) == Sample({"exit": 0, "n": 1})

    async def test_whole_group_is_killed_at_the_deadline(self, script, tmp_path):
        pids, deadline_s = tmp_path / "pids", within(0.5)
        program = script(f"""
            import os, signal, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            child = os.fork()
            with open({str(pids)!r}, "a") as file:
                print(os.getpid(), file=file)
            time.sleep(60)
        """)
        began = time.monotonic()

        found = await run(program, deadline_s=deadline_s)

        assert found.error == f"command `{program}` ran out of time ({deadline_s:g} s)"
        assert time.monotonic() - began < within(5)
        assert await gone(pids)

    async def test_child_left_behind_with_the_pipe_open_does_not_outlive_the_deadline(
        self, script, tmp_path
    ):
        pids = tmp_path / "pids"
        program = script(f"""
            import os, time
            if os.fork() == 0:
                with open({str(pids)!r}, "a") as file:
                    print(os.getpid(), file=file)
                time.sleep(60)
        """)

        found = await run(program, deadline_s=within(0.5))

        assert "ran out of time" in found.error
        assert await gone(pids)

    async def test_cancelled_sample_leaves_no_process(self, script, tmp_path):
        pids, told = tmp_path / "pids", tmp_path / "told"
        os.mkfifo(told)
        program = script(f"""
            import os, time
            with open({str(pids)!r}, "w") as file:
                print(os.getpid(), file=file)
            with open({str(told)!r}, "w") as file:
                pass
            time.sleep(60)
        """)
        sample = asyncio.ensure_future(run(program, deadline_s=60))
        await asyncio.to_thread(told.read_bytes)  # waits until the program has opened it

        sample.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sample

        assert await gone(pids)


async def gone(pids):
    """True when every process of the file ends within a moment (zombies of init count as gone)."""
    numbers = [int(line) for line in pids.read_text().split()]
    assert numbers
    for _ in range(200):
        if not any(alive(number) for number in numbers):
            return True
        await asyncio.sleep(0.01)
    return False


def alive(pid):
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
