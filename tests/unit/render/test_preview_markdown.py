from __future__ import annotations

import re
from dataclasses import replace

from markdown_it import MarkdownIt

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.errors import TrustError
from orchestrator.plan.difference import Since, difference
from orchestrator.plan.digest import digest
from orchestrator.plan.preview import preview
from orchestrator.plan.resolved import ResolvedPlan, Risk, Skipped
from orchestrator.render.findings import preview_findings
from orchestrator.render.markdown import COMMENT_BYTES_MAX
from orchestrator.render.preview_markdown import markdown, refused_markdown
from tests.unit.render.test_since import earlier

DIGEST = "e1" * 32
PARSER = MarkdownIt("commonmark").enable("table")
OURS = re.compile(
    r"<!-- rollout:preview:gateway-fw -->|</details>|<details><summary>[A-Za-z0-9, ]+</summary>"
)
HOSTILE = (
    "@all #1 ![x](http://e/) <img src=x> [y](javascript:z)",
    "\n/close\n```\n</details>\n\n# x\n",
    "a|b `c` ``d`` -->",
    "`", "``` `` `", "\\`", " `x` ", "<!-- x", "&lt;script&gt;", "*a* _b_ ~~c~~", "| --- |\n| x |",
    "http://evil/x www.evil.com a@b.c", "$x^2$ :smile: !12 &3 ~label %4",
)  # fmt: skip
FENCED = re.compile(r"^(`{3,})text\n.*?^\1$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")


def comment(plan: ResolvedPlan, *refusals: TrustError, **more: object) -> str:
    facts = preview(plan)
    return markdown(facts, DIGEST, preview_findings(facts, refusals), **more)


def acting(text: str) -> str:
    """What stands neither in a fenced block nor in a code span."""
    return SPAN.sub("", FENCED.sub("", text))


def test_whole_comment(plan, golden) -> None:
    since = Since("gw.plan", "0d" * 32, difference(earlier(plan), plan))
    link = "https://ci.example/jobs/7"

    golden("preview.md", comment(plan, TrustError("x", code="T184"), since=since, link=link))


def test_the_first_line_names_the_plan_so_that_a_comment_is_replaced(plan) -> None:
    assert comment(plan).splitlines()[0] == "<!-- rollout:preview:gateway-fw -->"
    assert comment(plan).count("<!--") == 1


def test_an_equal_digest_says_that_the_review_carries_over(plan) -> None:
    same = Since("gw.plan", DIGEST, difference(plan, plan))

    text = comment(plan, since=same)

    assert "**Since `gw.plan`**: nothing has changed, the digest is the same" in text
    assert "What changed since" not in text
    assert digest(plan) not in text


def test_text_of_others_neither_acts_nor_shows_as_markdown(plan, plan_with) -> None:
    evil = (
        "@all #1 ![x](http://e/) <img src=x> [y](javascript:z)\n/close\n```\n</details> a|b `c` -->"
    )
    first, *_ = plan.devices
    hostile = plan_with(
        release=evil,
        seed=evil,
        plan_file=evil,
        artifact=replace(plan.artifact, name=evil, signed_by=evil),
        gates=(replace(plan.gates[0], name=evil, success_when=evil),),
        devices={**plan.devices, first: replace(plan.devices[first], current=evil)},
        skipped=(Skipped(DeviceId("gw-x"), Reason.HELD, evil),),
        risks=(Risk("P901", evil, 3),),
    )

    text = comment(hostile, TrustError(evil, code="T184"))

    left = acting(text)
    assert not re.search(r"[@#]\w|!\[|\]\(|<img|javascript|^/", left, re.MULTILINE)
    assert left.count("<details>") == left.count("</details>") == text.count("<summary>")
    assert re.findall(r"<[^>]*>", left.replace("<!-- rollout:preview:gateway-fw -->", "")) == [
        tag for _ in range(left.count("<details>"))
        for tag in ("<details>", "<summary>", "</summary>", "</details>")
    ]  # fmt: skip


def test_a_parser_of_markdown_sees_no_more_than_our_own_marks(plan_with, plan) -> None:
    first, *_ = plan.devices
    seen: set[str] = set()
    for evil in HOSTILE:
        hostile = plan_with(
            release=evil,
            plan_file=evil,
            artifact=replace(plan.artifact, name=evil),
            gates=(replace(plan.gates[0], name=evil),),
            devices={**plan.devices, first: replace(plan.devices[first], current=evil)},
            skipped=(Skipped(DeviceId(evil), Reason.HELD, evil),),
            risks=(Risk("P901", evil, 3), Risk("P902", f"a `{evil}` b `{evil}")),
        )
        since = Since(evil, "0d" * 32, difference(plan, hostile))
        for text in (
            comment(hostile, TrustError(evil, code="T184"), since=since, link="https://ci/7"),
            refused_markdown("gateway-fw", preview_findings(preview(hostile))),
        ):
            for token in PARSER.parse(text):
                seen.add(token.type)
                if token.type == "html_block":
                    assert OURS.fullmatch(token.content.strip()), token.content
                for child in token.children or ():
                    seen.add(child.type)
                    assert child.type != "link_open" or child.attrs == {"href": "https://ci/7"}
                    assert child.type != "text" or not set(child.content) & set("@#!>[]*_~`\\")

    assert {"code_inline", "fence", "table_open"} <= seen
    assert not seen & {"image", "html_inline", "code_block", "hr", "blockquote_open", "em_open"}


def test_a_comment_about_any_fleet_fits(plan_of, plan) -> None:
    names = [f"device-with-a-name-that-is-rather-long-{i:06}" for i in range(20_000)]
    large = plan_of(names, (1, *[199] * 100))
    gates = tuple(replace(plan.gates[0], name=f"gate {'w' * 60} {n}") for n in range(100))
    reasons = [reason for reason in Reason if reason is not Reason.OK]
    skipped = tuple(
        Skipped(DeviceId(f"out-{n}"), reasons[n % len(reasons)], "ß" * 190) for n in range(5000)
    )
    risks = tuple(Risk("P925", "ö" * 900, n) for n in range(500))
    large = replace(large, gates=gates, skipped=skipped, risks=risks)
    since = Since("x", "0d" * 32, difference(plan, large))

    text = comment(large, TrustError("ä" * 900), since=since, link="https://ci.example/jobs/7")

    assert len(text.encode()) <= COMMENT_BYTES_MAX
    assert "61 more waves" in text
    assert "and 480 more warnings" in text
    assert "more lines are left out here: see https://ci.example/jobs/7" in text
    assert text.endswith("Nothing was changed. [Log of this job](https://ci.example/jobs/7)\n")
