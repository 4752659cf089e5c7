"""Devices and virtual machines as NetBox lists them, page by page, as a listing of hosts.

Read of each: `name`, `primary_ip`, `custom_fields`, `config_context`, `tags`, and what becomes labels
(`LABELS`). Answers of any other kind are errors: an object without `primary_ip` is no device.

Laws:
1. All or nothing: pages that do not come to `count`, or show a device twice, are no inventory.
2. A device that has no name is an error, not a device less.

Pure: text in, values out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.inventory.listed import META, ListingError, parse
from orchestrator.inventory.names import UNGROUPED
from orchestrator.source import shown

LABELS = (  # and where their values stand
    "site", "location", "rack", "role", "device_type", "platform", "tenant", "cluster", "status",
)  # fmt: skip
_MANUFACTURER = "manufacturer"  # stands in the device type
_OLD_ROLE = "device_role"  # before NetBox 3.6
_TAG_PREFIX = "tag_"
_WORDS = ("value", "slug", "name")  # of an object of NetBox, the first one that it has

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: how many there are in all, some of them, and where the next ones are."""

    count: int
    results: tuple[Json, ...]
    onward: str | None


def page_of(data: bytes) -> Page:
    """One answer of a list of NetBox's API.

    Raises:
        ListingError: it is none.
    """
    answer = parse(data)
    count, onward, results = (answer.get(key) for key in ("count", "next", "results"))
    if (
        type(count) is not int
        or not isinstance(onward, str | None)
        or not isinstance(results, list)
    ):
        raise ListingError("the answer is no list of NetBox: `count`, `next` and `results`")
    if not all(isinstance(item, dict) for item in results):
        raise ListingError("`results` of NetBox holds what is no object")
    return Page(count, tuple(results), onward)


def listing(pages: Sequence[Page]) -> dict[str, object]:
    """All devices of the pages in the form that programs list hosts in.

    Raises:
        ListingError: the pages do not fit together, or one of the devices cannot be used.
    """
    devices = [device for page in pages for device in page.results]
    counts = {page.count for page in pages}
    if counts != {len(devices)} or len({str(one.get("id")) for one in devices}) != len(devices):
        message = f"{len(devices)} devices were listed and {max(counts)} announced"
        raise ListingError(f"the list changed while it was read: {message}")
    hosts: dict[str, object] = {}
    tagged: dict[str, list[str]] = {}
    for device in devices:
        name = _name(device)
        if name in hosts:
            raise ListingError(f"two devices are called `{shown(name)}`")
        hosts[name] = _variables(name, device)
        for tag in _tags(device):
            tagged.setdefault(f"{_TAG_PREFIX}{tag}", []).append(name)
    tags = {tag: {"hosts": names} for tag, names in sorted(tagged.items())}
    return {UNGROUPED: {"hosts": list(hosts)}, **tags, META: {"hostvars": hosts}}


def _name(device: Json) -> str:
    number = shown(str(device.get("id")))
    if "primary_ip" not in device:
        message = f"object {number} is no device: it has no `primary_ip` (is it a brief list?)"
        raise ListingError(message)
    name = device.get("name")
    if not isinstance(name, str) or not name:
        raise ListingError(f"device {number} has no name")
    return name


def _variables(name: str, device: Json) -> dict[str, object]:
    """`config_context`, above it `custom_fields`, and the address where none of them has one."""
    found: dict[str, object] = {}
    address = _object(name, device, "primary_ip").get("address")
    if isinstance(address, str):
        found["ansible_host"] = address.partition("/")[0]
    found |= _object(name, device, "config_context")
    fields = _object(name, device, "custom_fields")
    found |= {field: value for field, value in fields.items() if value is not None}
    if "labels" in found:
        raise ListingError(f"device `{shown(name)}`: `labels` are made of its own fields")
    return {**found, "labels": dict(_labels(device))}


def _labels(device: Json) -> Iterator[tuple[str, str]]:
    for label in LABELS:
        value = device.get(label)
        if label == "role" and value is None:
            value = device.get(_OLD_ROLE)
        word = _word(value)
        if word:
            yield label, word
        if (
            label == "device_type"
            and isinstance(value, dict)
            and (of := _word(value.get(_MANUFACTURER)))
        ):
            yield _MANUFACTURER, of


def _word(value: object) -> str:
    if not isinstance(value, dict):
        return ""
    found = next((value[word] for word in _WORDS if value.get(word)), "")
    return found if isinstance(found, str) else ""


def _tags(device: Json) -> list[str]:
    tags = device.get("tags", [])
    return [word for tag in tags if (word := _word(tag))] if isinstance(tags, list) else []


def _object(name: str, device: Json, key: str) -> Mapping[str, object]:
    value = device.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ListingError(f"device `{shown(name)}`: `{key}` is no object")
    return value
