"""A docker of the test, which keeps images and containers as files, and releases for it."""

from __future__ import annotations

from pathlib import Path

# Images: `NAME ID` in `names`, and an empty file for each ID. The registry has a file for each NAME,
# with its ID. A container is a line `SERVICE STATUS ID` of its project. Images called
# `crash-...` end at once, `sick-...` are unhealthy.
DOCKER = r"""#!/bin/sh
at=$ROLLOUT_ROOT/docker
mkdir -p "$at/projects" "$at/images"
touch "$at/names"
name() { sed -i "\\|^$1 |d" "$at/names"; echo "$1 $2" >>"$at/names"; : >"$at/images/$2"; }
find_id() { sed -n "s|^$1 ||p" "$at/names"; }
case "$1 $2" in
  'compose version') exit ;;
  'compose '*)
    shift
    while :; do
      case $1 in -p) project=$2 ;; -f) file=$2 ;; --env-file) ;; *) break ;; esac
      shift 2
    done
    case $1 in
      config) cat "$file" ;;
      down) rm -f "$at/projects/$project" ;;
      up)
        sed -n 's/^ *image: *//p' "$file" | while read -r image; do
          id=$(find_id "$image")
          [ -n "$id" ] || exit 1
          case $image in
            crash-*) echo "c Exited_(1)_now $id" ;;
            sick-*) echo "c Up_(unhealthy) $id" ;;
            *) echo "c Up_(healthy) $id" ;;
          esac
        done >"$at/projects/$project.new" && mv "$at/projects/$project.new" "$at/projects/$project"
        ;;
    esac
    ;;
  'ps -a')
    [ -f "$at/projects/${4##*=}" ] || exit 0
    case $6 in *ID*) words='$3' ;; *) words='$2' ;; esac
    awk "{ print $words }" "$at/projects/${4##*=}" | tr _ ' '
    ;;
  'rm -f') rm -f "$at/projects"/* ;;
  'inspect --format') shift 3 && for id; do echo "$id"; done ;;
  'pull '*) [ -f "$at/registry/$2" ] && name "$2" "$(cat "$at/registry/$2")" ;;
  'load -i') read -r called id <"$3" && name "$called" "$id" ;;
  'image inspect') W=$(find_id "$5") && [ -n "$W" ] && echo "$W" ;;
  'image ls') ls "$at/images" ;;
  'image rm') rm "$at/images/$3" && sed -i "/ $3\$/d" "$at/names" ;;
  'tag '*) [ -f "$at/images/$2" ] && name "$3" "$2" ;;
  *) exit 1 ;;
esac
"""


def payload(name: str, image: str = "app:1", *, project: str = "web") -> dict[str, bytes]:
    """A release that brings its image, of its own name, as an archive."""
    return {
        "compose.yaml": f"services:\n  c:\n    image: {image}\n".encode(),
        "project": f"{project}\n".encode(),
        "app.tar": f"{image} sha256:{name}\n".encode(),
    }


def running(root: Path, project: str = "web") -> str:
    """The release whose image the project's container has."""
    file = root / "docker/projects" / project
    return file.read_text().rpartition(":")[2].strip() if file.exists() else ""


def images(root: Path) -> set[str]:
    return {file.name.removeprefix("sha256:") for file in (root / "docker/images").iterdir()}
