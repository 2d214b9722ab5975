"""From a stored question to a running answer, for chatflows and bots alike."""

from dataclasses import dataclass, field, replace

from cozechat.emulator import leaks
from cozechat.emulator.calls import Answer, Call
from cozechat.emulator.chat import Chat, ToolCall, Usage
from cozechat.emulator.conversations import enter
from cozechat.emulator.entries import Entry
from cozechat.emulator.faults import answers, streams
from cozechat.emulator.faults.board import Fault
from cozechat.emulator.mind import Utterance
from cozechat.emulator.multimodal import plain_text
from cozechat.emulator.personas import Plan, plan, plan_with_outputs
from cozechat.emulator.runs import AskBack, Run, question_call
from cozechat.emulator.speech import Speech, answer, whole
from cozechat.emulator.store import Conversation, Message
from cozechat.emulator.streaming import EventStream
from cozechat.emulator.tokenizer import count_tokens
from cozechat.emulator.wire import compact


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question that has been let in: who answers it, where, and what was said."""

    assistant_id: str
    conversation: Conversation
    entries: list[Entry]
    bot_id: str = ""
    space: str = " "
    saves_history: bool = True
    files: list[str] = field(default_factory=list)
    meta_data: dict[str, str] = field(default_factory=dict)


def ask(call: Call, asked: Asked) -> Run:
    """Writes the question down, thinks, and sets the answer out; `give` or `start` begins it."""
    world, conversation = call.world, asked.conversation
    chat = Chat(
        id=world.ids.next(),
        conversation_id=conversation.id,
        section_id=conversation.section_id,
        bot_id=asked.bot_id,
        created_at=world.now(),
        assistant_id=asked.assistant_id,
        saves_history=asked.saves_history,
        meta_data=asked.meta_data,
    )
    if asked.saves_history:
        for entry in asked.entries:
            enter(world, conversation, entry, chat_id=chat.id, bot_id=asked.bot_id)
    unsaved = [] if asked.saves_history else asked.entries
    thought = plan(asked.assistant_id, _threads(call, conversation, unsaved=unsaved))
    if asked.files and not thought.tools:
        looked = f"📎 {', '.join(asked.files)}\n\n{thought.thought.text}"
        thought = replace(thought, thought=replace(thought.thought, text=looked))
    world.ledger.chats[conversation.id] += 1
    world.ledger.chats_per_session[call.identity.session_name or ""] += 1
    said = sum(count_tokens(entry.content) for entry in asked.entries)
    return _run(call, chat=chat, conversation=conversation, plan=thought, said=said, space=asked.space)


def go_on(call: Call, *, chat: Chat, conversation: Conversation, outputs: list[str]) -> Run:
    """What a chat says after its caller has run its tools, or has answered its question."""
    asked_back = chat.waits_for[0].type == "reply_message"
    speeches = []
    if asked_back:
        entry = Entry("user", "question", outputs[0], "text", {})
        enter(call.world, conversation, entry, chat_id=chat.id, bot_id=chat.bot_id)
        thought = plan(chat.assistant_id, _threads(call, conversation))
    else:
        fresh = call.world.ids.next
        speeches = [whole(fresh(), kind="tool_response", content=output) for output in outputs]
        thought = plan_with_outputs(outputs, _threads(call, conversation))
    said = sum(count_tokens(output) for output in outputs)
    chat.resume()
    run = _run(call, chat=chat, conversation=conversation, plan=thought, said=said, space="")
    run.speeches = [*speeches, *run.speeches]
    return run


def _run(call: Call, *, chat: Chat, conversation: Conversation, plan: Plan, said: int, space: str) -> Run:
    world, thought = call.world, plan.thought
    pace = world.options.pace * thought.pace
    calls = [ToolCall(world.ids.next(), name, arguments) for name, arguments in plan.tools]
    run = Run(
        world=world,
        conversation=conversation,
        chat=chat,
        asker=call.identity.session_name,
        speeches=_speeches(call, plan=plan),
        interval=1 / pace if pace > 0 else 0.0,
        usage=Usage(input_count=said, output_count=count_tokens(thought.text)),
        space=space,
        follow_ups=plan.follow_ups,
        calls=calls,
    )
    if thought.asks_back:
        ask_back(run, requires_action=not space or world.options.interrupt_form == "requires-action")
    return run


def ask_back(run: Run, *, requires_action: bool) -> None:
    """Ends a run with its question, in one of Coze's two forms."""
    run.asks_back = AskBack.REQUIRES_ACTION if requires_action else AskBack.VERBOSE
    run.calls = [question_call(run.answer.content, call_id=run.world.ids.next())] if requires_action else []


def _speeches(call: Call, *, plan: Plan) -> list[Speech]:
    fresh = call.world.ids.next
    if plan.tools:
        return [
            whole(fresh(), kind="function_call", content=compact({"name": name, "arguments": arguments}))
            for name, arguments in plan.tools
        ]
    return [answer(fresh(), text=plan.thought.text, reasoning=plan.reasoning)]


def give(call: Call, run: Run) -> Answer:
    """Begins a run and streams it, with whatever faults are armed for it."""
    faults = streams.take(call.world, path=call.path, session_name=run.asker)
    _begin(call, run, faults=faults)
    one_byte = any(fault.name == "one-byte-writes" for fault in faults)
    return EventStream(call, run=run, moments=streams.bend(run, faults=faults), one_byte=one_byte)


def start(call: Call, run: Run) -> None:
    """Begins a run that nobody watches; faults of the answer alone can strike it."""
    faults = streams.take(call.world, path=call.path, session_name=run.asker, names=streams.UNSEEN)
    _begin(call, run, faults=faults)


def _begin(call: Call, run: Run, *, faults: list[Fault]) -> None:
    answers.change(run, faults=faults)
    if call.world.leaks(leaks.WRONG_CONVERSATION):
        run.shown_conversation_id = call.world.ids.next()
    run.start()


def _threads(
    call: Call, conversation: Conversation, *, unsaved: list[Entry] | None = None
) -> list[list[Utterance]]:
    """What the mind may know: this conversation alone, unless the memory leaks."""
    store = call.world.store
    known = [conversation]
    if call.world.leaks(leaks.MEMORY):
        account = store.conversations(conversation.account_id)
        known = [other for other in account if other.id != conversation.id] + known
    threads = [[_utterance(message) for message in store.thread(each)] for each in known]
    threads[-1] += [_utterance(entry) for entry in unsaved or []]
    return threads


def _utterance(said: Message | Entry) -> Utterance:
    if said.content_type == "object_string":
        return Utterance(said.role, plain_text(said.content))
    return Utterance(said.role, said.content)
