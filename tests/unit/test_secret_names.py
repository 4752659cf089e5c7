import pytest

from orchestrator.secret_names import is_secret_name, secrets_of, shown_url


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


@pytest.mark.parametrize(
    ("url", "secret", "shown"),
    [
        ("https://hooks.slack.com/services/T0AB/B0CD/{}", "aB3dE5fG7hJ9kL1mN3pQ5rS7", "https://hooks.slack.com/services/T0AB/B0CD/<secret:"),
        ("https://discord.com/api/webhooks/112233445566778899/{}", "x-Yz_0123456789abcdefABCDEF", "https://discord.com/api/webhooks/112233445566778899/<secret:"),
        ("https://api.telegram.org/{}/sendMessage", "bot123456:AAHdqTcvCH1vGWJxfSeofSAs0K5P", "/sendMessage"),
        ("https://corp.webhook.office.com/webhookb2/{}/x", "6f1c0c9e-3f5a-4d0e-9d0c-0123456789ab", "webhookb2/<secret:"),
        ("https://chat.example/{}", "XXXXXXXXXXXXXXXXXXXXXXXX", "https://chat.example/<secret:"),
        ("https://chat.example/send?room=7&access_token={}&x=1#top", "hunter2", "?room=7&access_token=<secret>&x=1#top"),
    ],
)  # fmt: skip
def test_address_is_shown_without_what_opens_it(url: str, secret: str, shown: str) -> None:
    said = shown_url(url.format(secret))

    assert shown in said
    assert secret not in said
    assert len(secrets_of(url.format(secret))) == 1


@pytest.mark.parametrize(
    "url",
    [
        "", "fleet@example.org", "https://chat.example", "https://chat.example/hook",
        "http://gw-0123456789abcdef.example:8080/ready?site=berlin",
        "https://status.example/api/v2/production-gateways/healthcheck.json",
        "https://status.example/internationalization/20261126194455123",
    ],
)  # fmt: skip
def test_address_without_a_secret_is_shown_as_it_is(url: str) -> None:
    assert (shown_url(url), secrets_of(url)) == (url, ())


def test_another_secret_is_seen_to_be_another_one() -> None:
    first, second = (f"https://chat.example/{'aB3' * 8}{end}" for end in "12")

    assert shown_url(first) != shown_url(second)
