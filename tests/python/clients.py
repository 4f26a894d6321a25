"""Runs the clients of src/web/README.md, which post a comment and follow the page. SAYSO_BIN names the program."""

import pathlib
import subprocess
import sys
import tempfile
import threading

from server import ask, server

README = pathlib.Path(__file__).parents[2] / "src/web/README.md"
# Whatever a client does, it ends.
SECONDS_MAX = 30
LINES_MAX = 20


def block(language):
    """The only block of this language in the README's section on clients."""
    _, section = README.read_text().split("\n## Clients\n")
    (code,) = section.split("\n## ")[0].split(f"```{language}\n")[1:]
    return code.split("```")[0]


def wait_for(client, line):
    for _ in range(LINES_MAX):
        if client.stdout.readline().strip() == line:
            return
    raise AssertionError(f"the client has not printed {line!r}")


def check(code, command, name, base, folder):
    path = pathlib.Path(folder, f"client{command[1]}")
    assert "http://127.0.0.1:8000" in code
    path.write_text(code.replace("http://127.0.0.1:8000", base))
    with subprocess.Popen([command[0], path], stdout=subprocess.PIPE, text=True) as client:
        timer = threading.Timer(SECONDS_MAX, client.kill)
        timer.start()
        try:
            wait_for(client, f"{name} Hello")
            status, _, line = ask("POST", f"{base}/api/comments", {"content": f"Hello, {name}", "name": "Ada"})
            assert status == 201, line
            wait_for(client, f"Ada Hello, {name}")
        finally:
            timer.cancel()
            client.kill()


def main():
    with server() as base, tempfile.TemporaryDirectory() as folder:
        check(block("python"), (sys.executable, ".py"), "Python", base, folder)
        check(block("js"), ("node", ".mjs"), "JavaScript", base, folder)
    print("both clients: ok")


if __name__ == "__main__":
    sys.exit(main())
