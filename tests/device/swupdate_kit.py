"""A device with two slots and an SWUpdate of the test; slots and boot loader are those of `slots_kit`."""

from __future__ import annotations

from pathlib import Path

from tests.device import slots_kit

# Chooses the slot that does not run, as such files do on devices.
ARGS = """case $(cat "$ROLLOUT_ROOT/proc/cmdline") in *slot-a*) other=b ;; *) other=a ;; esac
SWUPDATE_ARGS="-H lab:1.0 -e stable,$other"
"""
# An update is its image; one that begins with `torn` ends in the middle. As many do, it makes
# the new slot the one to boot at its end, and marks it as one that has to be confirmed.
SWUPDATE = r"""#!/bin/sh
check=
while [ $# -gt 0 ]; do
  case $1 in
    -e) slot=${2#*,}; shift ;;
    -H) [ "$2" = lab:1.0 ] || exit 1; shift ;;
    -c) check=1 ;;
    -i) swu=$2; shift ;;
  esac
  shift
done
[ -n "$slot" ] || exit 1
read -r word _ <"$swu"
wrong() { echo "[ERROR] : SWUPDATE failed"; exit 1; }
[ "$word" != unsigned ] || wrong
[ -z "$check" ] || exit 0
dd if="$swu" of="$ROLLOUT_ROOT/dev/slot-$slot" conv=notrunc 2>/dev/null || wrong
[ "$word" != torn ] || wrong
env=$ROLLOUT_ROOT/boot/grub/grubenv
{
  sed '/^rollout_slot=/d; /^ustate=/d; /^#*$/d' "$env"
  echo "rollout_slot=$slot"
  echo "ustate=1"
} >"$ROLLOUT_ROOT/run/grubenv" || exit 1
head -c 1024 /dev/zero | tr '\0' '#' >>"$ROLLOUT_ROOT/run/grubenv"
dd if="$ROLLOUT_ROOT/run/grubenv" of="$env" bs=1024 count=1 conv=notrunc 2>/dev/null
"""


def prepare(root: Path, loader: str = "grub /boot/grub/grubenv") -> None:
    slots_kit.prepare(root, loader)
    (root / "usr/lib/swupdate/conf.d").mkdir(parents=True)
    (root / "usr/lib/swupdate/conf.d/09-args").write_text(ARGS)


def payload(name: str) -> dict[str, bytes]:
    return {"system.swu": slots_kit.image(name)[: slots_kit.SLOT_BYTES // 2]}
