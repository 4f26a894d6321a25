"""What /metrics says, read by Prometheus' own parser. SAYSO_BIN names the program."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families


def request(url, body=None):
    """The response's headers and text, whatever its status."""
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(asked, timeout=10) as response:
            return response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.headers, error.read().decode()


def check(base):
    for n in range(3):
        request(f"{base}/api/comments", {"content": f"number {n}"})
    request(f"{base}/api/comments", {"content": ""})
    headers, text = request(f"{base}/metrics")
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8", headers["Content-Type"]
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for family in families.values():
        assert family.type in ("counter", "gauge", "histogram"), family
        assert family.documentation.endswith("."), family
        assert family.samples or family.name == "sayso_held", family
    value = lambda name, **labels: next(
        sample.value
        for family in families.values()
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    )
    assert value("sayso_posts_total") == 3
    assert value("sayso_refusals_total", code="content_empty") == 1
    for name in ("sayso_batch_lines", "sayso_batch_commit_seconds"):
        buckets = [s for s in families[name].samples if s.name == f"{name}_bucket"]
        counts, bounds = [s.value for s in buckets], [float(s.labels["le"]) for s in buckets]
        assert bounds == sorted(bounds) and bounds[-1] == float("inf"), bounds
        assert counts == sorted(counts) and counts[-1] == value(f"{name}_count") == 3, counts
    assert value("sayso_batch_lines_sum") == 3
    assert 0 < value("sayso_batch_commit_seconds_sum") < 60
    (build,) = families["sayso_build_info"].samples
    version = subprocess.run([os.environ["SAYSO_BIN"], "--version"], capture_output=True, text=True, check=True)
    assert build.value == 1 and f"sayso {build.labels['version']} ({build.labels['commit']}" in version.stdout, build
    print(f"{len(families)} families, {sum(len(family.samples) for family in families.values())} samples: ok")


def main():
    with tempfile.TemporaryDirectory() as folder:
        arguments = [os.environ["SAYSO_BIN"], "--listen", "127.0.0.1:0", "--data", folder]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            try:
                check(server.stdout.readline().split()[-1])
            finally:
                server.terminate()


if __name__ == "__main__":
    sys.exit(main())
