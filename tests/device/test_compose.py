"""The update module `compose`, with a docker of the test."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.device.compose_kit import DOCKER, images, payload, running
from tests.device.kit import Shell
from tests.device.module_kit import Bench, Subject

PULLED = payload("r1")
del PULLED["app.tar"]


def bench_with(root: Path, shell: Shell, programs: Mapping[str, str] | None = None) -> Bench:
    """A device on which the release NAME brings the image NAME, or pulls it where it begins with `pull`."""
    made = {"docker": DOCKER} if programs is None else programs
    subject = Subject(
        "compose",
        lambda name: dict(PULLED) if name.startswith("pull") else payload(name),
        running,
        breaks=lambda given: {**given, "compose.yaml": b"services: {}\n"},
        programs={"sleep": "#!/bin/sh\n", **made},
    )
    return Bench(root, shell, subject)


@pytest.fixture
def bench(tmp_path: Path, one_shell: Shell) -> Bench:
    return bench_with(tmp_path / "device", one_shell)


def docker(bench: Bench, *words: str) -> str:
    done = subprocess.run(
        [bench.root / "programs/real-docker", *words],
        env={"ROLLOUT_ROOT": str(bench.root), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout.strip()


def registry(bench: Bench, image: str) -> None:
    """What `app:1` means there from now on."""
    place = bench.root / "docker/registry/app:1"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"sha256:{image}\n")


def meaning(bench: Bench) -> str:
    return docker(bench, "image", "inspect", "--format", "{{.Id}}", "app:1").removeprefix("sha256:")


def test_going_back_finds_the_image_although_its_name_moved_on(bench: Bench):
    registry(bench, "a")
    first = bench.release("pull-1")
    bench.do(first, "install", "activate", "commit")
    registry(bench, "b")
    second = bench.release("pull-2")
    bench.do(second, "install", "activate")
    assert (bench.running, meaning(bench)) == ("b", "b")

    bench.do(second, "back", "cleanup")

    assert (bench.running, meaning(bench), images(bench.root)) == ("a", "a", {"a"})


def test_a_release_that_is_never_activated_leaves_names_and_images_as_they_were(bench: Bench):
    registry(bench, "a")
    docker(bench, "pull", "app:1")
    registry(bench, "b")
    release = bench.release("pull-1")

    bench.do(release, "install")
    assert meaning(bench) == "b"
    bench.do(release, "cleanup")

    assert (meaning(bench), images(bench.root)) == ("a", {"a"})


def test_images_go_with_the_last_release_that_has_them_but_not_those_of_others(bench: Bench):
    registry(bench, "of-others")
    docker(bench, "pull", "app:1")
    made = [bench.release(name) for name in ("r1", "r2", "r3")]
    for release in made:
        bench.do(release, "install", "activate", "commit")

    bench.do(made[0], "cleanup")

    assert images(bench.root) == {"of-others", "r2", "r3"}


def test_a_project_that_somebody_else_started_is_left_alone(bench: Bench):
    theirs = bench.root / "docker/projects/web"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("c Up sha256:theirs\n")
    release = bench.release("r1")
    bench.do(release, "install")

    rc, said = release.run("activate")

    assert (rc, "was not started by this module" in said) == (1, True)
    bench.do(release, "back", "cleanup")
    assert bench.running == "theirs"


@pytest.mark.parametrize("image", ["crash-app:1", "sick-app:1"])
def test_containers_that_are_not_well_have_failed(bench: Bench, image: str):
    release = bench.release("r1")
    release.payload(payload("r1", image))
    bench.do(release, "install")

    rc, said = release.run("activate")

    assert (rc, "a container is not well" in said) == (1, True)
    bench.do(release, "back")
    assert bench.running == ""


def test_an_image_that_cannot_be_had_stops_nothing(bench: Bench):
    bench.first()

    release = bench.release("pull-1")
    (bench.root / "docker/names").write_text("")
    rc, said = release.run("install")

    assert (rc, "app:1 cannot be pulled" in said) == (1, True)
    assert bench.running == "r1"


def test_read_back_sees_containers_images_and_files(bench: Bench):
    release = bench.release("r1")
    bench.do(release, "install", "activate")
    project = bench.root / "docker/projects/web"
    good = project.read_text()
    assert release.answer("ReadBack") == "active"

    for state in ("c Exited_(1) sha256:r1\n", "c Up sha256:other\n", ""):
        project.write_text(state)
        assert release.answer("ReadBack") == "inactive"
    project.write_text(good)
    (release.tree / "files/compose.yaml").write_text("services: {}\n")
    assert release.answer("ReadBack") == "inactive"


@pytest.mark.parametrize("tool", ["docker-compose", "podman compose", "podman-compose"])
def test_it_works_with_each_compose(tmp_path: Path, one_shell: Shell, tool: str):
    engine = tool.replace("-", " ").split()[0]
    own = DOCKER.replace("'compose version') exit ;;", "'compose version') exit 1 ;;")
    programs = {"docker": "#!/bin/sh\nexit 1\n", engine: DOCKER if " " in tool else own}
    if "-" in tool:
        programs[tool] = DOCKER.replace("#!/bin/sh\n", '#!/bin/sh\nset -- compose "$@"\n', 1)
    if tool == "podman-compose":  # takes a container that is there for the right one
        keeps = 'up)\n        [ ! -f "$at/projects/$project" ] || exit 0'
        programs[tool] = programs[tool].replace("up)", keeps).replace('cat "$file"', "exit 1")
    bench = bench_with(tmp_path / "device", one_shell, programs)
    for name, body in programs.items():
        (bench.root / "programs" / name).write_text(body)
        (bench.root / "programs" / name).chmod(0o755)

    bench.first()
    bench.do(bench.release("r2"), "install", "activate")

    assert bench.running == "r2"


def test_containers_with_an_image_of_another_release_are_not_this_one(bench: Bench):
    bench.first()
    docker_up = bench.root / "programs/real-docker"
    docker_up.write_text(DOCKER.replace("up)", "up) exit 0"))  # and changes nothing
    release = bench.release("r2")
    bench.do(release, "install")

    rc, said = release.run("activate")

    assert (rc, "an image of another release" in said) == (1, True)


def test_a_device_without_docker_and_podman_refuses(tmp_path: Path, one_shell: Shell):
    none = ("docker", "docker-compose", "podman", "podman-compose")
    programs = dict.fromkeys(none, "#!/bin/sh\nexit 1\n")
    bench = bench_with(tmp_path / "device", one_shell, programs)
    for name, body in programs.items():
        (bench.root / "programs" / name).write_text(body)
        (bench.root / "programs" / name).chmod(0o755)

    rc, said = bench.release("r1").run("install")

    assert (rc, "neither docker nor podman" in said) == (1, True)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("project", b"../web"),
        ("project", b"Web"),
        ("project", b""),
        ("compose.yaml", b"services: {}\n"),
    ],
)
def test_the_payload_is_checked(bench: Bench, part: str, value: bytes):
    release = bench.release("r1")
    release.payload(payload("r1") | {part: value})

    assert release.run("install")[0] == 1
