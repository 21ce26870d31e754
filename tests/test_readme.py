"""What the README says is so: its commands exist and are understood, its Python runs, its links lead somewhere."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgecnn import cli

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
PROGRAM = [sys.executable, "-c", "from edgecnn.cli import main; main()"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Every line of a bash block, and every `edgecnn ...` or `tools/...` in the text."""
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`((?:edgecnn|tools/[^\s`]+|python benchmarks/\S+)(?: [^`\n]+)?)`", prose)
    lines = [line for block in blocks("bash") for line in block.splitlines() if line and not line.startswith("#")]
    return list(
        dict.fromkeys([*lines, *(span for span in spans if span != "edgecnn" and not span.startswith("edgecnn/"))])
    )


def edgecnn_commands() -> list[str]:
    return [command for command in commands() if command.startswith("edgecnn ")]


def test_there_are_commands():
    assert {"tools/demo", "tools/test"} <= set(commands())
    assert {shlex.split(command)[1] for command in edgecnn_commands()} == set(cli.COMMANDS), "the README shows each"


@pytest.mark.parametrize("command", commands())
def test_a_command_is_one_that_exists(command):
    words = shlex.split(command)
    if words[0] == "edgecnn":
        assert words[1] in cli.COMMANDS
    elif words[:2] == ["pip", "install"]:
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        named = re.fullmatch(r"(?:edgecnn|\.)\[(.+)\]", words[2])
        assert named is not None
        assert set(named[1].split(",")) <= set(extras)
    elif words[0] == "python":
        assert (ROOT / words[1]).is_file()
    else:
        assert os.access(ROOT / words[0], os.X_OK), f"{words[0]} is no program"


@pytest.mark.parametrize("command", edgecnn_commands())
def test_the_command_line_understands_a_command(command, monkeypatch):
    """Parsed by the command itself, with types, ranges and names checked, up to the point where it would begin."""
    monkeypatch.chdir(ROOT)
    name, *arguments = shlex.split(command)[1:]
    parsed = cli.load(name)
    while True:
        context = parsed.make_context(name, list(arguments))
        if not hasattr(parsed, "commands"):
            break
        name, parsed, arguments = parsed.resolve_command(context, [*context._protected_args, *context.args])
    assert parsed.callback is not None


def test_reading_the_sample_gives_what_the_readme_says():
    command = next(command for command in edgecnn_commands() if "models/samples/number.jpg" in command)
    ran = subprocess.run([*PROGRAM, *shlex.split(command)[1:]], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "31415|9265" in ran.stdout


@pytest.mark.parametrize("block", blocks("python"))
def test_python_of_the_readme_runs(block):
    ran = subprocess.run([sys.executable, "-c", block], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout


def requests() -> list[tuple[str, str]]:
    """Every `GET /...` and `POST /...` in the text."""
    return re.findall(r"`(GET|POST) (/[a-z./]+)`", README)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where a page is served whose token is TOKEN-TOKEN."""
    pytest.importorskip("uvicorn", reason="uvicorn is not installed; pip install 'edgecnn[serve]'")
    from edgecnn.bundle import find_bundle, read_bundle
    from edgecnn.reader import Reader
    from edgecnn.web.server import Page, claim

    with Reader(read_bundle(find_bundle(ROOT / "models" / "digits"))) as reader:
        page = Page(claim("127.0.0.1:0", "TOKEN-TOKEN"), reader, "test")
        yield page.port
        page.close()


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    connection.close()
    return answer


def test_the_page_s_requests_are_told():
    assert {path for _, path in requests()} >= {"/api/read", "/api/readings", "/healthz", "/metrics"}


@pytest.mark.parametrize(("method", "path"), requests())
def test_the_page_answers_a_request_with_the_token_as_a_header(port, method, path):
    assert ask(port, method, path).status == (503 if path == "/healthz" else 401)
    known = ask(port, method, path, Authorization="Bearer TOKEN-TOKEN").status
    expected = {"/healthz": 503, "/api/read": 422, "/api/start": 409, "/api/stop": 409}  # no frame, picture, source
    assert known == expected.get(path, 200)


def test_the_page_reads_what_curl_sends(port):
    (line,) = re.findall(r"`(curl [^`]+)`", README)
    _, flag, header, data, file, url = shlex.split(line)
    name, _, value = header.partition(": ")
    assert (flag, data, file, url.rpartition(":")[2]) == ("-H", "--data-binary", "@photo.jpg", "8080/api/read")
    sample = (ROOT / "models" / "samples" / "number.jpg").read_bytes()
    headers = {name: value.replace("TOKEN", "TOKEN-TOKEN"), "Content-Type": "application/x-www-form-urlencoded"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request("POST", "/api/read", sample, headers)
        assert json.loads(connection.getresponse().read())["text"] == "31415|9265"


def test_links_lead_to_files():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link.split("#")[0]).exists()] == []


def test_paths_in_the_text_exist():
    paths = re.findall(r"`((?:edgecnn|models|tools|benchmarks|tests)/[A-Za-z0-9_./-]+)`", README)
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_numbers_are_those_of_the_records():
    ran = subprocess.run([sys.executable, ROOT / "tools" / "readme", "--check"], timeout=240)
    assert ran.returncode == 0, "run: .venv/bin/python tools/readme"


def test_every_table_of_numbers_says_which_command_measured_it():
    opened = re.findall(r"<!-- numbers: (\w+) -->\n(.*?)<!-- /numbers: (\w+) -->", README, re.DOTALL)
    assert len(opened) == README.count("<!-- numbers: ") == README.count("<!-- /numbers: ")
    for name, body, end in opened:
        assert name == end
        assert "\n| --- |" in body, f"{name}: not measured"
        assert re.search(r"`(python benchmarks/|edgecnn |tools/)", body), f"{name}: which command measured this?"
