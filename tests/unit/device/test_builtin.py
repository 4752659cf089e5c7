from hypothesis import given
from hypothesis import strategies as st

from orchestrator.device import builtin
from orchestrator.device.builtin import BuiltIn
from orchestrator.device.protocol import Request, Verb

FORMS = st.one_of(*(
    st.from_regex(form, fullmatch=True).map(lambda text, kind=kind: f"{kind}:{text}")
    for kind, (form, _) in builtin._FORMS.items()
))  # fmt: skip


@given(FORMS)
def test_what_is_no_problem_fits_a_request(name):
    if builtin.problem(name) is None:
        assert name in Request(Verb.HEALTH, {"checks": name}).line


@given(st.sampled_from(BuiltIn), st.text(max_size=30))
def test_anything_else_is_a_problem_in_words(kind, argument):
    name = f"{kind}:{argument}"

    found = builtin.problem(name)

    if set(argument) & set(" ,;|&$`'\"\\=*?%#()<>[]{}~!^\n\t") or ".." in argument:
        assert found is not None
        assert argument in found[0]
        assert found[1]


def test_unknown_kinds_are_named_with_the_known_ones():
    assert builtin.problem("shell:id") == (
        "there is no built-in check `shell`",
        "there are service, process, port, http, file, disk, load",
    )


def test_name_of_a_health_check_is_not_built_in():
    assert not builtin.is_built_in("gatewayd")
    assert builtin.is_built_in("load:4")
