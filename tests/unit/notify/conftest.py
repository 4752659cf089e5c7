import ssl
import subprocess

import pytest


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Files `cert` and `key` of localhost, which nobody vouches for."""
    where = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", where / "key",
         "-out", where / "cert"],
        check=True, capture_output=True,
    )  # fmt: skip
    return where


@pytest.fixture
def server_tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert", certificate / "key")
    return context


@pytest.fixture
def trusting(certificate):
    """Makes a client's context that trusts the certificate."""
    return lambda: ssl.create_default_context(cafile=str(certificate / "cert"))
