"""The program that SAYSO_BIN names, on a free port with its data in a temporary folder, for one test."""

import contextlib
import json
import os
import pathlib
import subprocess
import tempfile
import urllib.error
import urllib.request

TOKEN = "a-moderator-token-of-more-than-32-bytes"
# Whatever hangs must not hang the machine.
SECONDS_MAX = 10


@contextlib.contextmanager
def server(*flags):
    """Yields the server's address, which has no slash at its end."""
    with tempfile.TemporaryDirectory() as folder:
        token = pathlib.Path(folder, "token")
        token.touch(mode=0o600)
        token.write_text(TOKEN)
        arguments = ["--listen", "127.0.0.1:0", "--data", f"{folder}/data", "--rate", "off", "--admin-token-file", str(token)]
        with subprocess.Popen(
            [os.environ["SAYSO_BIN"], *arguments, *flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            try:
                yield process.stdout.readline().split()[-1]
            finally:
                process.terminate()


def ask(method, url, body=None, headers={}):
    """Status, headers and text of a response."""
    data = None if body is None else json.dumps(body).encode()
    headers = {**headers, **({"Content-Type": "application/json"} if data else {})}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS_MAX) as response:
            return response.status, response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()
