import base64
import hashlib
import hmac

import pytest

from orchestrator.notify.signature import headers
from orchestrator.outward.failure import OutwardError


def test_signature_is_the_one_of_the_specification():
    """The example that the Standard Webhooks specification gives."""
    found = headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330.9,
        b'{"test": 2432232314}',
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    )

    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert found["webhook-timestamp"] == "1614265330"
    assert found["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"


def test_other_secrets_are_their_own_bytes():
    digest = hmac.new(b"s3cret", b"r-1/2.5.{}", hashlib.sha256).digest()

    found = headers("r-1/2", 5.0, b"{}", "s3cret")

    assert found["webhook-signature"] == "v1," + base64.b64encode(digest).decode()


def test_body_id_and_time_are_all_signed():
    same = headers("r-1/2", 5.0, b"{}", "s")["webhook-signature"]

    assert headers("r-1/3", 5.0, b"{}", "s")["webhook-signature"] != same
    assert headers("r-1/2", 6.0, b"{}", "s")["webhook-signature"] != same
    assert headers("r-1/2", 5.0, b"[]", "s")["webhook-signature"] != same


def test_without_a_secret_there_is_no_signature():
    assert set(headers("r-1/2", 5.0, b"{}", None)) == {"webhook-id", "webhook-timestamp"}


def test_secret_that_is_not_what_it_says_is_refused_without_being_shown():
    with pytest.raises(OutwardError, match="not Base64") as caught:
        headers("r-1/2", 5.0, b"{}", "whsec_my-password!")

    assert "password" not in str(caught.value)
