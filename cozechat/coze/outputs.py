"""What a workflow puts out: text that mostly holds JSON, and sometimes JSON in that."""

from dataclasses import dataclass
from typing import Any

from cozechat.coze.meanings import json_text
from cozechat.coze.strict_json import parse_json
from cozechat.coze.types import mend_texts


@dataclass(frozen=True, slots=True)
class RunOutput:
    """What a run or a node has put out: `text` as it came, `value` the JSON in it, else the text."""

    text: str = ""

    @property
    def value(self) -> Any:
        """The output's JSON, every text in it sound; raw text stays text."""
        try:
            return mend_texts(parse_json(self.text))
        except (ValueError, RecursionError):
            return self.text

    @property
    def shown(self) -> str:
        """As text: the only value of its object if that is a text, else the JSON as it came."""
        value = self.value
        if isinstance(value, dict) and len(value) == 1:
            (only,) = value.values()
            if isinstance(only, str):
                return only
        return value if isinstance(value, str) else self.text


def unwrapped(text: str) -> RunOutput:
    """The output in a run's history, which wraps it once more: `{"Output": "…", …}`."""
    value = RunOutput(text).value
    if isinstance(value, dict) and "Output" in value:
        return RunOutput(json_text(value["Output"]))
    return RunOutput(text)
