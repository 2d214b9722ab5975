"""What Coze itself refuses: one user's token on the other's conversation."""

from collections.abc import Awaitable, Callable

from conversations.isolation import hints
from conversations.isolation.report import Outcome, Probe
from conversations.isolation.subjects import Subject, timed
from cozechat.catalog.clients import coze_client
from cozechat.coze.client import CozeClient
from cozechat.coze.errors import CozeError, TokenRefused
from cozechat.coze.types import Caller, ChatCreated, WorkflowChat

# No Coze id begins with a zero: nobody's conversation.
_NOBODYS = "0000000000000000001"
Attempt = Callable[[CozeClient, Caller, str], Awaitable[object]]


async def probe_coze(first: Subject, second: Subject, *, bot_id: str) -> list[Probe]:
    """Distinct tokens and conversations; then every call of A on B's conversation and the other way round."""
    probes = [
        await timed("coze: the tokens differ", lambda: _tokens_differ(first, second), hint=hints.TOKENS),
        await timed(
            "coze: the conversations differ", lambda: _ids_differ(first, second), hint=hints.CONVERSATIONS
        ),
        await timed("coze: A's chat runs in A's conversation", lambda: _same_id(first), hint=hints.CREATED),
        await timed("coze: B's chat runs in B's conversation", lambda: _same_id(second), hint=hints.CREATED),
        await _list(first, second, bot_id=bot_id),
        await timed(
            "coze: the branches differ", lambda: _branches_differ(first, second), hint=hints.CONVERSATIONS
        ),
    ]
    for one, other, names in ((first, second, "A on B"), (second, first, "B on A")):
        for what, target in (("", other.coze_conversation_id), (" (branch)", other.branch_at_coze)):
            probes += [
                await _foreign(one, await target(), act, names=f"{act}{what}, {names}") for act in _FOREIGN
            ]
    return probes


async def _foreign(one: Subject, target: str, act: str, *, names: str) -> Probe:
    attempt = _FOREIGN[act]
    return await timed(f"coze: {names}", lambda: _refused(one, target, attempt), hint=hints.FOREIGN)


async def _branches_differ(first: Subject, second: Subject) -> str:
    """Each gets a branch; the four conversations are four."""
    ids = []
    for subject in (first, second):
        await subject.ask_again()
        ids += [await subject.coze_conversation_id(), await subject.branch_at_coze()]
    return (
        ""
        if all(ids) and len(set(ids)) == 4
        else f"among the four conversations are {', '.join(sorted(ids))}"
    )


async def _tokens_differ(first: Subject, second: Subject) -> str:
    same = (await first.caller()).token == (await second.caller()).token
    return "both users hold the same token" if same else ""


async def _ids_differ(first: Subject, second: Subject) -> str:
    one, other = await first.coze_conversation_id(), await second.coze_conversation_id()
    if not one or not other:
        return "a user has no Coze conversation"
    return f"both users are in conversation {one}" if one == other else ""


async def _same_id(subject: Subject) -> str:
    sent = await subject.coze_conversation_id()
    got = await created_in(subject, conversation_id=sent)
    return "" if got == sent else f"sent {sent}, answered in {got}"


async def created_in(subject: Subject, *, conversation_id: str) -> str:
    """Which conversation Coze says it answers in; read to its end, so that nothing is left running."""
    client, caller = coze_client(subject.assistant.app), await subject.caller()
    created = ""
    async with client.workflow_chat(caller, _chat(subject, conversation_id)) as stream:
        async for event in stream:
            if isinstance(event, ChatCreated):
                created = event.conversation_id
    return created


def _chat(subject: Subject, conversation_id: str) -> WorkflowChat:
    assistant = subject.assistant
    return WorkflowChat(
        workflow_id=assistant.workflow_id,
        question="你好",
        conversation_id=conversation_id,
        app_id=assistant.coze_app_id or None,
        bot_id=assistant.bot_id or None,
    )


async def _list(first: Subject, second: Subject, *, bot_id: str) -> Probe:
    """Conversations are listed by bot: without one there is nothing to ask."""
    name = "coze: neither list shows the other's conversation"
    if not bot_id:
        return Probe(
            name, Outcome.SKIPPED, detail="Coze lists conversations by bot, and no bot is configured"
        )
    return await timed(name, lambda: _lists_differ(first, second, bot_id=bot_id), hint=hints.FOREIGN)


async def _lists_differ(first: Subject, second: Subject, *, bot_id: str) -> str:
    client = coze_client(first.assistant.app)
    made: dict[str, Caller] = {}
    try:
        for subject in (first, second):
            caller = await subject.caller()
            made[(await client.create_conversation(caller, bot_id=bot_id, name="Isolation check")).id] = (
                caller
            )
        for own, caller in made.items():
            listed = {item.id for item in (await client.list_conversations(caller, bot_id=bot_id)).items}
            if own not in listed:
                return f"{own} is missing in its own user's list"
            if foreign := listed & (set(made) - {own}):
                return f"{', '.join(foreign)} is in the other user's list"
        return ""
    finally:
        for own, caller in made.items():
            await client.delete_conversation(caller, own)


async def _chat_in(client: CozeClient, caller: Caller, conversation_id: str, *, subject: Subject) -> None:
    async with client.workflow_chat(caller, _chat(subject, conversation_id)) as stream:
        async for _event in stream:
            pass


_FOREIGN: dict[str, Attempt | None] = {
    "retrieve": lambda client, caller, target: client.retrieve_conversation(caller, target),
    "list messages": lambda client, caller, target: client.list_messages(caller, target),
    "rename": lambda client, caller, target: client.rename_conversation(caller, target, name="x"),
    "clear": lambda client, caller, target: client.clear_conversation(caller, target),
    "chat": None,
    "delete": lambda client, caller, target: client.delete_conversation(caller, target),
}


async def _refused(one: Subject, target: str, attempt: Attempt | None) -> str:
    """The call is refused, and in the same words as for a conversation that never was."""
    client, caller = coze_client(one.assistant.app), await one.caller()

    async def try_on(target: str) -> str | None:
        try:
            if attempt is None:
                await _chat_in(client, caller, target, subject=one)
            else:
                await attempt(client, caller, target)
        except TokenRefused:
            raise
        except CozeError as error:
            if error.code is None:
                raise
            return f"{error.code} {error.message}"
        return None

    foreign = await try_on(target)
    if foreign is None:
        return "Coze did as it was told"
    missing = await try_on(_NOBODYS)
    return (
        "" if foreign == missing else f"a foreign conversation answers {foreign!r}, a missing one {missing!r}"
    )
