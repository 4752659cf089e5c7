from pathlib import Path

import pytest

from orchestrator.api.roles import Role
from orchestrator.cli.config import Flags, find_project, load
from orchestrator.cli.config_keys import KINDS, POWER_KEYS, TRUST_FILES
from orchestrator.errors import ExitCode, OrchestratorError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "fleet"
    (root / "plans" / "deep").mkdir(parents=True)
    (root / ".git").mkdir()
    return root


@pytest.fixture
def user_file(tmp_path: Path) -> Path:
    path = tmp_path / "user.toml"
    path.write_text("")
    return path


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_defaults_put_the_state_into_the_project(project, user_file) -> None:
    config = load(Flags(config=user_file), {}, project / "plans")

    assert config.settings.root == project
    assert config.settings.state == str(project / ".rollout/state.db")
    assert config.settings.inventory == ()
    assert config.color == "auto"


def test_flags_beat_environment_beats_project_beats_user(project, user_file) -> None:
    user = write(user_file, 'color = "never"\nstate = "user.db"\nconnections_max = 7\n')
    environment = {"ROLLOUT_STATE": "env.db"}
    load_it = lambda flags, env: load(flags, env, project)  # noqa: E731

    only_user = load_it(Flags(config=user), {})
    write(project / "rollout.toml", 'color = "always"\nstate = "project.db"\n')
    with_project = load_it(Flags(config=user), {})
    with_env = load_it(Flags(config=user), environment)
    with_flag = load_it(Flags(config=user, state="flag.db"), environment)

    assert only_user.settings.state == str(user.parent / "user.db")
    assert with_project.settings.state == str(project / "project.db")
    assert with_env.settings.state == str(project / "env.db")
    assert with_flag.settings.state == str(project / "flag.db")
    assert (only_user.color, with_project.color) == ("never", "always")
    assert with_flag.settings.connections_max == 7


def test_the_nearest_project_file_counts_and_none_above_the_git_root(project, user_file) -> None:
    write(project.parent / "rollout.toml", 'inventory = ["above.yml"]')
    assert load(Flags(config=user_file), {}, project / "plans").settings.inventory == ()

    write(project / "rollout.toml", 'inventory = ["inventory/hosts.yml"]')
    config = load(Flags(config=user_file), {}, project / "plans" / "deep")

    assert config.project_file == project / "rollout.toml"
    assert config.settings.inventory == (str(project / "inventory/hosts.yml"),)


def test_a_rollout_under_way_is_found_from_below(tmp_path) -> None:
    (tmp_path / ".rollout").mkdir()
    (tmp_path / ".rollout" / "state.db").touch()
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)

    assert find_project(below) == (tmp_path, None)


@pytest.mark.parametrize("key", sorted(POWER_KEYS))
def test_keys_that_grant_power_are_errors_in_the_project(key, project, user_file) -> None:
    write(project / "rollout.toml", f'state = "x.db"\n{key} = ["/usr/bin/true"]\n')

    with pytest.raises(OrchestratorError) as caught:
        load(Flags(config=user_file), {}, project)

    assert caught.value.exit_code is ExitCode.USAGE
    assert str(caught.value.where) == f"{project / 'rollout.toml'}:2:1"
    assert f"ROLLOUT_{key.upper()}" in caught.value.hint


def test_the_user_and_the_environment_may_grant_power(project, user_file) -> None:
    user = write(user_file, 'allow_commands = ["/usr/bin/probe"]\ntrusted_keys = ["keys/r.pub"]\n')

    from_user = load(Flags(config=user), {}, project).settings
    from_env = load(Flags(config=user), {"ROLLOUT_TRUSTED_KEYS": "a.pub:/b.pub"}, project).settings

    assert from_user.allow_commands == ("/usr/bin/probe",)
    assert from_user.trusted_keys == (user.parent / "keys/r.pub",)
    assert from_env.trusted_keys == (project / "a.pub", Path("/b.pub"))


def test_file_of_the_repository_grants_no_power_whoever_names_it(project, user_file) -> None:
    """Attack 20: who may write plans would choose who runs what."""
    inside = write(project / "plans/ops.toml", 'color = "never"\npeople = ["eve=ops"]\n')
    link = project.parent / "ops.toml"
    link.symlink_to(inside)

    for flags, variables in (
        (Flags(config=inside), {}), (Flags(config=link), {}), (Flags(), {"ROLLOUT_CONFIG": str(inside)}),
    ):  # fmt: skip
        with pytest.raises(OrchestratorError) as caught:
            load(flags, variables, project / "plans")
        assert caught.value.code == "C104"
    write(inside, 'color = "never"\n')
    assert load(Flags(config=inside), {}, project).color == "never"


@pytest.mark.parametrize("key", TRUST_FILES)
def test_whom_to_trust_is_never_read_from_the_repository(project, user_file, key) -> None:
    """Attack 20, in a file and in a variable; without a repository the directory is the operator's."""
    named = write(user_file, f'{key} = "{project}/plans/file"\n')

    for flags, variables in (
        (Flags(config=named), {}), (Flags(), {f"ROLLOUT_{key.upper()}": "file"}),
    ):  # fmt: skip
        with pytest.raises(OrchestratorError, match=f"`{key}` may not lie in the repository"):
            load(flags, variables, project / "plans")
    (project / ".git").rmdir()
    assert load(Flags(config=named), {}, project).settings.root == project


def test_known_hosts_of_the_repository_name_no_authority(project, user_file) -> None:
    """Attack 20: an authority for every device would stand beside the plans, whoever names the file."""
    known = write(project / "plans/known_hosts", "gw-1 ssh-ed25519 AAAA\n")
    named = write(user_file, f'known_hosts = ["{known}"]\n')
    assert load(Flags(config=named), {}, project).settings.known_hosts == (known,)
    write(known, "@cert-authority * ssh-ed25519 AAAA\n")

    with pytest.raises(OrchestratorError, match="`known_hosts` may not lie in the repository"):
        load(Flags(config=named), {}, project)


def test_gates_get_what_the_user_grants_them(project, user_file) -> None:
    entry = "https://prom.example:9090=file:/etc/rollout/prom.token"
    user = write(user_file, f'allow_gate_kinds = ["influx"]\ngate_tokens = ["{entry}"]\n')
    variable = {"ROLLOUT_GATE_TOKENS": "http://a:1=env:A,http://b:2=env:B"}

    from_user = load(Flags(config=user), {}, project).settings
    from_env = load(Flags(config=user), variable, project).settings

    assert (from_user.allow_gate_kinds, from_user.gate_tokens) == (("influx",), (entry,))
    assert from_env.gate_tokens == ("http://a:1=env:A", "http://b:2=env:B")


def test_people_are_logins_with_roles(project, user_file) -> None:
    user = write(user_file, 'people = ["ann=ops,safety", "bob=ops"]\n')

    from_user = load(Flags(config=user), {}, project).settings
    from_env = load(
        Flags(config=user), {"ROLLOUT_PEOPLE": "cat=ops,night:dan=ops"}, project
    ).settings

    assert from_user.people == ("ann=ops,safety", "bob=ops")
    assert from_env.people == ("cat=ops,night", "dan=ops")


@pytest.mark.parametrize("entry", ["ann", "ann=", "=ops", "ann=ops,", "a b=ops"])
def test_person_without_login_or_role_is_refused(project, user_file, entry) -> None:
    user = write(user_file, f'people = ["{entry}"]\n')

    with pytest.raises(OrchestratorError, match="people"):
        load(Flags(config=user), {}, project)


def test_project_names_nobody_who_may_approve(project, user_file) -> None:
    write(project / "rollout.toml", 'people = ["mallory=ops"]\n')

    with pytest.raises(OrchestratorError, match="may not be set in the project"):
        load(Flags(config=user_file), {}, project)


@pytest.mark.parametrize("entry", ["https://a=secret", "a=env:A", "https://a/x=env:A", "https://a"])
def test_token_written_out_or_for_no_origin_is_refused(project, user_file, entry) -> None:
    user = write(user_file, f'gate_tokens = ["{entry}"]\n')

    with pytest.raises(OrchestratorError, match="gate_tokens"):
        load(Flags(config=user), {}, project)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@db.example/rollout",
        "postgresql://me:sec/secret@db.example/rollout",
        "postgresql://db.example/rollout?password=secret",
        "postgresql://db.example/rollout?user=me&pass%77ord=secret",
    ],
)
def test_a_state_url_with_a_password_is_refused_in_the_project_only(
    project, user_file, url
) -> None:
    write(project / "rollout.toml", f'state = "{url}"\n')

    with pytest.raises(OrchestratorError, match="password") as caught:
        load(Flags(config=user_file), {}, project)
    assert "secret" not in caught.value.message + caught.value.hint

    write(project / "rollout.toml", "")
    assert load(Flags(config=user_file), {"ROLLOUT_STATE": url}, project).settings.state == url


@pytest.mark.parametrize(
    "url",
    ["postgresql://me@db.example:5432/rollout", "postgresql://?service=fleet&passfile=/run/pass"],
)
def test_a_state_url_without_a_password_may_stand_in_the_project(project, user_file, url) -> None:
    write(project / "rollout.toml", f'state = "{url}"\n')

    assert load(Flags(config=user_file), {}, project).settings.state == url


@pytest.mark.parametrize("place", ["flag", "environment", "user"])
@pytest.mark.parametrize(
    "text", ["host=db.example user=me password=secret", "password = secret dbname=fleet"]
)
def test_libpqs_own_form_of_an_address_is_no_path(place, text, project, user_file) -> None:
    """A file of that name would be made, and its path, with the password, shown."""
    flags = Flags(config=user_file, state=text if place == "flag" else None)
    environment = {"ROLLOUT_STATE": text} if place == "environment" else {}
    write(user_file, f'state = "{text}"\n' if place == "user" else "")

    with pytest.raises(OrchestratorError, match="`key=value` of libpq") as caught:
        load(flags, environment, project)
    assert "secret" not in f"{caught.value.message} {caught.value.hint} {caught.value.where}"


@pytest.mark.parametrize("path", ["/srv/user=ann/state.db", "state.db", "/srv/my state/s.db"])
def test_a_path_that_only_looks_like_it_is_one(path, project, user_file) -> None:
    found = load(Flags(config=user_file, state=path), {}, project)

    assert found.settings.state.endswith(path)


@pytest.mark.parametrize("place", ["project", "user", "environment"])
def test_checking_of_host_keys_has_no_switch(place, project, user_file) -> None:
    environment = {}
    if place == "environment":
        environment["ROLLOUT_INSECURE_HOST_KEYS"] = "true"
    else:
        file = user_file if place == "user" else project / "rollout.toml"
        write(file, "insecure_host_keys = true\n")

    with pytest.raises(OrchestratorError, match="refused everywhere") as refused:
        load(Flags(config=user_file), environment, project)

    assert refused.value.code == "C106"
    assert "rollout device pin" in refused.value.hint


def test_unknown_keys_name_the_nearest_known(project, user_file) -> None:
    write(project / "rollout.toml", '\ninventry = ["x"]\n')

    with pytest.raises(OrchestratorError, match="unknown key `inventry`; did you mean `inventory`"):
        load(Flags(config=user_file), {}, project)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("state = 5", "`state` must be a text"),
        ('inventory = "hosts.yml"', "`inventory` must be a list of texts"),
        ("inventory = [1]", "`inventory` must be a list of texts"),
        ('connections_max = "many"', "`connections_max` must be a whole number"),
        ("connections_max = true", "`connections_max` must be a whole number"),
        ("connections_max = 0", "between 1 and"),
        ('reconcile_every = "often"', "is a duration above zero"),
        ('reconcile_every = "0s"', "is a duration above zero"),
        ("reconcile_every = 900", "`reconcile_every` must be a text"),
        ('color = "blue"', "one of auto, always, never"),
        ("state = ", "not TOML"),
    ],
)
def test_wrong_values_say_what_is_right(text, message, project, user_file) -> None:
    write(project / "rollout.toml", text + "\n")

    with pytest.raises(OrchestratorError, match=message) as caught:
        load(Flags(config=user_file), {}, project)

    assert caught.value.where.line == 1


def test_wrong_variables_name_the_variable(project, user_file) -> None:
    with pytest.raises(OrchestratorError) as caught:
        load(Flags(config=user_file), {"ROLLOUT_CONNECTIONS_MAX": "x"}, project)

    assert str(caught.value.where) == "environment variable ROLLOUT_CONNECTIONS_MAX"


def test_how_often_reconcile_comes_is_a_duration(project, user_file) -> None:
    write(project / "rollout.toml", 'reconcile_every = "15m"\n')

    said = load(Flags(config=user_file), {}, project).settings.reconcile_every_s
    by_variable = load(Flags(config=user_file), {"ROLLOUT_RECONCILE_EVERY": "1h30m"}, project)

    assert said == 900.0
    assert by_variable.settings.reconcile_every_s == 5400.0


def test_an_empty_variable_is_not_set(project, user_file) -> None:
    config = load(Flags(config=user_file), {"ROLLOUT_STATE": "", "ROLLOUT_INVENTORY": ""}, project)

    assert config.settings.state == str(project / ".rollout/state.db")


def test_host_lists_and_urls_are_no_paths(project, user_file) -> None:
    environment = {"ROLLOUT_INVENTORY": "a,b,"}

    assert load(Flags(config=user_file), environment, project).settings.inventory == ("a,b,",)


def test_a_configuration_that_cannot_be_read_says_so(project, tmp_path) -> None:
    with pytest.raises(OrchestratorError, match="cannot read configuration"):
        load(Flags(config=tmp_path / "missing.toml"), {}, project)

    (tmp_path / "latin.toml").write_bytes(b'state = "\xff"')
    with pytest.raises(OrchestratorError, match="not UTF-8"):
        load(Flags(config=tmp_path / "latin.toml"), {}, project)


def test_every_key_has_a_variable_of_its_name(project, user_file) -> None:
    (project / ".git").rmdir()  # files of trust may not lie in a repository
    samples = {str: "x", list: "x", int: "3", bool: "true"}
    own = {
        "color": "never",
        "reconcile_every": "5m",
        "gate_tokens": "https://prom=env:PROM",
        "people": "ann=ops",
        "roles": "operator=ann",
        "hook_secrets": "https://chat=env:CHAT",
        "vault_passwords": "/x",
        "inventory_programs": "/x",
        "inventory_servers": "https://netbox=env:NETBOX,https://cmdb",
        "mail_server": "smtps://mail:465",
        "mail_from": "rollout@example.org",
        "allow_device_access": "shell:fetch",
    }
    environment = {
        f"ROLLOUT_{key.upper()}": own.get(key, samples[kind]) for key, kind in KINDS.items()
    }

    config = load(Flags(config=user_file), environment, project)

    assert config.color == "never"
    assert config.settings.connections_max == 3
    assert config.settings.known_hosts == (project / "x",)
    assert config.settings.identity_files == (project / "x",)
    assert config.settings.mail_login == project / "x"
    assert config.settings.require_signed_commit
    assert config.settings.inventory_servers == ("https://netbox=env:NETBOX", "https://cmdb")


def test_roles_are_a_table_of_the_operator_alone(project, user_file) -> None:
    user = write(user_file, '[roles]\noperator = ["ann", "bob"]\napprover = ["cat@corp"]\n')

    found = load(Flags(config=user), {}, project).settings.roles
    from_env = load(Flags(), {"ROLLOUT_ROLES": "operator=ann,bob:author=cat"}, project)

    assert found == ("operator=ann,bob", "approver=cat@corp")
    assert from_env.settings.roles == ("operator=ann,bob", "author=cat")
    write(project / "rollout.toml", '[roles]\noperator = ["mallory"]\n')
    with pytest.raises(OrchestratorError, match="may not be set in the project's file"):
        load(Flags(), {}, project)


@pytest.mark.parametrize("role", Role)
def test_every_role_can_be_given_to_somebody(project, user_file, role) -> None:
    user = write(user_file, f'[roles]\n{role} = ["ann"]\n')

    assert load(Flags(config=user), {}, project).settings.roles == (f"{role}=ann",)


@pytest.mark.parametrize(
    "text",
    [
        'roles = "operator"', "[roles]\noperator = 1", '[roles]\nowner = ["ann"]',
        "[roles]\noperator = []", '[roles]\noperator = ["ann,bob=1"]', "[roles.operator]\na = 1",
    ],
)  # fmt: skip
def test_roles_of_another_form_are_errors(project, user_file, text) -> None:
    with pytest.raises(OrchestratorError, match="`roles`"):
        load(Flags(config=write(user_file, text + "\n")), {}, project)


def test_signed_commits_are_required_by_the_operator_alone(project, user_file) -> None:
    user = write(user_file, "require_signed_commit = true\n")
    assert load(Flags(config=user), {}, project).settings.require_signed_commit
    off = {"ROLLOUT_REQUIRE_SIGNED_COMMIT": "false"}
    assert not load(Flags(config=user), off, project).settings.require_signed_commit
    with pytest.raises(OrchestratorError, match="must be true or false"):
        load(Flags(config=user), {"ROLLOUT_REQUIRE_SIGNED_COMMIT": "yes"}, project)

    write(project / "rollout.toml", "require_signed_commit = false\n")
    with pytest.raises(OrchestratorError, match="may not be set in the project's file"):
        load(Flags(config=user), {}, project)


@pytest.mark.parametrize(
    "line",
    [
        'hook_secrets = ["https://chat.example"]',
        'hook_secrets = ["https://chat.example=s3cret"]',
        'mail_server = "mail.example"',
        'mail_server = "smtp://me:s3cret@mail.example"',
        'mail_from = "Rollout <rollout@example.org>"',
        'mail_from = "rollout@example.org\\nBcc: all@example.org"',
    ],
)
def test_hook_configuration_that_cannot_work_is_refused_without_showing_it(
    project, user_file, line
) -> None:
    user_file.write_text(line + "\n")

    with pytest.raises(OrchestratorError, match=line.split()[0]) as caught:
        load(Flags(config=user_file), {}, project)

    assert "s3cret" not in caught.value.message
