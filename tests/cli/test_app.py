"""The command line as a whole: what becomes of an exception, lazy commands, help, version, completion, broken pipes."""

from __future__ import annotations

import errno
import importlib
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from edgecnn import __version__, cli
from edgecnn.errors import ArgumentError, BundleError, EdgecnnError, MissingExtraError, StageError

EDGECNN = [sys.executable, "-c", "from edgecnn.cli import main; main()"]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., None]], None]:
    """Give the app one command of the test's own, called `probe`."""

    def register(function: Callable[..., None]) -> None:
        monkeypatch.setattr(cli, "COMMANDS", {"probe": "Probe."})
        monkeypatch.setitem(sys.modules, "edgecnn.cli.probe", SimpleNamespace(probe=function))

    return register


def invoke(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli.app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (BundleError("two\n  lines"), "two lines"),
        (MissingExtraError("tensorflow", "train"), "tensorflow is not installed; run: pip install 'edgecnn[train]'"),
        (StageError("open", [], EdgecnnError("refused")), "refused"),
        (StageError("convert", ["open"], EdgecnnError("no")), "no (in stage convert; done before: open)"),
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), "/x/y: No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), "/x/y: Permission denied"),
    ],
)
def test_known_error_is_one_line_on_stderr_and_exit_code_1(command, error, line):
    def probe() -> None:
        raise error

    command(probe)
    assert invoke("probe") == (1, "", f"edgecnn: {line}\n")


@pytest.mark.parametrize("wrap", [lambda error: error, lambda error: StageError("data", ["open"], error)])
def test_wrong_argument_is_one_line_on_stderr_and_exit_code_2(command, wrap):
    def probe() -> None:
        raise wrap(ArgumentError("threads: expected 1..64, got 10000"))

    command(probe)
    assert invoke("probe") == (2, "", "edgecnn: threads: expected 1..64, got 10000\n")


def test_every_class_of_the_error_tree_is_known():
    pending = [EdgecnnError]
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        error = StageError("open", [], EdgecnnError("no")) if kind is StageError else kind.__new__(kind)
        assert cli._verdict(error)[1] == (2 if kind is ArgumentError else 1)
        assert cli._verdict(error)[0] is not None


@pytest.mark.parametrize(
    "error", [ValueError("ours"), KeyError("k"), OSError("no number"), FileNotFoundError(errno.ENOENT, "gone", "/x")]
)
def test_unknown_error_keeps_its_traceback(command, error):
    def probe() -> None:
        raise error

    command(probe)
    with pytest.raises(type(error)) as caught:
        invoke("probe")
    assert caught.value is error


def test_debug_shows_the_traceback_of_a_known_error(command, monkeypatch):
    def probe() -> None:
        raise BundleError("altered")

    command(probe)
    monkeypatch.setenv("EDGECNN_DEBUG", "1")
    with pytest.raises(BundleError, match="altered"):
        invoke("probe")


def test_interrupt_is_one_line_and_exit_code_130(command):
    def probe() -> None:
        raise KeyboardInterrupt

    command(probe)
    assert invoke("probe") == (130, "", "edgecnn: interrupted\n")


def test_exit_code_of_a_command_goes_through(command):
    def probe(code: int) -> None:
        raise typer.Exit(code)

    command(probe)
    assert [invoke("probe", str(code))[0] for code in (0, 1, 3)] == [0, 1, 3]


@pytest.mark.parametrize(
    ("arguments", "says", "command_of"),
    [
        (["probe", "1", "--no-such"], "no such option: --no-such", "edgecnn probe"),
        (["probe", "1", "--countt", "2"], "--count)", "edgecnn probe"),
        (["probe"], "missing argument 'NUMBER'", "edgecnn probe"),
        (["probe", "1", "2"], "unexpected extra argument", "edgecnn probe"),
        (["probe", "one"], "'NUMBER': 'one' is not a valid int", "edgecnn probe"),
        (["probe", "1", "--count", "9"], "'--count': 9 is not in the range", "edgecnn probe"),
        (["nothing"], "no such command 'nothing'.", "edgecnn"),
        (["prob"], "Did you mean 'probe'?", "edgecnn"),
        (["--no-such"], "no such option: --no-such", "edgecnn"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(command, arguments, says, command_of):
    def probe(
        number: Annotated[int, typer.Argument(metavar="NUMBER")], count: Annotated[int, typer.Option(max=3)] = 0
    ) -> None:
        """Probe."""

    command(probe)
    code, out, err = invoke(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("edgecnn: ") and says in err and err.endswith(f" See: {command_of} --help\n")


@pytest.mark.parametrize(
    ("arguments", "code", "meant"),
    [
        (["train", "digit"], 2, "digits"),
        (["train", "alexnet-light"], 2, "alexnet-lite"),
        (["data", "mnits"], 2, "mnist"),
        (["run", "digit", "x.png"], 1, "digits"),
        (["parity", "digitslive"], 1, "digits-live"),
        (["bench", "tinny"], 1, "tiny"),
    ],
)
def test_a_mistyped_name_is_answered_with_the_nearest(arguments, code, meant):
    found = invoke(*arguments)
    assert found[0] == code and f"; did you mean '{meant}'?" in found[2]


def test_a_name_that_is_like_none_gets_no_suggestion():
    assert "did you mean" not in invoke("data", "zebra")[2]


def test_a_command_may_have_commands_of_its_own(command):
    inner = typer.Typer()

    @inner.command()
    def one() -> None:
        typer.echo("first")

    @inner.command()
    def two() -> None:
        raise BundleError("second")

    command(inner)
    assert invoke("probe", "one") == (0, "first\n", "")
    assert invoke("probe", "two") == (1, "", "edgecnn: second\n")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_every_command_with_its_line(flag):
    code, out, err = invoke(flag)
    assert (code, err) == (0, "")
    words = " ".join(out.replace("│", " ").split())
    for name, line in cli.COMMANDS.items():
        assert f"{name} {line}" in words


def test_every_file_of_the_command_line_is_a_command_or_is_shared():
    files = {path.stem for path in Path(cli.__file__).parent.glob("*.py")} - {"__init__"}
    commands = {name for name in files if hasattr(importlib.import_module(f"edgecnn.cli.{name}"), name)}
    assert commands == set(cli.COMMANDS)


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_docstring_of_a_command_opens_with_its_line_of_help(name):
    entry = getattr(importlib.import_module(f"edgecnn.cli.{name}"), name)
    text = entry.info.help if isinstance(entry, typer.Typer) else inspect.getdoc(entry)
    assert text.splitlines()[0] == cli.COMMANDS[name]


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_help_of_a_command_describes_every_parameter(name):
    pending = [cli.load(name)]
    while pending:
        command = pending.pop()
        pending += getattr(command, "commands", {}).values()
        silent = [parameter.name for parameter in command.params if not getattr(parameter, "help", None)]
        assert silent == [], f"{command.name}: no help for {silent}"
        assert command.help


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_help_of_a_command_shows_every_word_of_its_texts(name):
    """As rich's own markup, texts in brackets would vanish."""
    command = cli.load(name)
    shown = CliRunner().invoke(cli.app, [name, "--help"], env={"COLUMNS": "200"}).stdout.replace("│", " ")
    for text in [command.help, *(parameter.help for parameter in command.params)]:
        words = set(re.sub(r"[`*]", "", text).split())
        assert words <= set(shown.split()), f"not shown: {words - set(shown.split())}"


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_help_of_a_command_imports_nothing_heavy(name):
    heavy = (
        "numpy",
        "cv2",
        "tensorflow",
        "onnxruntime",
        "ai_edge_litert",
        "matplotlib",
        "sklearn",
        "starlette",
        "asyncssh",
    )
    code = f"import sys; from edgecnn.cli import load; load({name!r}); print([m for m in {heavy} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert ran.stdout == "[]\n"


FLOATS = {
    "train": ["tiny", "--data", "optdigits"],
    "data": ["FOLDER"],
    "export": ["tiny"],
    "parity": ["tiny"],
    "run": ["tiny", "/dev/video99"],
    "bench": ["tiny"],
}
"""Commands that take numbers with a fraction, with arguments that they need."""


def floats() -> list[tuple[str, str]]:
    """Every option of a command that takes such a number."""
    commands = {name: cli.load(name) for name in cli.COMMANDS}
    return [
        (name, parameter.opts[0])
        for name, command in commands.items()
        for parameter in command.params
        if parameter.type.name.startswith("float")
    ]


def test_commands_take_numbers_with_a_fraction():
    assert {name for name, _ in floats()} == set(FLOATS)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1"])
@pytest.mark.parametrize(("name", "option"), floats())
def test_what_is_no_sensible_number_is_refused(name, option, value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where a command that went on would write
    arguments = [str(tmp_path) if argument == "FOLDER" else argument for argument in FLOATS[name]]
    code, out, err = invoke(name, *arguments, option, value)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert value in err and option.strip("-").replace("-", "_").rpartition("_")[2] in err.replace("-", "_")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("data", ["optdigits"]),
        ("train", ["tiny", "--data", "optdigits"]),
        ("export", ["tiny"]),
        ("parity", ["tiny"]),
        ("deploy", ["board", "tiny"]),
    ],
)
def test_a_data_dir_that_is_not_there_is_refused(name, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where a command that went on would write
    code, out, err = invoke(name, *arguments, "--data-dir", str(tmp_path / "nope"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "'--data-dir'" in err and "nope' does not exist" in err
    with_it = [name for name in cli.COMMANDS if any("--data-dir" in one.opts for one in cli.load(name).params)]
    assert set(with_it) == {"data", "train", "export", "parity", "deploy"}


def test_version():
    assert invoke("--version") == (0, f"edgecnn {__version__}\n", "")


def test_no_arguments_show_the_help():
    assert "Usage: edgecnn" in "".join(invoke()[1:])


def test_shell_completion_knows_the_commands():
    environment = os.environ | {
        "_EDGECNN_COMPLETE": "complete_bash",
        "COMP_WORDS": "edgecnn ",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    ran = subprocess.run(EDGECNN, env=environment, capture_output=True, text=True, timeout=120)
    assert set(cli.COMMANDS) <= set(ran.stdout.split())


def test_a_reader_that_leaves_early_is_no_error():
    program = subprocess.Popen([*EDGECNN, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    program.stdout.close()
    assert program.stderr.read() == b""
    program.stderr.close()
    assert program.wait(timeout=120) == 1


def test_a_fault_of_ours_shows_a_plain_traceback():
    code = (
        "import sys, types; from edgecnn import cli; cli.COMMANDS['probe'] = ''\n"
        "def probe(): raise ValueError('ours')\n"
        "sys.modules['edgecnn.cli.probe'] = types.SimpleNamespace(probe=probe); sys.argv[1:] = ['probe']; cli.main()"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 1
    assert ran.stderr.startswith("Traceback (most recent call last):")
    assert ran.stderr.endswith("ValueError: ours\n")
    assert "╭" not in ran.stderr
