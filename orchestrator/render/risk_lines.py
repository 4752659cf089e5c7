"""What a reader of a preview is warned of, for people."""

from __future__ import annotations

from orchestrator.plan.preview import Preview
from orchestrator.plan.resolved import Risk
from orchestrator.render.text import Look, Style, Symbol, escape, wrap

RISKS_MAX = 20  # all are in the JSON form


def risk_lines(preview: Preview, look: Look) -> list[str]:
    """A blank line, then each risk with its code; no line where there is none."""
    risks = preview.risks
    lines = [""] if risks else []
    for risk in risks[:RISKS_MAX]:
        mark = f"{look.sign(Symbol.WARNING)} "
        first, *more = wrap(risk_words(risk), look.width, first=mark, indent="  ")
        lines += [look.paint(first, Style.WARN), *(look.paint(line, Style.WARN) for line in more)]
    if len(risks) > RISKS_MAX:
        lines.append(f"{look.sign(Symbol.ELLIPSIS)} {len(risks) - RISKS_MAX} more warnings")
    return lines


def risk_words(risk: Risk) -> str:
    """`P905 line 24: a device that ...`, as one line that may be shown anywhere."""
    place = f"line {risk.line}: " if risk.line else ""
    code = f"{escape(risk.code)} " if risk.code else ""
    return f"{code}{place}{escape(risk.message, limit=800)}"
