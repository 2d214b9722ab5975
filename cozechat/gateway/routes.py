"""What a model's name means: which bot or workflow is called, how, and under which policies."""

import enum
from dataclasses import dataclass, field
from typing import Any

from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import Assistant, CozeApp
from cozechat.gateway.errors import NO_RETRY, Refusal, bad_request, model_not_found
from cozechat.gateway.json_bodies import missing
from cozechat.gateway.models import ApiKey, Manners

# Longest first: `workflow-async:` does not begin with `workflow:`, and nobody should have to know that.
_PREFIXES = (("workflow-async:", "long"), ("workflow:", "run"), ("bot:", "bot"))
NAMED_WORKFLOW = {"coze-workflow": "workflow:", "coze-workflow-async": "workflow-async:"}


class Manner(enum.StrEnum):
    """How Coze is asked."""

    CHAT = "chat_workflow"
    BOT = "bot"
    RUN = "workflow_run"
    LONG_RUN = "long_workflow_run"

    @property
    def is_chat(self) -> bool:
        """Whether there is a conversation; a run has inputs and outputs only."""
        return self in (Manner.CHAT, Manner.BOT)


_MANNER = {"bot": Manner.BOT, "run": Manner.RUN, "long": Manner.LONG_RUN}
_RUNS = (Manner.RUN, Manner.LONG_RUN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a call goes."""

    name: str
    manner: Manner
    app: CozeApp
    assistant: Assistant | None = None
    workflow_id: str = ""
    bot_id: str = ""
    coze_app_id: str = ""
    input_name: str = "input"
    manners: Manners = field(default_factory=Manners)

    @property
    def drains(self) -> bool:
        """Whether a call is finished that nobody waits for any more; a run cannot be cancelled at Coze."""
        return not self.manner.is_chat or self.manners.on_disconnect == Manners.OnDisconnect.DRAIN


def find(model: str, *, key: ApiKey, workflow_id: str = "") -> Route:
    """The route of a model's name, if the key may take it. Raises Refusal."""
    if len(model) > 200 or "\0" in model:
        raise model_not_found(model)
    name, input_name = model, ""
    if model in NAMED_WORKFLOW:
        if not workflow_id:
            raise missing("workflow_id")
        name, input_name = NAMED_WORKFLOW[model] + workflow_id, "BOT_USER_INPUT"
    elif workflow_id:
        raise bad_request(f"'workflow_id' goes with {', '.join(NAMED_WORKFLOW)}.", param="workflow_id")
    route = _by_name(name, key=key, input_name=input_name)
    if not key.allows(model) and not (name != model and key.allows(name)):
        message = f"This key may not use the model '{model}'."
        raise Refusal(403, "model_not_allowed", message, param="model", headers=NO_RETRY)
    return route


def _by_name(name: str, *, key: ApiKey, input_name: str) -> Route:
    for prefix, kind in _PREFIXES:
        if name.startswith(prefix):
            return _by_id(
                name, wanted=name.removeprefix(prefix), key=key, manner=_MANNER[kind], input_name=input_name
            )
    assistant = _named(name) or _fallback(key)
    if assistant is None and default_assistant() is not None:
        # A site that nobody has visited yet has no row for what its environment names.
        assistant = _named(name)
    if assistant is None:
        raise model_not_found(name)
    return _route(assistant, name=name, manner=Manner(assistant.kind))


def _named(name: str) -> Assistant | None:
    return _active(gateway_name=name)


def _fallback(key: ApiKey) -> Assistant | None:
    if key.fallback_id is None:
        return None
    return _active(pk=key.fallback_id)


def _active(**only_one: Any) -> Assistant | None:
    try:
        # Not `first`, which has the database sort the one row there is.
        return Assistant.objects.active().select_related("manners").get(**only_one)
    except Assistant.DoesNotExist:
        return None


def _by_id(name: str, *, wanted: str, key: ApiKey, manner: Manner, input_name: str) -> Route:
    """A registered assistant with this id, else the id itself if the key may use any."""
    rows = Assistant.objects.active().select_related("manners")
    if manner is Manner.BOT:
        found = rows.filter(kind=Manner.BOT, bot_id=wanted).first()
    else:
        found = rows.filter(kind__in=_RUNS, workflow_id=wanted).first()
    if found is not None:
        return _route(found, name=name, manner=manner, input_name=input_name)
    return _unregistered(name, wanted=wanted, key=key, manner=manner, input_name=input_name)


def _unregistered(name: str, *, wanted: str, key: ApiKey, manner: Manner, input_name: str) -> Route:
    """By default no key calls what nobody has registered: an account holds more than it wants to sell."""
    is_id = wanted.isascii() and wanted.isdigit() and len(wanted) <= 32
    default = default_assistant() if key.allows_unregistered and is_id else None
    if default is None:
        raise model_not_found(name)
    is_bot = manner is Manner.BOT
    return Route(
        name=name,
        manner=manner,
        app=default.app,
        bot_id=wanted if is_bot else "",
        workflow_id="" if is_bot else wanted,
        input_name=input_name or "input",
    )


def _route(assistant: Assistant, *, name: str, manner: Manner, input_name: str = "") -> Route:
    manners = getattr(assistant, "manners", None) or Manners()
    return Route(
        name=name,
        manner=manner,
        app=assistant.app,
        assistant=assistant,
        workflow_id=assistant.workflow_id,
        bot_id=assistant.bot_id,
        coze_app_id=assistant.coze_app_id,
        input_name=manners.input_name or input_name or "input",
        manners=manners,
    )


def names_for(key: ApiKey) -> list[str]:
    """Every name that this key can write as a model, plain names first."""
    plain, ids = [], []
    default_assistant()
    for assistant in Assistant.objects.active():
        plain += [assistant.gateway_name] if assistant.gateway_name else []
        if assistant.kind in _RUNS:
            ids += [f"workflow:{assistant.workflow_id}", f"workflow-async:{assistant.workflow_id}"]
        elif assistant.kind == Manner.BOT:
            ids.append(f"bot:{assistant.bot_id}")
    general = list(NAMED_WORKFLOW) if ids or key.allows_unregistered else []
    return [name for name in dict.fromkeys([*plain, *general, *ids]) if key.allows(name)]
