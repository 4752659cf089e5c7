import hashlib

from orchestrator.engine.offsets import resume
from orchestrator.testing.plans import SimulatedArtifact

NEW = SimulatedArtifact.of("new")


def test_resume_sends_only_what_the_device_lacks():
    frames = NEW.frames()
    payload = NEW.payload
    held = {
        "manifest": (len(NEW.manifest), hashlib.sha256(NEW.manifest).hexdigest()),
        "data/0000/payload": (100, hashlib.sha256(payload[:100]).hexdigest()),
        "manifest.sig": (3, "0" * 64),  # other bytes than ours
    }

    offsets = {frame.name: frame.offset for frame in resume(frames, held)}

    assert offsets == {
        "manifest": len(NEW.manifest),
        "manifest.sig": 0,
        "data/0000/payload": 100,
    }
