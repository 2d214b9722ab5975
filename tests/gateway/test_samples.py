"""The samples of docs/gateway.md, run as they stand there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packages import LOCAL, absent, npm, write

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gateway.md"
SAMPLES = dict(re.findall(r"```(bash|python|javascript)\n(.*?)```", PAGE.read_text(), re.DOTALL))


@pytest.fixture
def environment(site, key):
    site.colleague.does("""
from cozechat.catalog.models import Assistant
flow = Assistant.objects.get(gateway_name="flow")
Assistant.objects.get_or_create(gateway_name="demo", defaults={
    "app": flow.app, "name": "demo", "kind": "chat_workflow",
    "workflow_id": flow.workflow_id, "coze_app_id": flow.coze_app_id})
""")
    return os.environ | LOCAL | {"OPENAI_BASE_URL": site.base_url, "OPENAI_API_KEY": key}


def run(command, environment, place=None):
    done = subprocess.run(
        command, env=environment, cwd=place, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_is_a_sample_for_each():
    assert set(SAMPLES) == {"bash", "python", "javascript"}


def test_the_sample_for_curl_runs(environment):
    if shutil.which("curl") is None:
        absent("curl is needed for its sample")
    said = run(["bash", "-euc", SAMPLES["bash"]], environment)
    assert said.endswith("data: [DONE]\n\n")
    assert "".join(re.findall(r'"content":"([^"]*)"', said)) == "1 2 3 4 5"


def test_the_sample_for_python_runs(environment):
    assert run([sys.executable, "-c", SAMPLES["python"]], environment) == "1 2 3 4 5\n"


def test_the_sample_for_node_runs(environment):
    place = npm(Path(__file__).parent / "js")
    write(place / "sample.mjs", SAMPLES["javascript"])
    assert run(["node", "sample.mjs"], environment, place) == "1 2 3 4 5\n"
