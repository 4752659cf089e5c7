"""What may lie in a spool beside a delivery: whoever may write there is no friend of the root core."""

from __future__ import annotations

from collections.abc import Mapping

from tests.device.kit import Key
from tests.hostile.artifacts import frames_of, signed
from tests.hostile.core import TXN, Found
from tests.hostile.signed_artifacts import stored
from tests.unit.artifact.crafting import Craft

CUT_OFF = "S42 what an attempt left that was cut off"
REFUSED = "65/denied"
ANSWERS = {  # of all others it is `REFUSED`
    "S01 a good delivery": "0/ok",
    "S02 a ticket that nobody asks for": "0/ok",
    CUT_OFF: "0/ok",
    "S50 it was verified before": "1/none",  # and is not verified anew
    "S51 it was ended before": "78/wrong_state",
    "S52 nothing was staged": "78/wrong_state",
    "S54 a device without a type": "69/incompatible",
    "S55 a module that is a text": "69/incompatible",
    "S56 a module that is a folder": "69/incompatible",
}


def spools(key: Key) -> dict[str, Found]:
    """Every case."""
    good = dict(frames_of(signed(Craft(), key)))

    def holds(more: Mapping[str, bytes], *gone: str, **odd: object) -> Found:
        parts = {name: data for name, data in good.items() if name not in gone}
        return Found(parts=parts | more, **odd)  # type: ignore[arg-type]

    longer = Craft(header_packed=stored(2038))
    without = dict(frames_of(signed(Craft(files=[]), key)))
    version, app = good["version"], good["data/0000/app"]
    extra = {
        "S10 an empty file": ".hidden", "S11 a file of the payload": "data/0000/more",
        "S12 a blank in a name": "data/0000/a b", "S13 a line feed in a name": "data/0000/a\nb",
        "S14 a name that is an option": "data/0000/-x", "S15 a name that is run": "data/0000/$(id)",
        "S16 a folder": "data/0001/app", "S17 a folder in the payload": "data/0000/data/app",
        "S18 a root": "root", "S19 a second header": "header.tar", "S20 a manifest": "manifest-augment",
        "S21 a file beside the payload": "data/app", "S22 the folder of another": "more/version",
    }  # fmt: skip
    links: dict[str, tuple[dict[str, str], dict[str, bytes]]] = {
        "S30 a link to what was checked": ({"version": "../../../../version"}, {"version": version}),
        "S31 a link to the payload": ({"data/0000/app": "../../version"}, {}),
        "S32 a link to nothing": ({"manifest.sig": "/nonexistent"}, {}),
        "S33 a link beside it": ({"more": "version"}, {}),
        "S34 the payload's folder is a link": ({"data/0000": "../../../../../payload"}, {"payload/app": app}),
        "S35 the folder above it is a link": ({"data": "../../../../whole"}, {"whole/0000/app": app}),
        "S36 the spool is a link": ({".": "../../../elsewhere"}, {f"elsewhere/{name}": data for name, data in good.items()}),
    }  # fmt: skip
    found = {
        "S01 a good delivery": holds({}),
        "S02 a ticket that nobody asks for": holds({"ticket": b"x", "ticket.sig": b"x"}),
        "S03 nothing": Found(parts={"data/0000/": b""}),
        "S04 no payload": holds({"data/0000/": b""}, "data/0000/app"),
        "S05 no folder of the payload": holds({}, "data/0000/app"),
        "S06 no version": holds({}, "version"),
        "S07 a longer version": holds({"version": version + b" " * 1024}),
        "S08 a longer ticket": holds({"ticket": b"x" * 16_385, "ticket.sig": b"x"}),
        "S09 longer signatures": holds({"ticket": b"x", "ticket.sig": b"x" * 16_385}),
        "S23 another payload": holds({"data/0000/app": app + b"x"}),
        "S40 a pipe": holds({}, "version", pipes={"version": ""}),
        "S41 a pipe beside it": holds({}, pipes={"more": ""}),
        CUT_OFF: holds({}, beside={f"var/component/main/txn/{TXN}/in/version": b"x"}),
        "S50 it was verified before": holds({}, now="verified"),
        "S51 it was ended before": holds({}, now="aborted"),
        "S54 a device without a type": holds({}, beside={"etc/rollout/device_type": b""}),
        "S52 nothing was staged": Found(beside={"nothing": b""}),
        "S44 no payload and no folder of it": Found(parts=without),
        "S43 a header that is longer packed": Found(parts=dict(frames_of(signed(longer, key)))),
    }
    for name, module in (
        ("S55 a module that is a text", "notes"),
        ("S56 a module that is a folder", "folder"),
    ):
        found[name] = Found(parts=dict(frames_of(signed(Craft(type=module), key))))
    found |= {name: holds({file: b""}) for name, file in extra.items()}
    for name, (targets, beside) in links.items():
        # a link that was copied leads to where it would lead from there
        beside |= {f"var/component/{file}": data for file, data in beside.items()}
        gone = [file for file in good if any(file == at or at == "." or file.startswith(f"{at}/") for at in targets)]  # fmt: skip
        found[name] = holds({}, *gone, links=targets, beside=beside)
    return found
