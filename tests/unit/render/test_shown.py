from orchestrator.render import shown
from orchestrator.render.text import Look

EVIL = "\x1b[2J\u202e"


def test_a_key_shows_what_it_has() -> None:
    document = shown.key_document(
        kind="rsa-3072", fingerprint="ab12", private="r.key", public=None, public_pem="PEM"
    )

    assert shown.key_text(document) == (
        "kind         rsa-3072\nfingerprint  ab12\nprivate      r.key\n"
    )


def test_a_healthy_device_is_a_line_and_a_bad_one_says_why() -> None:
    good = shown.AnswerFacts("gw-1", True, "ok", "", {})
    bad = shown.AnswerFacts("gw-2", False, "unreachable", EVIL, {})

    assert shown.answer_line(good, Look()) == "✓ gw-1"
    assert shown.answer_line(bad, Look()) == r"✗ gw-2: not reachable: \x1b[2J\u202e"


def test_facts_line_up_and_are_escaped() -> None:
    answer = shown.AnswerFacts("gw-1", True, "ok", "", {"state": "idle", "fact.os": EVIL})

    assert shown.answer_text(answer, Look()).splitlines() == [
        "✓ gw-1",
        "    state    idle",
        r"    fact.os  \x1b[2J\u202e",
    ]


def test_a_lab_is_a_table() -> None:
    lines = shown.lab_text([("lab-01", "healthy", "app-1"), ("lab-02", "off", "")], Look())

    assert lines.splitlines() == [
        "device  state    runs",
        "lab-01  healthy  app-1",
        "lab-02  off      -",
    ]


def test_an_artifact_says_whether_its_signature_was_verified() -> None:
    facts = shown.ArtifactFacts(
        path="a.mender",
        name=EVIL,
        sha256="a" * 64,
        manifest_sha256="b" * 64,
        size_bytes=7,
        device_types=("x", "y"),
        payload_type="directory",
        compression="gzip",
        signed=False,
        signed_by="",
        depends={"device": ["x", "y"]},
        provides={"artifact_name": "a-1"},
        files=(("update.tar", 5, "c" * 64),),
    )

    text = shown.artifact_text(facts, Look())

    assert "signature    none\n" in text
    assert "depends      device = x, y\n" in text
    assert "\x1b" not in text


def test_migration_tells_from_which_schema_to_which() -> None:
    told = [shown.migrated_text("db", before, "0002", Look()) for before in ("", "0001", "0002")]

    assert told == [
        "db: made the tables of schema 0002\n",
        "db: migrated from schema 0001 to 0002\n",
        "db: schema 0002 already, nothing to do\n",
    ]
