"""What LangChain gets to see: every call's outcome as one JSON object on stdout. Run with its packages on PYTHONPATH."""

import asyncio
import json
import os
import sys
from typing import Any

import openai
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_openai import ChatOpenAI

GIVEN = json.loads(os.environ["COZECHAT_GIVEN"])
QUESTION = "count to 5"
LOOP = asyncio.Runner()  # LangChain keeps its client, so there is one loop for all


def chat(model: str = "gpt-4", *, key: str = "alice", **more: Any) -> ChatOpenAI:
    return ChatOpenAI(model=model, base_url=GIVEN["base_url"], api_key=GIVEN["keys"][key], **more)


def told(message: BaseMessage) -> dict[str, Any]:
    metadata = message.response_metadata
    headers = metadata.get("headers", {})
    return {
        "text": message.text,
        "usage": message.usage_metadata,
        "finish_reason": metadata.get("finish_reason"),
        "conversation": headers.get("x-conversation-id"),
    }


def added(pieces: list[AIMessageChunk]) -> dict[str, Any]:
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    return told(whole) | {"pieces": len([piece for piece in pieces if piece.text])}


def invoke(**more: Any) -> dict[str, Any]:
    return told(chat(**more).invoke(QUESTION))


def stream(**more: Any) -> dict[str, Any]:
    return added(list(chat(stream_usage=True, **more).stream(QUESTION)))


def astream() -> dict[str, Any]:
    async def read() -> list[AIMessageChunk]:
        return [piece async for piece in chat(stream_usage=True).astream(QUESTION)]

    return added(LOOP.run(read()))


def ainvoke() -> dict[str, Any]:
    return told(LOOP.run(chat().ainvoke(QUESTION)))


def history() -> dict[str, Any]:
    system, *rest = [("system", "My name is Zoe."), ("human", "hello"), ("ai", "Hello.")]
    return told(chat().invoke([system, *rest, ("human", "what is my name?")]))


def workflow() -> dict[str, Any]:
    body = {"workflow_id": GIVEN["workflow"], "workflow_parameters": {"language": "en"}}
    return invoke(model="coze-workflow", extra_body=body)


def user(name: str) -> dict[str, Any]:
    return told(chat(model_kwargs={"user": name}).invoke(QUESTION))


def conversation() -> dict[str, Any]:
    model = chat(include_response_headers=True)

    def say(name: str, text: str, wanted: str) -> dict[str, Any]:
        return told(model.invoke(text, user=name, extra_headers={"X-Conversation-Id": wanted}))

    begun = say("alice", "My name is Zoe.", "new")["conversation"]
    hers = say("alice", "what is my name?", begun)["text"]
    bobs = []
    for wanted in (begun, "conv_0"):
        try:
            say("bob", "what is my name?", wanted)
        except openai.APIStatusError as error:
            bobs.append([error.status_code, error.body])
    return {"text": hers, "bobs": bobs}


CHECKS = {
    "invoke": invoke,
    "ainvoke": ainvoke,
    "stream": stream,
    "astream": astream,
    "responses": lambda: invoke(use_responses_api=True),
    "responses, streamed": lambda: stream(use_responses_api=True),
    "history": history,
    "workflow": workflow,
    "alice": lambda: user("alice"),
    "bob": lambda: user("bob"),
    "conversation": conversation,
    "wrong key": lambda: invoke(key="wrong"),
    "unknown model": lambda: invoke(model="gpt-5"),
    "no money": lambda: invoke(key="penniless"),
    "no money, streamed": lambda: stream(key="penniless"),
    "cut short": lambda: stream(model="question"),
}


def outcome(name: str) -> dict[str, Any]:
    try:
        return {"value": CHECKS[name]()}
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        status, code = getattr(error, "status_code", None), getattr(error, "code", None)
        return {"error": {"kinds": kinds, "status": status, "code": code, "message": str(error)}}


with LOOP:
    sys.stdout.write(json.dumps({name: outcome(name) for name in CHECKS}))
