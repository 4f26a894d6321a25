"""Has schemathesis send what /openapi.json allows, and what it doesn't, and compare the answers with it. SAYSO_BIN names the program."""

import pathlib
import subprocess
import sys
import tempfile

from server import TOKEN, server

CONFIG = pathlib.Path(__file__).resolve().with_name("schemathesis.toml")
# Some 20 s on a quiet machine.
SECONDS_MAX = 240


def main():
    schemathesis = pathlib.Path(sys.executable).with_name("schemathesis")
    flags = ["--public-url", "https://talk.example", "--metrics", "public", "--max-per-address", "1000"]
    # What it keeps goes with the folder.
    with server(*flags) as base, tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [schemathesis, "--config-file", CONFIG, "run", f"{base}/openapi.json", "--url", base, "--header", f"Authorization: Bearer {TOKEN}", "--no-color"],
            cwd=folder,
            timeout=SECONDS_MAX,
        )
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
