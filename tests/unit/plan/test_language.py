"""Parser, JSON schema and reference page say the same; the tables of `language` are the middle."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import PlanError, Severity
from orchestrator.plan import language
from orchestrator.plan.language import SECTIONS, Section
from orchestrator.plan.model import GateText, TimeoutTexts
from orchestrator.plan.parse import check_plan, parse_plan
from orchestrator.plan.resolve_waves import MAX_PARALLEL_DEFAULT
from orchestrator.plan.resolved import Gate, Retries, Rollback, Timeouts
from orchestrator.source import PLAN_POLICY, load_yaml, to_plain
from orchestrator.units import format_duration, parse_duration

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "schemas/plan.v1.json").read_text())
REFERENCE = (ROOT / "docs/reference/plan.md").read_text()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
DEFS = SCHEMA["$defs"]
SCHEMA_OF = {
    **{name: DEFS[name] for name in DEFS},
    "plan": SCHEMA,
    "size": DEFS["size"]["anyOf"][3],
    "http": DEFS["gate"]["properties"]["http"],
    "requires": DEFS["requirement"],
    "timeouts": SCHEMA["properties"]["timeouts"],
    "retries": SCHEMA["properties"]["retries"],
    "offline": SCHEMA["properties"]["offline"],
    "rollback": SCHEMA["properties"]["rollback"],
}
HEADING_OF = {"plan": "a plan", "wave": "a wave", "size": "a size", "gate": "a gate"}
BY_NAME = pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)


def test_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    assert SCHEMA["$schema"].endswith("2020-12/schema")


@BY_NAME
def test_schema_has_exactly_the_keys(section: Section) -> None:
    schema = SCHEMA_OF[section.name]

    assert set(schema["properties"]) == set(section.keys)
    assert set(schema.get("required", [])) == set(section.required)
    assert schema["additionalProperties"] is False


@BY_NAME
def test_reference_has_exactly_the_keys_and_defaults(section: Section) -> None:
    heading = HEADING_OF.get(section.name, section.name)
    body = REFERENCE.split(f"\n## Keys of {heading}\n")[1].split("\n## ")[0]

    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", body, re.MULTILINE)

    assert dict(rows) == dict(section.keys)
    assert len(rows) == len(section.keys)


@BY_NAME
def test_defaults_of_the_schema_are_those_of_the_table(section: Section) -> None:
    for key, schema in SCHEMA_OF[section.name]["properties"].items():
        target = DEFS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else {}
        default = schema.get("default", target.get("default"))
        if default is None or section.name == "wave":  # a wave's default is the plan's
            continue
        written = yaml.safe_load(section.keys[key].strip("`"))
        assert written == default, key


def test_defaults_of_the_table_are_those_of_the_code() -> None:
    gate, timeouts, retries = language.GATE.keys, language.TIMEOUTS.keys, language.RETRIES.keys
    resolved = {name: field.default for name, field in Gate.__dataclass_fields__.items()}
    written = {name: field.default for name, field in GateText.__dataclass_fields__.items()}

    for key in ("interval", "initial_delay", "timeout"):
        assert f"`{format_duration(resolved[key + '_s'])}`" == gate[key]
        assert written[key + "_s"] == resolved[key + "_s"]
    for key in ("failure_limit", "inconclusive_limit", "consecutive_error_limit", "count"):
        assert f"`{resolved[key]}`" == gate[key]
    assert gate["on_no_data"] == f"`{resolved['on_no_data']}`"
    for key in ("connect", "transfer", "install", "reboot", "drain"):
        seconds = parse_duration(timeouts[key].strip("`"))
        assert getattr(Timeouts(), key + "_s") == getattr(TimeoutTexts(), key + "_s") == seconds
    default = Retries()
    assert retries["count"] == f"`{default.count}`"
    assert retries["delay"] == f"`{format_duration(default.delay_s)}`"
    assert retries["backoff"] == f"`{default.backoff:g}`"
    assert retries["classes"] == f"`[{', '.join(default.classes)}]`"
    assert language.PLAN.keys["max_parallel"] == f"`{MAX_PARALLEL_DEFAULT}`"
    assert language.ROLLBACK.keys["max_parallel"] == f"`{Rollback().max_parallel}`"


def test_no_key_reads_as_a_boolean_to_old_loaders() -> None:
    keys = {key for section in SECTIONS for key in section.keys}

    assert [key for key in keys if not isinstance(yaml.safe_load(key), str)] == []


def test_every_code_is_in_the_reference() -> None:
    folders = [ROOT / "orchestrator" / name for name in ("plan", "api", "cli")]
    sources = [path for folder in folders for path in folder.glob("*.py")]
    used = {code for path in sources for code in re.findall(r'"([PY]\d{3})"', path.read_text())}
    listed = set(re.findall(r"^\| `([PY]\d{3})` \|", REFERENCE, re.MULTILINE))

    assert used == listed


@pytest.mark.parametrize("path", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda p: p.name)
def test_example_plans_fit_the_schema(path: Path) -> None:
    root = load_yaml(path.read_bytes(), file=path.name, policy=PLAN_POLICY).root

    assert root is not None
    assert list(VALIDATOR.iter_errors(to_plain(root))) == []


def test_example_in_the_reference_is_the_one_that_is_shipped() -> None:
    block = re.search(r"```yaml\n(.*?)```", REFERENCE, re.DOTALL)

    assert block
    assert block[1] == (ROOT / "playbooks/gateway-fw.yml").read_text()


# -- every plan that the parser accepts fits the schema, and what the schema refuses is refused --


_durations = st.sampled_from(["0s", "5s", "1h30m", "500ms", "14d", "30", 30, "1 h", "", True])
_counts = st.sampled_from([-1, 0, 1, 5, 10_000, 1_000_001, "5", 1.5, True, None])
_percents = st.sampled_from([-1, 0, 2.5, 29, 100, 101, "5%", True])
_bools = st.sampled_from([True, False, "yes", "true", 1])
_texts = st.sampled_from(["gw", "a b", "", " ", "1.10", 1.1, "{{ x }}", "{% x %}", "x" * 70, ["a"]])
_sizes = st.sampled_from(
    [1, 0, "10%", "rest", "100%", "0%", "5", 1.5, {"percent": 10}, {"percent": 10, "min": 2},
     {"percent": 0}, {"min": 3}, {"percent": 5, "step": 1}, True]
)  # fmt: skip
_limits = {
    "soak": _durations,
    "max_parallel": _counts,
    "slow_start": _bools,
    "max_failures": _counts,
    "max_fail_percentage": _percents,
}
_labels = st.sampled_from([["site"], ["site", "hardware"], ["a", "a"], [], "site", [5], ["a"] * 9])
_approvals = st.fixed_dictionaries(
    {},
    optional={
        "required": _counts,
        "from": st.sampled_from([["ops"], [], "ops", ["a b"]]),
        "not_author": _bools,
        "expires": _durations,
    },
)
_deadlines = _durations | st.fixed_dictionaries(
    {"after": _durations}, optional={"action": st.sampled_from(["halt", "pause", "abort"])}
)
_bursts = st.fixed_dictionaries({"failures": _counts, "in": _durations})
_backfills = _bools | st.fixed_dictionaries({}, optional={"limit": _counts})
_waves = st.lists(
    _sizes
    | st.fixed_dictionaries(
        {"size": _sizes},
        optional={
            "name": _texts,
            "hosts": _texts,
            "cover": _labels,
            "backfill": _backfills,
            "approval": _approvals,
            "deadline": _deadlines,
            "window": _bursts,
            **_limits,
        },
    ),
    max_size=3,
)
_compares = st.fixed_dictionaries(
    {"to": st.sampled_from(["control", "before", "then"])},
    optional={
        "test": st.sampled_from(["mann_whitney", "fisher", "ratio", "t"]),
        "alpha": st.sampled_from([0, 0.02, 0.5, 0.6, 1, "5%"]),
        "direction": st.sampled_from(["increase", "decrease", "both"]),
        "min_effect": st.sampled_from([0.5, 1, 1.1, 5000, "2"]),
        "min_samples": _counts,
    },
)
_instants = st.sampled_from(
    ["2026-12-01T01:00:00Z", "2026-12-01", "2026-12-01T01:00:00", "2026-12-01T01:00+01:00",
     "2026-13-01T01:00:00Z", 2026]
)  # fmt: skip
_checks = st.fixed_dictionaries(
    {},
    optional={
        "service": st.sampled_from(["gatewayd", "a b", "", "{{ x }}", 5]),
        "process": st.just("gatewayd"),
        "port": _counts,
        "http": st.sampled_from(
            ["http://localhost/", "http://127.0.0.1:80/x", "http://evil/", "x"]
        ),
        "file": st.sampled_from(["/etc/x", "etc", "/a/../b"]),
        "disk": st.just("/var"),
        "min": st.sampled_from(["1MiB", "0B", "1", 5]),
        "load": st.sampled_from([0, 4, 0.5, -1, 1e9, "4"]),
    },
)
_gates = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["g", "h", "a gate"]) | _texts},
        optional={
            "check": st.just("svc") | _texts | _checks,
            "plugin": st.sampled_from(
                [
                    {"kind": "influx"},
                    {"kind": "influx", "options": {"q": "x"}},
                    {"kind": "A"},
                    {},
                    {"kind": "a", "options": {"q": 5}},
                    {"kind": "a", "options": []},
                    "influx",
                ]
            ),
            "http": st.sampled_from(
                [{"url": "http://h/"}, {"url": "http://h/", "value": "/a"}, {}, {"url": "h"}, "h"]
            ),
            "command": st.sampled_from([["a"], ["a", "b"], [], "a", ["a", 5]]),
            "success_when": st.sampled_from(
                ["result.exit == 0", "result.status == 200", "result.open", "value > 5", "x", ""]
            ),
            "stage": st.sampled_from(["device", "wave", "background", "preflight", 5]),
            "waves": st.sampled_from([["wave-1"], [], ["nope"], "wave-1"]),
            "count": _counts,
            "interval": _durations,
            "timeout": _durations,
            "failure_limit": _counts,
            "on_no_data": st.sampled_from(["fail", "inconclusive", "success"]),
            "dry_run": _bools,
            "compare": st.just({}) | _compares,
            "prometheus": st.sampled_from(
                [
                    {"url": "http://h/", "query": "up"},
                    {"url": "http://h/"},
                    {"query": "up"},
                    "up",
                    {"url": "http://h/", "query": "up", "label": "device"},
                ]
            ),
            "tcp": st.sampled_from([{"host": "h", "port": 1}, {"host": "h"}, {"port": 0}, "h:1"]),
            "stats": st.sampled_from(["duration", "regressions", "speed", 5]),
        },
    ),
    max_size=2,
)
_WILD = {
    "schema": st.sampled_from([2, "1", True, 1.0]),
    "name": _texts,
    "hosts": _texts,
    "artifact": _texts,
    "waves": _waves,
    "release": _texts,
    "vars": st.sampled_from([{}, {"a": 1}, {"a": [1, {"b": None}]}, {"1": 2}, [], {"_a": 1}]),
    "become": st.sampled_from(["sudo", "doas", True, "root"]),
    "gates": _gates,
    "on_failure": st.sampled_from(["halt", "rollback", "continue", "stop"]),
    "rollback": st.fixed_dictionaries(
        {},
        optional={
            "scope": st.sampled_from(["wave", "rollout", "x"]),
            "order": st.sampled_from(["reverse", "forward", "x"]),
            "verify": _bools,
            "respect_windows": _bools,
            "max_parallel": _counts,
        },
    ),
    "timeouts": st.fixed_dictionaries({}, optional={"connect": _durations, "x": _durations}),
    "retries": st.fixed_dictionaries(
        {}, optional={"count": _counts, "classes": st.sampled_from([[], ["connect"], ["x"]])}
    ),
    "offline": st.fixed_dictionaries(
        {},
        optional={
            "policy": st.sampled_from(["defer", "fail", "wait", "later"]),
            "for": _durations,
            "max_unreachable_percentage": _percents,
        },
    ),
    "windows": st.lists(
        st.fixed_dictionaries(
            {
                "start": st.sampled_from(["22:30", "24:00", "1:00", 60]),
                "duration": st.sampled_from(["4h", "0s", "8d", 4]),
                "timezone": st.sampled_from(["UTC", "Europe/Berlin", "device", "", "a b", "+1"]),
            },
            optional={
                "days": st.sampled_from([["mon"], ["mon", "mon"], [], ["monday"], "mon"]),
                "must_finish": _bools,
            },
        ),
        max_size=2,
    ),
    "freezes": st.lists(
        st.fixed_dictionaries({"from": _instants, "to": _instants}, optional={"reason": _texts}),
        max_size=2,
    ),
    "start_at": _instants,
    "stage_outside_window": _bools,
    "requires": st.lists(
        st.fixed_dictionaries(
            {"plan": _texts},
            optional={
                "release": st.sampled_from([">=7.3", ">=7.3, <8", "~7", 7.3, ">="]),
                "per": st.sampled_from(["device", "site", "all", "rack"]),
            },
        ),
        max_size=2,
    ),
    "order": st.sampled_from(
        [
            "hash",
            "sorted",
            "random",
            {"by": "sorted"},
            {"seed": "x"},
            {"by": "inventory", "seed": "x"},
        ]
    ),
    "sticky": _bools,
    "spread": _labels,
    "cover": _labels,
    "late_joiners": st.sampled_from(["ignore", "append", "add"]),
    "max_parallel_per": st.sampled_from([{}, {"site": 2}, {"site": 0}, {"site": "2"}, [], "site"]),
    "rate": st.fixed_dictionaries(
        {"per_minute": _counts},
        optional={
            "increase": st.fixed_dictionaries(
                {"after_successes": _counts, "max_per_minute": _counts},
                optional={"factor": st.sampled_from([0.5, 1, 2, 101, "2"])},
            )
        },
    ),
    "budget": st.fixed_dictionaries(
        {}, optional={"max_failures": _counts, "max_fail_percentage": _percents, "window": _bursts}
    ),
    "backfill": _backfills,
    "approval": _approvals,
    "deadline": _deadlines,
    "priority": _counts,
    "on_conflict": st.sampled_from(["queue", "supersede", "fail", "wait"]),
    "hooks": st.lists(
        st.fixed_dictionaries(
            {"events": st.sampled_from([["halted"], [], ["stopped"], "halted"])},
            optional={
                "http": st.sampled_from(["http://h/", "h", "http://u:p@h/"]),
                "command": st.sampled_from([["a"], [], "a"]),
                "email": st.sampled_from(["a@b.example", "a", "a@b, c@d"]),
            },
        ),
        max_size=2,
    ),
    **_limits,
}
_VALID = {
    "schema": 1,
    "name": "gw",
    "hosts": "all",
    "artifact": "a.mender",
    "waves": [1, "rest"],
}
_plans = st.sampled_from(sorted(_WILD)).flatmap(
    lambda key: _WILD[key].map(lambda value, key=key: {**_VALID, key: value})
)  # one key is anything, the others are fine: about half of the plans are accepted


@settings(deadline=None)
@given(_plans)
def test_what_the_parser_accepts_fits_the_schema(document: dict[str, object]) -> None:
    data = yaml.safe_dump(document, sort_keys=False).encode()

    fits = VALIDATOR.is_valid(document)
    errors = [each for each in check_plan(data, file="p.yml") if each.severity is Severity.ERROR]

    assert fits or errors


@BY_NAME
@settings(deadline=None, max_examples=20)  # of each section: all such words are alike
@given(word=st.from_regex(r"[a-z_]{3,20}", fullmatch=True))
def test_unknown_keys_are_refused_by_both(section: Section, word: str) -> None:
    document = _with_key(section, word)

    fits = VALIDATOR.is_valid(document)
    known = word in section.keys

    assert known or not fits
    if not known:
        with pytest.raises(PlanError) as caught:
            parse_plan(yaml.safe_dump(document).encode(), file="p.yml")
        codes = {found.code for found in caught.value.diagnostics}
        assert codes & {"P107", "Y112"}


@BY_NAME
def test_document_without_the_extra_key_is_fine(section: Section) -> None:
    document = _with_key(section, None)

    assert list(VALIDATOR.iter_errors(document)) == []
    assert parse_plan(yaml.safe_dump(document).encode(), file="p.yml").name == "gw"


def _with_key(section: Section, word: str | None) -> dict[str, object]:
    extra: dict[str, object] = {} if word is None else {word: "x"}

    def of(name: str, /, **keys: object) -> dict[str, object]:
        return {**keys, **(extra if section.name == name else {})}

    wave = of(
        "wave",
        size=of("size", percent=10),
        backfill=of("backfill"),
        approval=of("approval"),
        deadline=of("deadline", after="2d"),
        window=of("window", failures=1, **{"in": "10m"}),
    )
    gate = of(
        "gate",
        name="g",
        http=of("http", url="http://h/"),
        success_when="result.status == 200",
    )
    return of(
        "plan",
        schema=1,
        name="gw",
        hosts="all",
        artifact="a",
        requires=[of("requires", plan="modem")],
        order=of("order"),
        windows=[of("windows", start="22:30", duration="4h", timezone="UTC")],
        freezes=[of("freezes", **{"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"})],
        rate=of(
            "rate",
            per_minute=1,
            increase=of("increase", after_successes=1, max_per_minute=2),
        ),
        budget=of("budget", max_failures=1),
        waves=[wave, "rest"],
        gates=[
            gate,
            {"name": "c", "check": of("check", load=4), "success_when": "result.exit == 0"},
            {
                "name": "o",
                "plugin": of("plugin", kind="influx"),
                "success_when": "result.value > 0",
            },
            {"name": "t", "tcp": of("tcp", host="h", port=1), "success_when": "result.open"},
            {
                "name": "p",
                "prometheus": of("prometheus", url="http://h/", query="up", label="device"),
                "compare": of("compare", to="control", min_effect=1.1),
            },
        ],
        timeouts=of("timeouts"),
        retries=of("retries"),
        offline=of("offline"),
        rollback=of("rollback"),
        hooks=[of("hooks", events=["halted"], http="http://h/")],
    )
