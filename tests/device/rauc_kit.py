"""A device with two slots of RAUC, as files: with a RAUC of the test, or with Debian's own."""

from __future__ import annotations

from pathlib import Path

SLOT_BYTES = 16 * 1024
NAMES = {"A": "rootfs.0", "B": "rootfs.1"}

# Keeps one value in a file each; `busy` holds how often it still answers nothing. A bundle is its
# image, and where it begins with `torn` the installation ends in the middle.
RAUC = r"""#!/bin/sh
at=$ROLLOUT_ROOT/rauc
if [ "$1" = status ] && read -r busy 2>/dev/null <"$at/busy" && [ "$busy" -gt 0 ]; then
  echo $((busy - 1)) >"$at/busy"
  echo 'already processing a different method' >&2
  exit 1
fi
read -r booted <"$at/booted"
slot() { case $1 in *.0) slot=A ;; *.1) slot=B ;; booted) slot=$booted ;; *) exit 1 ;; esac; }
name() { case $1 in A) name=rootfs.0 ;; B) name=rootfs.1 ;; esac; }
case "$1 $2" in
  'info '*)
    read -r word _ <"$3"
    case $word in unsigned) exit 1 ;; foreign) echo "RAUC_MF_COMPATIBLE='other'" ;; *) echo "RAUC_MF_COMPATIBLE='lab'" ;; esac
    ;;
  'install '*)
    case $booted in A) to=B ;; *) to=A ;; esac
    echo bad >"$at/state.$to"
    read -r word _ <"$2"
    case $word in
      refused) exit 1 ;;
      torn) echo torn | dd of="$at/$to" conv=notrunc 2>/dev/null; exit 1 ;;
    esac
    read -r _ count <"$at/status.$to"
    dd if="$2" of="$at/$to" conv=notrunc 2>/dev/null || exit 1
    sum=$(sha256sum <"$2")
    echo "${sum%% *} $((count + 1))" >"$at/status.$to"
    echo good >"$at/state.$to"
    [ -e "$at/passive" ] || echo $to >"$at/primary"
    [ ! -e "$at/lost" ] || exit 2
    ;;
  'status mark-active') slot "$3" && echo good >"$at/state.$slot" && echo $slot >"$at/primary" ;;
  'status mark-good') slot "$3" && echo good >"$at/state.$slot" ;;
  'status mark-bad') slot "$3" && echo bad >"$at/state.$slot" ;;
  'status '*)
    [ ! -e "$at/silent" ] || exit 1
    read -r primary <"$at/primary" && name "$primary"
    echo "RAUC_SYSTEM_COMPATIBLE='lab'
RAUC_BOOT_PRIMARY='$name'
RAUC_SYSTEM_SLOTS='rootfs.1 appfs.0 rootfs.0'
RAUC_SLOT_STATE_2='active'
RAUC_SLOT_BOOTNAME_2=''"
    for slot in B A; do
      n=1 state=inactive
      [ $slot = B ] || n=3
      [ $slot != "$booted" ] || state=booted
      read -r sum count <"$at/status.$slot"
      echo "RAUC_SLOT_STATE_$n='$state'
RAUC_SLOT_BOOTNAME_$n='$slot'
RAUC_SLOT_STATUS_CHECKSUM_SHA256_$n='${sum#none}'
RAUC_SLOT_STATUS_INSTALLED_COUNT_$n='$count'"
    done
    ;;
  *) exit 1 ;;
esac
"""


def prepare(root: Path) -> None:
    """Slot A runs the system of the factory; RAUC never wrote to either."""
    (root / "etc/rauc").mkdir(parents=True)
    (root / "etc/rauc/system.conf").write_text("[system]\ncompatible=lab\n")
    (root / "rauc").mkdir()
    values = {"booted": "A", "primary": "A", "busy": "0"}
    for slot in NAMES:
        values |= {f"state.{slot}": "good", f"status.{slot}": "none 0"}
        (root / "rauc" / slot).write_bytes(b"factory\n".ljust(SLOT_BYTES, b"\0"))
    for name, value in values.items():
        put(root, name, value)


def put(root: Path, name: str, value: str = "") -> None:
    (root / "rauc" / name).write_text(f"{value}\n")


def value(root: Path, name: str) -> str:
    return (root / "rauc" / name).read_text().strip()


def payload(name: str) -> dict[str, bytes]:
    return {"system.raucb": f"{name}\n".encode().ljust(SLOT_BYTES // 2, b"\0")}


def running(root: Path) -> str:
    """The name of the bundle in the slot that runs; empty for the factory's."""
    name = (root / "rauc" / value(root, "booted")).read_bytes().partition(b"\n")[0].decode()
    return "" if name == "factory" else name


def boot(root: Path) -> None:
    """The primary slot where it is good and comes up, else the other one."""
    first = value(root, "primary")
    for slot in (first, *(NAMES.keys() - {first})):
        up = not (root / "rauc" / slot).read_bytes().startswith((b"panic", b"torn"))
        if up and value(root, f"state.{slot}") == "good":
            put(root, "booted", slot)
            return
    raise AssertionError("the device does not boot any more")
