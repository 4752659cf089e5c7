"""How a report looks: on screens, light and dark, and on paper.

Law: each colour of a text has a contrast of at least 4.5 on its ground, each of a chart 3 (WCAG 2.2,
1.4.3 and 1.4.11); a test computes it from what stands here.
"""

from __future__ import annotations

LIGHT = {
    "bg": "#ffffff", "fg": "#1b1f24", "dim": "#57606a", "grid": "#d0d7de", "box": "#f3f5f7",
    "work": "#0a58ca", "soak": "#5f8fd9", "good": "#17693a", "bad": "#b3261e", "warn": "#8a5a00",
    "idle": "#616a74",
}  # fmt: skip
DARK = {
    "bg": "#0f1419", "fg": "#e6edf3", "dim": "#9aa4af", "grid": "#39424d", "box": "#1a2129",
    "work": "#6cb0ff", "soak": "#4f7fc0", "good": "#4cc38a", "bad": "#ff8078", "warn": "#e3b341",
    "idle": "#8b949e",
}  # fmt: skip

_RULES = """
*{box-sizing:border-box}
body{margin:0 auto;max-width:68rem;padding:0 1rem 3rem;background:var(--bg);color:var(--fg);
font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.7rem;line-height:1.2;margin:1.5rem 0 .5rem}
h2{font-size:1.3rem;margin:2.5rem 0 .5rem;border-bottom:1px solid var(--grid)}
h3{font-size:1.05rem;margin:1.5rem 0 .3rem}
p{margin:.4rem 0}
a{color:var(--work)}
a:focus-visible,.wide:focus-visible{outline:3px solid var(--work);outline-offset:2px}
.skip{position:absolute;left:-100rem}
.skip:focus{left:1rem;top:.5rem;background:var(--bg);padding:.3rem .6rem}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;list-style:none;padding:0;margin:.8rem 0}
.verdict{font-size:1.2rem;font-weight:700}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}.work{color:var(--work)}
.idle,.dim{color:var(--dim)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:.8rem 0}
dt{color:var(--dim)}dd{margin:0}
.wide{overflow-x:auto;margin:.8rem 0}
table{border-collapse:collapse;min-width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:.2rem 0}
th,td{text-align:left;vertical-align:top;padding:.2rem .9rem .2rem 0;border-top:1px solid var(--grid);
overflow-wrap:normal}
thead th{border-top:0;color:var(--dim);font-weight:600}
tbody th{font-weight:600}
.names{overflow-wrap:anywhere}
pre{background:var(--box);padding:.6rem .8rem;white-space:pre-wrap;font-size:.85rem;
line-height:1.4;margin:.5rem 0}
code{font-size:.9em}
figure{margin:.8rem 0}
time{white-space:nowrap}
svg{display:block;width:100%;min-width:44rem;height:auto;font:13px system-ui,sans-serif;fill:var(--fg)}
svg .strong{font-weight:600}
svg .dim{fill:var(--dim)}
svg .tick{fill:var(--dim);font-size:11px}
svg .middle{text-anchor:middle}svg .end{text-anchor:end}svg .start{text-anchor:start}
.grid{stroke:var(--grid)}
.stop{stroke:var(--bad);stroke-width:2;stroke-dasharray:5 3}
.curve{fill:none;stroke:var(--idle);stroke-width:1.5}
.bar.good,.mark.good{fill:var(--good)}.bar.bad,.mark.bad{fill:var(--bad)}
.bar.warn,.mark.warn{fill:var(--warn)}.bar.work,.bar.wave{fill:var(--work)}
.bar.idle{fill:var(--idle)}.bar.soak{fill:var(--soak)}
.mark.line{fill:none;stroke-width:2}
.mark.bad.line{stroke:var(--bad)}.mark.warn.line{stroke:var(--warn)}
footer{margin-top:3rem;color:var(--dim);font-size:.9rem}
@media print{
body{max-width:none;padding:0;font-size:10pt}
nav,.skip{display:none}
.wide{overflow:visible}
table{font-size:8pt}
th,td{overflow-wrap:break-word;padding-right:.5rem}
time{white-space:normal}
svg{min-width:0}
h2,h3{break-after:avoid}
figure,tr,pre{break-inside:avoid}
thead{display:table-header-group}
a{color:inherit;text-decoration:none}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
@page{margin:15mm}
}
"""


def style() -> str:
    """The whole style sheet; the same bytes each time, for its digest stands in the page's policy."""
    light = _colours(LIGHT)
    dark = _colours(DARK)
    return (
        f":root{{color-scheme:light dark;{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}{_RULES}"
    )


def _colours(names: dict[str, str]) -> str:
    return "".join(f"--{name}:{colour};" for name, colour in names.items())
