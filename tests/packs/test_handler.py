"""A pack's handler in a sandbox: the kernel is asked, by handlers that try what they may not."""

import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from stretto.packs import confine, consented, handler
from stretto.packs.handler import Call, run_files
from stretto.packs.sandbox import Kind, bubblewrap_works, sandbox
from stretto.state.errors import BadInput, PermanentError

MANIFEST = 'name = "team"\nversion = "1.0.0"\ndescription = "d"\nlicense = "MIT"\nrequires = ">=0.1"\n[capabilities]\n'
HEAD = "import json, os, sys\ndef say(**result):\n    print(json.dumps({'status': 'ok', 'result': result}))\n"
TRY = (
    HEAD
    + "try:\n    STATEMENT\nexcept Exception as error:\n    say(held=type(error).__name__)\nelse:\n    say(held='')\n"
)


def _kinds() -> list[Any]:
    import asyncio

    bubblewrap = asyncio.run(bubblewrap_works())
    landlock = confine.abi() >= confine.OLDEST
    return [
        pytest.param("bubblewrap", marks=pytest.mark.skipif(not bubblewrap, reason="bubblewrap is not usable here")),
        pytest.param("landlock", marks=pytest.mark.skipif(not landlock, reason="this kernel has no Landlock of use")),
    ]


KINDS = _kinds()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each sandbox that this machine has."""
    return "landlock" if request.param == "landlock" else "bubblewrap"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a file, a folder for documents, and git's."""
    root = tmp_path / "project"
    for folder in ("docs", ".git", ".stretto"):
        (root / folder).mkdir(parents=True)
    (root / "readme.txt").write_text("hello\n")
    return root


def files(source: str, may: str = "") -> dict[str, bytes]:
    return {"pack.toml": (MANIFEST + may).encode(), "commands/go.py": source.encode(), "README.md": b"of the pack\n"}


def ran(kind: Kind, project: Path, source: str, may: str = "", limit: float = 60.0) -> dict[str, Any]:
    call = Call("go", "/team:go one 'two words'", ["one", "two words"])
    return run_files(project, files(source, may), call, kind, limit=limit)


def held(kind: Kind, project: Path, statement: str, may: str = "") -> str:
    """The name of the error that a statement ended with, empty if it was not held."""
    found: str = ran(kind, project, TRY.replace("STATEMENT", statement), may)["result"]["held"]
    return found


def _accept(server: socket.socket) -> None:
    server.accept()[0].close()


def test_a_handler_reads_the_call_its_pack_and_the_project_and_answers(kind: Kind, project: Path) -> None:
    source = HEAD + (
        "call = json.load(sys.stdin)\npack = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))\n"
        "say(call=call, pack=open(pack + '/README.md').read(), text=open('readme.txt').read())"
    )
    result = ran(kind, project, source)["result"]
    assert result["call"] == {
        "command": "go",
        "line": "/team:go one 'two words'",
        "words": ["one", "two words"],
        "project": str(project),
        "pack": "team",
        "version": "1.0.0",
    }
    assert (result["pack"], result["text"]) == ("of the pack\n", "hello\n")


def test_a_handler_sees_no_key_and_nothing_outside_of_the_project(kind: Kind, project: Path, tmp_path: Path) -> None:
    secret = tmp_path / "home" / ".ssh" / "id_ed25519"
    secret.parent.mkdir(parents=True)
    secret.write_text("secret")
    for path in (secret, Path("/etc/shadow"), Path("/etc/passwd"), secret.parent):
        call = f"os.listdir({str(path)!r})" if path.is_dir() else f"open({str(path)!r}).read()"
        assert held(kind, project, call) in ("PermissionError", "FileNotFoundError"), path
    assert held(kind, project, "open('/proc/" + str(os.getpid()) + "/environ').read()") != ""


def test_a_handler_gets_no_home_and_nothing_of_the_environment(
    kind: Kind, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRETTO_TEST_TOKEN", "secret")
    names = ran(kind, project, HEAD + "say(names=sorted(os.environ))")["result"]["names"]
    assert set(names) <= {"LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "PATH", "PWD", "PYTHONUTF8", "TMPDIR", "TZ"}


def test_a_handler_writes_where_it_declares_and_nowhere_else(kind: Kind, project: Path, tmp_path: Path) -> None:
    may = 'paths = ["docs/**", "CHANGES.md", "new/folder/"]'
    (project / "notes.md").write_text("as it was")
    source = HEAD + (
        "open('docs/a.md', 'w').write('x')\nopen('CHANGES.md', 'w').write('x')\n"
        "open('new/folder/b', 'w').write('x')\nopen(os.environ['TMPDIR'] + '/scratch', 'w').write('x')\nsay()"
    )
    ran(kind, project, source, may)
    written = [path for path in ("docs/a.md", "CHANGES.md", "new/folder/b") if (project / path).read_text() == "x"]
    assert written == ["docs/a.md", "CHANGES.md", "new/folder/b"]
    for path in ("notes.md", "readme.txt", ".git/config", ".stretto/config.toml", "../outside", "/tmp/stretto-outside"):
        assert held(kind, project, f"open({path!r}, 'w').write('bad')", may) in ("PermissionError", "OSError"), path
        assert held(kind, project, f"os.truncate({path!r}, 0)", may) != "", path
    assert held(kind, project, "os.remove('readme.txt')", may) != ""
    assert held(kind, project, "os.chmod('readme.txt', 0o777)", may) != ""
    assert (project / "notes.md").read_text() == "as it was"
    assert not (tmp_path / "outside").exists()


def test_what_was_made_for_a_handler_and_left_empty_is_taken_away(kind: Kind, project: Path) -> None:
    ran(kind, project, HEAD + "say()", 'paths = ["new/folder/", "CHANGES.md"]')
    assert sorted(path.name for path in project.iterdir()) == [".git", ".stretto", "docs", "readme.txt"]


def test_a_link_opens_nothing_outside_of_the_project(kind: Kind, project: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (project / "out").symlink_to(tmp_path / "elsewhere")
    (project / "hooks").symlink_to(".git")
    for name in ("out", "hooks"):
        assert held(kind, project, f"open('{name}/a', 'w')", 'paths = ["out/", "hooks/", "**"]') != "", name
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_handler_without_hosts_reaches_no_network(kind: Kind, project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        call = f"__import__('socket').create_connection(('127.0.0.1', {port}), 5)"
        assert held(kind, project, call) in ("PermissionError", "ConnectionRefusedError", "OSError")
        taken = threading.Thread(target=_accept, args=(server,), daemon=True)
        taken.start()
        assert held(kind, project, call, 'hosts = ["localhost"]') == ""
        taken.join(10)


def test_a_handler_reaches_no_datagram_and_no_socket_of_a_daemon(kind: Kind, project: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as daemon, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        daemon.bind(str(tmp_path / "d"))
        daemon.listen()
        other.bind(("127.0.0.1", 0))
        other.settimeout(0.5)
        unix = f"__import__('socket').socket(__import__('socket').AF_UNIX).connect({str(tmp_path / 'd')!r})"
        assert held(kind, project, unix) != ""
        held(kind, project, f"__import__('socket').socket(2, 2).sendto(b'x', {other.getsockname()!r})")
        with pytest.raises(TimeoutError):
            other.recv(1)


def test_a_handler_runs_what_it_declares_and_no_other_program(kind: Kind, project: Path) -> None:
    runs = "__import__('subprocess').run([{!r}], check=True, stdout=-3)"
    assert held(kind, project, runs.format("id"), 'commands = ["id"]') == ""
    for program in ("env", "/usr/bin/env", "/bin/sh"):
        told = held(kind, project, runs.format(program), 'commands = ["id"]')
        assert told in ("PermissionError", "FileNotFoundError")
    assert held(kind, project, runs.format("id")) != ""


def test_a_handler_that_declares_no_program_makes_no_process_but_threads(kind: Kind, project: Path) -> None:
    bomb = HEAD + (
        "import threading\nmade = 0\nfor _ in range(50):\n    try:\n"
        "        if os.fork() == 0:\n            os._exit(0)\n"
        "        made += 1\n    except OSError:\n        pass\n"
        "thread = threading.Thread(target=str)\nthread.start()\nthread.join()\nsay(made=made)"
    )
    assert ran(kind, project, bomb)["result"] == {"made": 0}


@pytest.mark.skipif(os.geteuid() == 0, reason="the kernel does not hold the superuser to a number of processes")
def test_a_handler_that_runs_programs_makes_a_bounded_number(kind: Kind, project: Path) -> None:
    bomb = HEAD + (
        "import time\nmade = 0\nfor _ in range(400):\n    try:\n"
        "        if os.fork() == 0:\n            time.sleep(30)\n"
        "        made += 1\n    except OSError:\n        break\nsay(made=made)"
    )
    assert ran(kind, project, bomb, 'commands = ["id"]')["result"]["made"] < 200


def test_a_handler_that_does_not_end_is_ended_with_what_it_started(kind: Kind, project: Path) -> None:
    with pytest.raises(PermanentError, match="did not end within 3 s"):
        ran(kind, project, "import time\nwhile True: time.sleep(1)", limit=3.0)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("print('x' * 100_000_000)", "printed more than 1000000 bytes"),
        ("print('done')", "printed no answer"),
        ("print('{}')", "printed no answer: status: Field required"),
        ('print(\'{"status": "fine"}\')', "printed no answer: status"),
        ('print(\'{"status": "ok", "more": 1}\')', "printed no answer: more"),
        ("raise SystemExit(3)", "ended with exit code 3"),
        ("raise ValueError('the cause')", "the cause"),
        ("x = 'a' * (4 << 30)", "MemoryError"),
    ],
)
def test_what_is_no_answer_is_told_with_the_end_of_stderr(kind: Kind, project: Path, source: str, told: str) -> None:
    with pytest.raises(PermanentError, match=told):
        ran(kind, project, source)


def test_a_handler_cannot_end_or_watch_other_processes(kind: Kind, project: Path) -> None:
    if kind == "landlock" and confine.abi() < 6:
        pytest.skip("this kernel's Landlock does not hold signals")
    assert held(kind, project, f"os.kill({os.getpid()}, 0)") in ("PermissionError", "ProcessLookupError")


def test_without_a_sandbox_a_handler_runs_only_after_a_consent_to_just_these_files(
    project: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    home = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config")}
    pack = files(HEAD + f"open({str(mark)!r}, 'w').close()\nsay()")
    call = Call("go", "", [])
    with pytest.raises(BadInput, match="has no sandbox"):
        run_files(project, pack, call, "none", home)
    assert not mark.exists()
    consented.allow(pack, home)
    with pytest.raises(BadInput, match="has no sandbox"):
        run_files(project, {**pack, "README.md": b"another\n"}, call, "none", home)
    assert not mark.exists()
    run_files(project, pack, call, "none", home)
    assert mark.exists()
    assert consented.consents_file(home).stat().st_mode & 0o077 == 0


def test_this_machines_sandbox_is_one_of_those_it_has() -> None:
    usable = [param.values[0] for param in KINDS if not param.marks[0].args[0]]
    assert sandbox() == (usable[0] if usable else "none")


def test_a_handler_that_the_pack_does_not_have_is_bad_input(project: Path) -> None:
    with pytest.raises(BadInput, match=r"no handler 'commands/other\.py'"):
        run_files(project, files(""), Call("other", "", []), "none")


def test_the_answers_form_is_the_one_that_is_documented() -> None:
    assert json.loads(handler.Answer(status="ok").model_dump_json()) == {
        "status": "ok",
        "message": "",
        "result": {},
        "next_steps": [],
    }
