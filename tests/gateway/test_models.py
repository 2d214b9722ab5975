"""Which models a key sees."""

import openai
import pytest

from .conftest import client_for


def test_a_key_lists_what_it_may_call(site, client):
    names = [model.id for model in client.models.list()]
    assert {"gpt-4", "flow", "coze-workflow", f"workflow:{site.ids['run']}", f"bot:{site.ids['bot']}"} <= set(
        names
    )
    assert {model.object for model in client.models.list()} == {"model"}


def test_a_model_is_retrieved_by_its_name(site, client):
    for name in ("gpt-4", "coze-workflow", f"workflow-async:{site.ids['long']}"):
        assert client.models.retrieve(name).id == name


@pytest.mark.parametrize("name", ["gpt-5", "workflow:999", "bot:1", "workflow-async:", "a/b", "\x00"])
def test_an_unknown_model_is_not_found(name, client):
    with pytest.raises(openai.NotFoundError) as refused:
        client.models.retrieve(name)
    assert refused.value.code == "model_not_found"


def test_a_key_with_a_list_sees_only_that(site):
    key = site.key(models_allowed=["flow", "workflow:*"])
    with client_for(site, key) as client:
        names = [model.id for model in client.models.list()]
        assert "flow" in names
        assert all(name == "flow" or name.startswith("workflow:") for name in names)
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("gpt-4")
        with pytest.raises(openai.PermissionDeniedError) as refused:
            client.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": "hi"}])
        assert refused.value.code == "model_not_allowed"
    (record,) = site.records(secret=key)
    assert (record["status"], record["error_code"], record["cost"]) == ("refused", "model_not_allowed", 0)
