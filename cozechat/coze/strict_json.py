"""JSON as the standard has it: no NaN, no depth that breaks the reader, nothing but `ValueError`."""

import json
from typing import Any


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def parse_json(text: str) -> Any:
    """The JSON in `text`; `ValueError` for anything else, too deep or too long a number included."""
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
