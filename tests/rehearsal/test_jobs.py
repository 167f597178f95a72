"""Jobs in bash: the variables that one command leaves to the next, and the environment of each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from emulator.account import EmulatedAccount
from rehearsal.job_world import job_world
from rehearsal.pipeline.builds import BuildRunner, Relay, Shell, split
from rehearsal.pipeline.definition import Project
from rehearsal.pipeline.errors import WalkFailed
from rehearsal.pipeline.in_process import signed_in
from rehearsal.synthesis import Synthesis


def shell(folder: Path) -> Shell:
    return Shell(folder, {"TABLE": "tap-journal"}, Relay(lambda line: None))


def job_of(tmp_path: Path, *commands: str) -> tuple[BuildRunner, Project, list[str]]:
    lines: list[str] = []
    project = Project("P", "tap-p", {}, {"phases": {"build": {"commands": list(commands)}}}, True)
    jobs = BuildRunner(
        lambda *arguments: 0, Synthesis(tmp_path / "cache"), tmp_path, "us-east-1", "c0ffee", lines.append
    )
    return jobs, project, lines


def test_exported_variables_and_the_folder_carry_on(tmp_path: Path) -> None:
    bash = shell(tmp_path)
    assert bash.run("mkdir sub; cd sub; export SEEN='a b\nc'; PRIVATE=1") == 0
    assert bash.run('test "$SEEN" = "a b\nc" && test -z "$PRIVATE" && test "$(basename "$PWD")" = sub') == 0


def test_a_command_that_exits_leaves_its_code(tmp_path: Path) -> None:
    bash = shell(tmp_path)
    assert bash.run("export KEPT=1; exit 5") == 5
    assert bash.environ["KEPT"] == "1"


def test_no_credentials_and_no_variables_of_this_process_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    bash = shell(tmp_path)
    assert bash.run('test -z "$AWS_ACCESS_KEY_ID" && test "$TABLE" = tap-journal') == 0


def test_a_job_calls_as_its_own_role(tmp_path: Path) -> None:
    with EmulatedAccount(start=datetime(2027, 3, 1, tzinfo=UTC), tooling="1" * 12, production="2" * 12) as account:
        seen: list[Mapping[str, str]] = []
        jobs = BuildRunner(
            lambda _arguments, environ, _actor: seen.append(environ) or 0,
            Synthesis(tmp_path / "cache"),
            tmp_path,
            "us-east-1",
            "c0ffee",
            print,
            sign_in=signed_in(account),
        )
        for name in ("watch", "apply", "watch"):
            spec = {"phases": {"build": {"commands": ["python -m optimizer status"]}}}
            project = Project("P", "tap-p", {}, spec, True, role=f"arn:aws:iam::{'1' * 12}:role/tap-job-{name}")
            jobs.prepare(project, {}, None).run(name)
        callers = [boto3.Session(botocore_session=job_world(account, each).open_session()) for each in seen]
        names = [each.client("sts").get_caller_identity()["Arn"] for each in callers]
        assert names == [
            f"arn:aws:sts::{'1' * 12}:assumed-role/tap-job-{n}/tap-job-{n}" for n in ("watch", "apply", "watch")
        ]
        assert job_world(account, seen[0]).opened is job_world(account, seen[2]).opened
        assert job_world(account, seen[0]).opened is not job_world(account, seen[1]).opened


def test_what_is_printed_is_passed_on_by_line(tmp_path: Path) -> None:
    lines: list[str] = []
    relay = Relay(lines.append)
    relay.write("one\ntw")
    relay.write("o\n\n")
    assert lines == ["one", "two"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ('python -m optimizer apply --phase "$PHASE"', ["python", "-m", "optimizer", "apply", "--phase", "$PHASE"]),
        ("python app.py", ["python", "app.py"]),
        ("a && b", ["a", "&&", "b"]),
        ("echo 'unclosed", []),
    ],
)
def test_commands_are_split_as_a_shell_would(command: str, words: list[str]) -> None:
    assert split(command) == words


def test_variables_in_the_arguments_are_expanded_by_bash(tmp_path: Path) -> None:
    bash = shell(tmp_path)
    bash.environ["STAGE"] = "Phase2"
    command = 'python -m optimizer rollback --phase "${STAGE#Phase}" --reason "The gate of $STAGE was rejected."'
    assert bash.expanded(command)[3:] == ["rollback", "--phase", "2", "--reason", "The gate of Phase2 was rejected."]


def test_the_first_failing_command_ends_the_job(tmp_path: Path) -> None:
    jobs, project, lines = job_of(tmp_path, "echo one", "false", "echo two")
    ended = jobs.prepare(project, {}, None).run("Build.P")
    assert (ended.exit_code, ended.failed, lines) == (1, "false", ["one"])


def test_the_optimizer_in_a_pipe_is_refused_and_never_run_outside(tmp_path: Path) -> None:
    jobs, project, _ = job_of(tmp_path, "python -m optimizer status | cat")
    with pytest.raises(WalkFailed, match="in process, alone"):
        jobs.prepare(project, {}, None).run("Build.P")


@pytest.mark.parametrize(
    ("command", "stops"),
    [("echo more > made.txt", False), ("rm app.py", False), ("echo more >> app.py", True), ("touch lib/a.py", True)],
)
def test_a_job_that_archives_its_folder_has_links_and_may_not_write_into_them(
    tmp_path: Path, command: str, stops: bool
) -> None:
    jobs, project, _ = job_of(tmp_path, command, "python -m optimizer apply --source .")
    source = tmp_path / "source"
    (source / "lib").mkdir(parents=True)
    for name in ("app.py", "lib/a.py"):
        (source / name).write_text("1\n")
    first = jobs.prepare(project, {"Source": source}, "Source")
    assert first.run("Build.P").exit_code == 0
    assert not (first.folder / "lib" / "a.py").is_symlink()
    if stops:
        with pytest.raises(WalkFailed, match=r"a job wrote into its input, which others read: (app|lib/a)\.py"):
            jobs.prepare(project, {"Source": source}, "Source")
    else:
        assert (jobs.prepare(project, {"Source": source}, "Source").folder / "app.py").read_text() == "1\n"


def test_app_py_that_fails_fails_the_job_with_its_words(tmp_path: Path) -> None:
    jobs, project, lines = job_of(tmp_path, "python app.py")
    source = tmp_path / "source"
    source.mkdir()
    (source / "app.py").write_text("import sys; sys.exit('no such zone')")
    ended = jobs.prepare(project, {"Source": source}, "Source").run("Build.P")
    assert ended.exit_code == 1
    assert any("no such zone" in line for line in lines)


def test_synthesis_is_kept_by_sources_and_sizing(tmp_path: Path) -> None:
    jobs, project, _ = job_of(tmp_path, "python app.py")
    source = tmp_path / "source"
    source.mkdir()
    (source / "app.py").write_text(
        "import pathlib, uuid\np = pathlib.Path('cdk.out'); p.mkdir()\n(p / 'made').write_text(uuid.uuid4().hex)\n"
    )

    def made(sizing: str | None) -> str:
        job = jobs.prepare(project, {"Source": source}, "Source")
        if sizing:
            (job.folder / "sizing.json").write_text(sizing)
        assert job.run("Build.P").exit_code == 0
        return (job.folder / "cdk.out" / "made").read_text()

    first = made(None)
    assert made(None) == first
    assert made("{}") != first
    (source / "app.py").write_text((source / "app.py").read_text() + "# changed\n")
    assert made(None) != first
