"""Runs the `build` commands of a synthesized CodeBuild project, as far as a laptop can.

A job has a folder with its declared inputs alone, its declared environment and CodeBuild's own
variables. `python -m optimizer ...` runs in process against the emulated account if the folder holds
this process's code, else as a separate process (`other_code`); an inline Python script of the
buildspec runs in process, `python app.py` through the cache of assemblies, everything else in
bash; exported variables pass from one command to the next, as in buildspec version 0.2. `install`
and `pre_build` are printed as not run, except inline scripts and the links that CDK generates there.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rehearsal.pipeline.definition import Project
from rehearsal.pipeline.errors import WalkFailed
from rehearsal.synthesis import Synthesis, SynthesisFailed, copy_sources, lay_out

Say = Callable[[str], None]
Verb = Callable[[Sequence[str], Mapping[str, str], str], int]
"""Runs `python -m optimizer` in process: arguments, the job's environment, the actor; returns the exit code."""

Script = Callable[[str, Mapping[str, str], str], int]
"""Runs an inline Python script of a buildspec: its text, the job's environment, the actor; returns the exit code."""

SignIn = Callable[[str], Mapping[str, str]]
"""The variables with the credentials of a role, by its ARN."""

INLINE = re.compile(r"python - <<'(\w+)'\n(.*?)\1", re.DOTALL)
OPTIMIZER = ["python", "-m", "optimizer"]
SYNTHESIS = ["python", "app.py"]
PACKS = "--source"
OPERATORS = frozenset("();<>|&")


@dataclass(frozen=True)
class Ended:
    """The end of a job: the exit code of the command that failed (0: none did), its output and its folder."""

    exit_code: int
    failed: str
    exported: Mapping[str, str]
    lines: tuple[str, ...]
    folder: Path

    @property
    def last_line(self) -> str:
        return self.lines[-1] if self.lines else ""


def no_credentials(role_arn: str) -> Mapping[str, str]:  # noqa: ARG001 -- a SignIn's signature
    """No variables, for jobs that call no AWS API."""
    return {}


def no_script(script: str, environ: Mapping[str, str], actor: str) -> int:  # noqa: ARG001 -- a Script's signature
    """A refusal, for jobs without an inline script."""
    raise WalkFailed(f"{actor}: nothing here runs the script that its buildspec holds.")


@dataclass(frozen=True)
class BuildRunner:
    """Shared state of all jobs of one rehearsal. The owner of `scratch` empties it."""

    verb: Verb
    synthesis: Synthesis
    scratch: Path
    region: str
    revision: str
    say: Say
    script: Script = no_script
    sign_in: SignIn = no_credentials
    _told: set[str] = field(default_factory=set)
    _linked: dict[Path, Mapping[str, tuple[int, int]]] = field(default_factory=dict)  # inputs, as they were first

    def tell_once(self, line: str) -> None:
        """Print a line that many jobs repeat, the first time only."""
        if line not in self._told:
            self._told.add(line)
            self.say(line)

    def _packs(self, project: Project) -> bool:
        """Whether a job archives its own folder, which then needs files instead of links."""
        return any(PACKS in split(command) for command in project.commands("build"))

    def _link(self, source: Path, folder: Path) -> None:
        """Lay out an input as files that are links to its own. Raises WalkFailed once a job has written into one."""
        now = {each.relative_to(source).as_posix(): _state(each) for each in source.rglob("*") if each.is_file()}
        if written := {name for name, _ in self._linked.setdefault(source, now).items() ^ now.items()}:
            raise WalkFailed(
                f"{source.name}: a job wrote into its input, which others read: {', '.join(sorted(written))}"
            )
        shutil.copytree(source, folder, copy_function=os.link)

    def prepare(self, project: Project, inputs: Mapping[str, Path], primary: str | None) -> Job:
        """A folder for a job: the primary input in it, the others beside it, linked as in the buildspec."""
        room = Path(tempfile.mkdtemp(dir=self.scratch, prefix=f"{project.name}-"))
        folder = room / "src"
        if primary is None:
            folder.mkdir()
        else:
            (self._link if self._packs(project) else lay_out)(inputs[primary], folder)
        environ = {
            **project.environment,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "CODEBUILD_SRC_DIR": str(folder),
            "CODEBUILD_RESOLVED_SOURCE_VERSION": self.revision,
            "CODEBUILD_BUILD_ID": f"{project.name}:{room.name}",
            **self.sign_in(project.role),
            **{f"CODEBUILD_SRC_DIR_{name}": str(path) for name, path in inputs.items() if name != primary},
        }
        return Job(self, project, folder, environ)


@dataclass
class Job:
    """One prepared build. `run` may be called repeatedly: a schedule starts the same project each time."""

    jobs: BuildRunner
    project: Project
    folder: Path
    declared: Mapping[str, str]
    _linked: bool = False

    def run(self, actor: str, overrides: Mapping[str, str] | None = None, say: Say | None = None) -> Ended:
        """Run the commands of the build phase until one fails. A Crash of the emulated account passes through."""
        relay = Relay(say or self.jobs.say)
        shell = Shell(self.folder, {**self.declared, **(overrides or {})}, relay)
        self._link_inputs(shell)
        for command in self._scripts():
            if code := self._run_script(command, shell, actor):
                return Ended(code, command.splitlines()[0], {}, tuple(relay.lines), self.folder)
        for command in self.project.commands("build"):
            code = self._run(command, shell, actor)
            if code:
                return Ended(code, command, {}, tuple(relay.lines), self.folder)
        exported = {name: shell.environ.get(name, "") for name in self.project.exported}
        return Ended(0, "", exported, tuple(relay.lines), self.folder)

    def moved(self, jobs: BuildRunner) -> Job:
        """The same job in a new folder, with a copy of everything its runs left there, for a separated scenario."""
        room = Path(tempfile.mkdtemp(dir=jobs.scratch, prefix=f"{self.project.name}-"))
        shutil.copytree(self.folder.parent, room, symlinks=True, dirs_exist_ok=True)
        folder = room / self.folder.name
        declared = {name: value.replace(str(self.folder), str(folder)) for name, value in self.declared.items()}
        return replace(self, jobs=jobs, folder=folder, declared=declared)

    def output(self, artifact: str, to: Path) -> Path:
        """An output artifact, copied out of its base directory. Raises WalkFailed if the job did not make it."""
        base = self.project.base_directory(artifact)
        made = self.folder / base
        if not made.is_dir() or not any(made.iterdir()):
            raise WalkFailed(f"{self.project.name}: no matching artifact paths found for {artifact} in {base}.")
        return Path(shutil.copytree(made, to, ignore=shutil.ignore_patterns("__pycache__")))

    def _link_inputs(self, shell: Shell) -> None:
        if self._linked:
            return
        for phase in ("install", "pre_build"):
            for command in self.project.commands(phase):
                if INLINE.fullmatch(command):
                    continue
                if "CODEBUILD_SRC_DIR_" not in command:
                    self.jobs.tell_once(f"not run here ({phase}): {command.strip().splitlines()[0]}")
                elif shell.run(command):
                    raise WalkFailed(f"{self.project.name}: an input could not be laid out: {command}")
        self._linked = True

    def _scripts(self) -> list[str]:
        return [each for each in self.project.commands("pre_build") if INLINE.fullmatch(each)]

    def _run_script(self, command: str, shell: Shell, actor: str) -> int:
        match = INLINE.fullmatch(command)
        assert match is not None, "only such commands are asked for"
        with shell.entered():
            return self.jobs.script(match[2], shell.environ, actor)

    def _run(self, command: str, shell: Shell, actor: str) -> int:
        words = split(command)
        if words[:3] == OPTIMIZER:
            if any(set(word) <= OPERATORS for word in words):
                raise WalkFailed(f"{self.project.name}: the rehearsal runs the optimizer in process, alone: {command}")
            arguments = shell.expanded(command)[3:]
            with shell.entered():
                return self.jobs.verb(arguments, shell.environ, actor)
        if words == SYNTHESIS:
            try:
                self.jobs.synthesis.run(self.folder, {**os.environ, **shell.environ})
            except SynthesisFailed as error:
                shell.relay.write(f"{error}\n")
                return 1
            return 0
        return shell.run(command)


class Relay(io.TextIOBase):
    """A command's output stream: keeps the lines, and passes each one on."""

    def __init__(self, say: Say) -> None:
        self.lines: list[str] = []
        self._say = say
        self._begun = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *whole, self._begun = (self._begun + text).split("\n")
        for line in whole:
            if line.strip():
                self.lines.append(line)
                self._say(line)
        return len(text)


@dataclass
class Shell:
    """One bash session, as in CodeBuild: each command leaves its exported variables and its folder to the next."""

    folder: Path
    environ: dict[str, str]
    relay: Relay

    def run(self, command: str) -> int:
        """Run a command; returns its exit code. This Python is first on its PATH; AWS credentials are the job's."""
        with tempfile.NamedTemporaryFile() as left:
            script = f"trap 'env -0 > {shlex.quote(left.name)}' EXIT\n{command}\n"
            done = subprocess.run(
                ["bash", "-c", script],
                cwd=self.folder,
                env={**self.environ, **_surroundings(self.folder)},
                capture_output=True,
                text=True,
                check=False,
            )
            self.relay.write(done.stdout + done.stderr)
            left.seek(0)
            pairs = (pair.partition("=") for pair in left.read().decode().split("\0") if pair)
            after = {name: value for name, _, value in pairs}
        if after:
            self.folder = Path(after.get("PWD", self.folder))
            own = {"PATH", "HOME", "LANG", "PWD", "OLDPWD", "SHLVL", "_"}
            self.environ = {name: value for name, value in after.items() if name not in own}
        return done.returncode

    def expanded(self, command: str) -> list[str]:
        """The command's words after bash has expanded variables and quotes."""
        if not set(command) & set("$`*?[~{"):
            return split(command)
        done = subprocess.run(
            ["bash", "-c", f"printf '%s\\0' {command}"],
            cwd=self.folder,
            env={**self.environ, **_surroundings(self.folder)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split("\0")[:-1]

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Work in the job's folder, with stdout and stderr relayed."""
        with (
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(self.relay),
            contextlib.redirect_stderr(self.relay),
        ):
            yield


def split(command: str) -> list[str]:
    """A command's words, with operators as separate words; empty for a command that only bash can parse."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        return []


def source_artifact(project: Path, to: Path) -> Path:
    """The Source action's output: the project's own files."""
    copy_sources(project, to)
    return to


def _state(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_mtime_ns, found.st_size


def _surroundings(folder: Path) -> dict[str, str]:
    interpreter = str(Path(sys.executable).parent)
    return {"PATH": f"{interpreter}:{os.defpath}:/usr/local/bin", "HOME": str(folder.parent), "LANG": "C.UTF-8"}
