"""What a client notes on a call is kept with its usage, is shown to staff, and stands in no log."""

import openai
import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from cozechat.usage import reserving
from cozechat.usage.models import UsageRecord

from .running import until

QUESTION = [{"role": "user", "content": "count to 3"}]
NOTES = {"order": "A-17", "half": "nul\0nul", "k" * 64: "v" * 512} | {f"n{at}": str(at) for at in range(13)}
KEPT = NOTES | {"half": "nulnul"}


@pytest.mark.parametrize("stream", [False, True])
def test_it_is_kept_with_the_usage_record(stream, site, client, key):
    found = client.chat.completions.create(model="gpt-4", messages=QUESTION, metadata=NOTES, stream=stream)
    _words = list(found) if stream else None
    (record,) = until(lambda: site.records(secret=key))
    assert (len(NOTES), record["metadata"]) == (16, KEPT)
    log = site.log.read_text()
    assert record["request_id"] in log
    assert "A-17" not in log


def test_a_response_keeps_it_too_and_so_does_a_call_that_is_refused(site):
    key = site.key(models_allowed=["summary"])
    with openai.OpenAI(base_url=site.base_url, api_key=key, max_retries=0) as client:
        client.responses.create(model="summary", input="count to 3", metadata={"order": "A-17"})
        with pytest.raises(openai.PermissionDeniedError):
            client.chat.completions.create(model="gpt-4", messages=QUESTION, metadata={"order": "B-18"})
    records = until(lambda: len(found := site.records(secret=key)) == 2 and found)
    assert [record["metadata"] for record in records] == [{"order": "A-17"}, {"order": "B-18"}]


@pytest.mark.parametrize(
    "notes",
    [NOTES | {"one more": "x"}, {"k" * 65: "v"}, {"k": "v" * 513}, {"k": 5}, ["k"]],
    ids=["17", "name", "text", "number", "list"],
)
def test_more_than_that_is_refused(notes, client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="gpt-4", messages=QUESTION, extra_body={"metadata": notes})
    assert refused.value.param == "metadata"


def test_staff_see_it(db, settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    root = User.objects.create_superuser("root")
    call = reserving.Call(request_id="req_1", owner_id=root.pk, model="flow", metadata={"order": "A-17"})
    reserving.refuse(call, error_code="x", now=timezone.now())
    staff = Client()
    staff.force_login(root)
    row = UsageRecord.objects.get()
    assert "A-17" in staff.get(f"/admin/usage/usagerecord/{row.pk}/change/").content.decode()
