from __future__ import annotations

from tests.device.kit import Device, directory


def test_release_is_delivered_committed_and_taken_back(device: Device):
    assert device.deliver(1, directory("r1").frames(device.key)).rc == 0
    fields = device.fields()
    assert (fields["state"], fields["artifact"], fields["active"]) == ("probation", "r1", "yes")
    assert device.commit(1).rc == 0
    app = device.root / "opt/app"
    assert (app / "version.txt").read_text() == "r1"

    device.release(2, directory("r2"))
    assert (app / "version.txt").read_text() == "r2"
    assert device.do("rollback", 2).rc == 0

    assert (app / "version.txt").read_text() == "r1"
    fields = device.fields()
    assert (fields["state"], fields["artifact"], fields["active"]) == ("rolled-back", "r1", "yes")
