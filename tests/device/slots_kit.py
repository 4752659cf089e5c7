"""A device with two slots, files in the place of block devices, and GRUB played by the test."""

from __future__ import annotations

from pathlib import Path

SLOT_BYTES = 64 * 1024
BLOCK_BYTES = 1024


def prepare(root: Path, loader: str = "grub /boot/grub/grubenv") -> None:
    """Slot a runs an image of the factory; slot b is empty."""
    for directory in ("dev", "etc/rollout", "boot/grub", "proc"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    (root / "dev/slot-a").write_bytes(image("factory"))
    (root / "dev/slot-b").write_bytes(bytes(SLOT_BYTES))
    slots = f"a /dev/slot-a 2\nb /dev/slot-b 3\nboot {loader}\n"
    (root / "etc/rollout/slots").write_text(slots)
    set_environment(root, {"rollout_slot": "a", "menu": "hidden"})
    runs(root, "a")


def image(name: str) -> bytes:
    return f"{name}\n".encode().ljust(SLOT_BYTES, b"\0")


def payload(name: str) -> dict[str, bytes]:
    return {"system.img": image(name)[: SLOT_BYTES // 2]}


def runs(root: Path, slot: str) -> None:
    (root / "proc/cmdline").write_text(f"quiet root=/dev/slot-{slot} ro\n")


def slot(root: Path) -> str:
    """The one that runs."""
    return (root / "proc/cmdline").read_text().partition("slot-")[2][0]


def running(root: Path) -> str:
    """The name of the image that runs; empty for the factory's."""
    name = (root / f"dev/slot-{slot(root)}").read_bytes().partition(b"\n")[0].decode()
    return "" if name == "factory" else name


def environment(root: Path) -> dict[str, str]:
    block = (root / "boot/grub/grubenv").read_bytes()
    assert len(block) == BLOCK_BYTES
    assert block.startswith(b"# GRUB Environment Block\n")
    lines = block.decode().rstrip("#").splitlines()[1:]
    return dict(line.split("=", 1) for line in lines)


def set_environment(root: Path, values: dict[str, str]) -> None:
    lines = "".join(f"{name}={value}\n" for name, value in values.items())
    block = f"# GRUB Environment Block\n{lines}".ljust(BLOCK_BYTES, "#")
    (root / "boot/grub/grubenv").write_text(block)


def boot(root: Path) -> None:
    """As grub.cfg has it: a slot to be tried is tried once, and left when it does not come up."""
    values = environment(root)
    tried = values.get("rollout_try", "")
    if tried:
        set_environment(root, values | {"rollout_try": ""})
    for chosen in (tried, values["rollout_slot"]):
        if chosen and not (root / f"dev/slot-{chosen}").read_bytes().startswith(b"panic"):
            runs(root, chosen)
            return
    raise AssertionError("the device does not boot any more")
