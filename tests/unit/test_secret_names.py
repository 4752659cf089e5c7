import pytest

from orchestrator.secret_names import is_secret_name


@pytest.mark.parametrize(
    "name",
    [
        "api_token", "db_password", "DB_PASSWORD", "dbPass", "client_secret", "wifi_psk", "token",
        "aws_secret_access_key", "apikey", "license-key.private_key", "credentials", "sessionTokens",
    ],
)  # fmt: skip
def test_name_is_judged_by_its_last_words(name) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["token_file", "password_policy", "bypass", "key", "secretary", ""]
)
def test_name_that_only_begins_or_ends_like_one_is_none(name) -> None:
    assert not is_secret_name(name)
