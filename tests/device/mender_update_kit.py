"""A `mender-update` of the test, which knows names and an update that is not committed."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

# `committed` is what show-provides tells, `content` what runs, `pending` what ran before an update
# that is not committed, `state` how far that is. Names tell what an artifact does: `torn` fails in
# the middle, `half` also on its way back, `killed` kills the client there, `boots` wants a reboot, `oneway`
# cannot go back. A commit that is cut off once the artifact's module did it is led on by `resume` alone.
CLIENT = r"""#!/bin/sh
at=$ROLLOUT_ROOT/mender
pending=
[ ! -s "$at/pending" ] || read -r pending <"$at/pending"
go_back() { echo "$pending" >"$at/content" && : >"$at/pending" && : >"$at/state"; }
case $1 in
  show-provides)
    [ ! -e "$at/silent" ] || exit 1
    echo "rootfs-image.checksum=0"
    echo "artifact_name=$(cat "$at/committed")"
    ;;
  install)
    [ "$2" = --reboot-exit-code ] && [ -z "$pending" ] || exit 1
    tar -xOf "$3" header.tar.gz >"$at/packed" && gzip -dc <"$at/packed" >"$at/header" || exit 1
    tar -xOf "$at/header" header-info >"$at/info"
    name=$(sed 's/.*_name": "//; s/".*//' "$at/info")
    [ -n "$name" ] || exit 1
    cat "$at/content" >"$at/pending"
    read -r pending <"$at/pending"
    echo installing >"$at/state"
    touch "$at/content"
    echo "$name" >"$at/content"
    case $name in
      torn*) go_back; exit 1 ;;
      killed*) echo installed >"$at/state"; exit 137 ;;
      half*) go_back; echo "${name}_INCONSISTENT" >"$at/committed"; exit 1 ;;
    esac
    touch "$at/content"
    echo installed >"$at/state"
    case $name in
      boots*) exit 4 ;;
      oneway*) echo "$name" >"$at/committed" && : >"$at/pending" ;;
    esac
    ;;
  resume)
    [ -n "$pending" ] || exit 2
    read -r state <"$at/state"
    if [ "$state" = cleaning ]; then cat "$at/content" >"$at/committed"; : >"$at/pending"; else go_back; fi
    ;;
  *)
    [ -n "$pending" ] || exit 2
    read -r state <"$at/state"
    [ "$state" = installed ] || exit 1
    case $1 in
      commit) echo cleaning >"$at/state"; touch "$at/content"; cat "$at/content" >"$at/committed"; : >"$at/pending" ;;
      rollback) go_back ;;
    esac
    ;;
esac
"""


def prepare(root: Path) -> None:
    for file, text in {
        "etc/mender/mender.conf": "{}\n",
        "mender/committed": "factory\n",
        "mender/content": "factory\n",
        "mender/pending": "",
        "mender/state": "",
    }.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)


def payload(name: str, *, written: str = "") -> dict[str, bytes]:
    """What of an artifact this client and the module read; `written` is how the name stands in it."""
    info = {
        "payloads": [{"type": "single-file"}],
        "artifact_provides": {"artifact_name": name},
        "artifact_depends": {"device_type": ["lab"]},
    }
    text = json.dumps(info).replace(f'"{name}"', f'"{written or name}"').encode()
    header = gzip.compress(_tar({"header-info": text}))
    return {"app.mender": _tar({"version": b"{}", "header.tar.gz": header})}


def running(root: Path) -> str:
    name = (root / "mender/content").read_text().strip()
    return "" if name == "factory" else name


def _tar(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()
