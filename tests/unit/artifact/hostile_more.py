"""Artifacts that are refused and stand in no list: `m-` measured with Mender's tools, `t-` tar."""

from orchestrator.artifact import Rule
from tests.unit.artifact.crafting import Craft, member, sha256
from tests.unit.artifact.hostile import (
    HELLO,
    LISTED,
    appended,
    first_kind,
    info,
    outer,
    payload,
    renamed,
    without,
)

MORE = {
    "m-dot-names": (lambda: Craft(raw_members=renamed("./version")), Rule.TAR_NAME),
    "m-not-in-manifest": (lambda: payload(member(*HELLO), member("more", b"x")), "A133"),
    "m-file-twice": (
        lambda: payload(member(*HELLO), member(*HELLO)),
        Rule.MEMBER_DUPLICATE,
    ),
    "m-file-missing": (payload, Rule.MANIFEST_EXTRA),
    "m-file-changed": (lambda: payload(member("app", b"hellO\n")), Rule.CHECKSUM),
    "m-header-changed": (
        lambda: Craft(edit_manifest=lambda m: m.replace(b"  header", b"\0 header")),
        Rule.MANIFEST_FORM,
    ),
    "m-header-sum": (
        lambda: Craft(
            manifest=f"{'0' * 64}  header.tar.gz\n{sha256(Craft().version)}  version\n".encode()
        ),
        Rule.CHECKSUM,
    ),
    "m-no-version-line": (
        lambda: Craft(edit_manifest=lambda m: m[: m[:-1].rindex(b"\n") + 1]),
        Rule.MANIFEST_MISSING,
    ),
    "m-manifest-path": (
        lambda: Craft(edit_manifest=lambda m: m.replace(b"0000/app", b"0000/../../e")),
        Rule.FILE_NAME,
    ),
    "m-file-dots": (lambda: Craft(files=[("a..b", b"x")]), Rule.FILE_NAME),
    "m-many-files": (
        lambda: Craft(files=[(f"f{n}", b"") for n in range(251)]),
        Rule.SIZE_LIMIT,
    ),
    "m-type-path": (lambda: Craft(type="../../x"), Rule.PAYLOAD_TYPE),
    "m-type-null": (lambda: Craft(info=info(payloads=[{"type": None}])), "A154"),
    "m-type-differs": (
        lambda: Craft(type_info=b'{"type":"directory"}'),
        Rule.TYPE_MISMATCH,
    ),
    "m-type-empty": (lambda: Craft(type_info=b'{"type":""}'), Rule.TYPE_MISMATCH),
    "m-second-payload": (
        lambda: Craft(edit_members=appended("data/0001.tar.gz")),
        Rule.PAYLOAD_COUNT,
    ),
    "m-script-state": (lambda: Craft(scripts=["scripts/Download_Enter_00"]), "A156"),
    "m-script-path": (lambda: Craft(scripts=["scripts/../../x"]), Rule.TAR_NAME),
    "m-script-anchor": (
        lambda: Craft(scripts=["scripts/xArtifactInstall_Enter_00"]),
        Rule.STATE_SCRIPT,
    ),
    "m-script-twice": (
        lambda: Craft(scripts=["scripts/ArtifactCommit_Enter_01"] * 2),
        Rule.MEMBER_DUPLICATE,
    ),
    "m-info-unknown": (lambda: Craft(info=info(extra=1)), Rule.HEADER_FIELD),
    "m-provides-unknown": (
        lambda: Craft(info=info(artifact_provides={"artifact_name": "a", "x": "y"})),
        Rule.HEADER_FIELD,
    ),
    "m-no-device-type": (lambda: Craft(info=info(artifact_depends={})), Rule.DEVICE_TYPE),
    "m-device-type-text": (
        lambda: Craft(info=info(artifact_depends={"device_type": "dt"})),
        Rule.DEVICE_TYPE,
    ),
    "m-no-provides": (lambda: Craft(info=info(artifact_provides=None)), Rule.HEADER_FIELD),
    "m-provides-name": (
        lambda: Craft(
            type_info=b'{"type":"single-file","artifact_provides":{"artifact_name":"other"}}'
        ),
        Rule.HEADER_FIELD,
    ),
    "m-provides-list": (
        lambda: Craft(type_info=b'{"type":"single-file","artifact_provides":["a"]}'),
        Rule.HEADER_FIELD,
    ),
    "m-depends-number": (
        lambda: Craft(type_info=b'{"type":"single-file","artifact_depends":{"a":1}}'),
        Rule.HEADER_FIELD,
    ),
    "m-depends-taken": (
        lambda: Craft(type_info=b'{"type":"single-file","artifact_depends":{"device_type":"x"}}'),
        Rule.HEADER_FIELD,
    ),
    "m-case": (
        lambda: Craft(type_info=b'{"type":"single-file","TYPE":"../x"}'),
        Rule.HEADER_FIELD,
    ),
    "m-case-folded": (
        lambda: Craft(
            type_info='{"type":"single-file","clear\u017f_artifact_provides":[]}'.encode()
        ),
        Rule.HEADER_FIELD,
    ),
    "m-header-order": (
        lambda: Craft(
            header_members=[member("headers/0000/type-info", b"{}"), member("header-info", b"{}")]
        ),
        Rule.MEMBER_UNEXPECTED,
    ),
    "m-header-short": (
        lambda: Craft(header_members=[member("header-info", b"{}")]),
        Rule.MEMBER_UNEXPECTED,
    ),
    "m-ends-early": (
        lambda: Craft(edit_members=lambda items: items[:-1]),
        Rule.MEMBER_UNEXPECTED,
    ),
    "m-other-compression": (
        lambda: Craft(edit_members=lambda items: [*items[:-1], ("data/0000.tar.xz", items[-1][1])]),
        Rule.MEMBER_UNEXPECTED,
    ),
    "m-no-manifest": (lambda: Craft(edit_members=without("manifest")), "A120"),
    "t-directory": (lambda: Craft(raw_members=first_kind(b"5")), Rule.TAR_TYPE),
    "t-old-form": (
        lambda: Craft(raw_members=outer(at=0, replace=lambda n, d: member(n, d, magic=bytes(8)))),
        Rule.TAR_FORMAT,
    ),
    "t-prefix": (
        lambda: Craft(raw_members=outer(at=0, replace=lambda n, d: member(n, d, prefix=b"data"))),
        Rule.TAR_FORMAT,
    ),
    "t-link-name": (
        lambda: Craft(raw_members=outer(at=0, replace=lambda n, d: member(n, d, link=b"x"))),
        Rule.TAR_FORMAT,
    ),
    "t-padding": (
        lambda: Craft(raw_members=outer(at=0, replace=lambda n, d: member(n, d)[:-1] + b"x")),
        Rule.TAR_SLACK,
    ),
    "t-no-tar": (lambda: b"not a tar file " * 100, Rule.TAR_FORMAT),
}
HOSTILE = LISTED | MORE


def built(case):
    """The bytes of a case of the table."""
    made = HOSTILE[case][0]()
    return made.build() if isinstance(made, Craft) else made
