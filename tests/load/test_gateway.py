"""The gateway's bench in small: its figures can be true, and an answer with a hole in it makes it fail."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.load.rig import ROOT

STREAMS, DELTAS = 5, 20
# Stands where LiteLLM's proxy would: passes bytes on to the upstream, and in every answer leaves out what it is told to.
PROXY = f"""#!{sys.executable}
import asyncio, json, sys
from urllib.parse import urlsplit
told = dict(zip(sys.argv[1::2], sys.argv[2::2]))
config = json.load(open(told["--config"]))
upstream = urlsplit(config["model_list"][0]["litellm_params"]["api_base"])
async def passed_on(reader, writer, *, without):
    while data := await reader.read(65536):
        writer.write(data.replace(without, b"@") if without else data)
    writer.close()
async def serve(reader, writer):
    there, back = await asyncio.open_connection(upstream.hostname, upstream.port)
    await asyncio.gather(passed_on(reader, back, without=b""), passed_on(there, writer, without=WITHOUT))
async def main():
    server = await asyncio.start_server(serve, told["--host"], int(told["--port"]))
    await server.serve_forever()
asyncio.run(main())
"""


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.load.gateway", "--rounds", "1"]
    command += ["--streams", str(STREAMS), "--deltas", str(DELTAS), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def proxy_in(place: Path, *, without: bytes = b"") -> str:
    program = place / "bin" / "litellm"
    program.parent.mkdir()
    program.write_text(PROXY.replace("without=WITHOUT", f"without={without!r}"))
    program.chmod(0o755)
    return str(place)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_alone_it_measures_every_delta_and_says_what_is_missing():
    done = bench()
    assert done.returncode == 0, done.stderr
    assert "LiteLLM is not installed" in done.stdout
    assert f"{STREAMS * DELTAS}/{STREAMS * DELTAS}" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_beside_a_proxy_it_gives_ratios_that_can_be_true(tmp_path):
    done = bench("--json", "--litellm", proxy_in(tmp_path))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    ours, proxy = report["rounds"]
    assert [row["system"] for row in (ours, proxy)] == ["cozechat", "litellm"]
    for row in (ours, proxy):
        assert (row["delivered"], row["failures"]) == (STREAMS * DELTAS, [])
        assert 1 < row["events_per_delta"] < 1.5
        assert row["first_p50_ms"] <= row["first_p99_ms"]
        assert row["peak_mib"] > 5
    # A whole site costs more than bytes passed on, and no gateway answers before its upstream.
    assert 5_000 > ours["cpu_us"] * DELTAS / 1000 > 1
    assert report["ratios"]["cpu_us"] > 1
    assert ours["added_p50_ms"] > 0
    assert ours["reads_per_delta"] <= 1


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_hole_in_an_answer_makes_it_fail(tmp_path):
    # The clock of delta 7 goes missing: "@12345#7 " becomes "@".
    done = bench("--litellm", proxy_in(tmp_path, without=b"#7 "))
    assert done.returncode == 1, done.stdout
    assert "delta 8 came, 7 was next" in done.stdout
