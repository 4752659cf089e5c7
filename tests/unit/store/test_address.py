import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import StoreError
from orchestrator.store.address import parameters_of, without_password
from orchestrator.store.connect import database_of


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:secret@db:5433/fleet", "postgresql://ann@db:5433/fleet"),
        ("postgres://ann:secret@db/fleet", "postgresql://ann@db/fleet"),
        ("postgresql://ann:@db/fleet", "postgresql://ann@db/fleet"),
        ("postgresql://:secret@db/fleet", "postgresql://db/fleet"),
        ("postgresql://db/fleet?password=secret", "postgresql://db/fleet"),
        ("postgresql://db/fleet?pass%77ord=secret&user=ann", "postgresql://db/fleet?user=ann"),
        ("postgresql://db/fleet?sslmode=verify-full&sslpassword=secret",
         "postgresql://db/fleet?sslmode=verify-full"),
        ("postgresql://?service=fleet", "postgresql://?service=fleet"),
        ("postgresql:///fleet?host=/run/postgresql", "postgresql:///fleet?host=/run/postgresql"),
        ("postgresql://a:1,b:2/fleet?target_session_attrs=read-write",
         "postgresql://a:1,b:2/fleet?target_session_attrs=read-write"),
        ("postgresql://[::1]:5432/fleet", "postgresql://[::1]:5432/fleet"),
    ],
)  # fmt: skip
def test_address_is_shown_without_its_password(url, shown):
    assert without_password(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:p@secret@db/fleet",
        "postgresql://ann:p/secret@db/fleet",
        "postgresql://ann:p?secret@db/fleet",
        "postgresql://db/fleet?password=p@secret",
    ],
)
def test_address_in_which_the_password_may_end_anywhere_is_refused_unseen(url):
    with pytest.raises(StoreError, match="has an `@` besides") as caught:
        database_of(url)

    assert "secret" not in f"{caught.value.message} {caught.value.hint}"
    assert "%40" in caught.value.hint


@pytest.mark.parametrize(
    "url", ["postgresql://db/fleet?secret", "postgresql://db/fleet?secret=1", "postgresql://[db/x"]
)
def test_address_that_libpq_cannot_read_is_not_repeated(url):
    with pytest.raises(StoreError, match="cannot be read") as caught:
        database_of(url)

    assert "secret" not in caught.value.message
    assert "postgresql://USER@HOST:PORT/DATABASE" in caught.value.hint


def test_password_reaches_the_driver_decoded():
    assert parameters_of("postgresql://ann:a%40b%2F@db/fleet")["password"] == "a@b/"


def test_password_is_not_in_the_representation_of_a_database():
    database = database_of("postgresql://ann:secret@db/fleet")

    assert database.parameters["password"] == "secret"
    assert "secret" not in repr(database)


def test_what_an_address_says_goes_before_the_defaults():
    parameters = database_of("postgresql://db/x?connect_timeout=3").parameters

    assert (parameters["connect_timeout"], parameters["application_name"]) == ("3", "rollout")


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=20))
def test_no_address_shows_its_password(password):
    url = f"postgresql://ann:{password}@db/fleet"
    try:
        shown = without_password(url)
    except StoreError as error:
        shown = f"{error.message} {error.hint}"

    assert password not in shown
