"""JSON of clients: read strictly, mended where no encoding could carry it."""

import json
import re
from collections.abc import Mapping
from typing import Any

from cozechat.coze.types import mend_texts
from cozechat.gateway.errors import Refusal, bad_request

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class Fields:
    """The top of a request's body, with readers that know which parameter they blame."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.body = body

    def given(self, name: str) -> Any:
        """The value, None if it is absent or null."""
        return self.body.get(name)

    def text(self, name: str, *, limit: int = 512) -> str:
        """A string, empty if it is absent."""
        value = self.given(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise bad_request(f"'{name}' must be a string.", param=name)
        if len(value) > limit:
            raise bad_request(f"'{name}' must not be longer than {limit} characters.", param=name)
        return value

    def required(self, name: str) -> str:
        """A string that must be there."""
        value = self.text(name)
        if not value:
            raise missing(name)
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """True or false."""
        value = self.given(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise bad_request(f"'{name}' must be true or false.", param=name)
        return value

    def count(self, name: str) -> int | None:
        """A whole number from 1."""
        value = self.given(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise bad_request(f"'{name}' must be a whole number from 1.", param=name)
        return value

    def mapping(self, name: str) -> dict[str, Any]:
        """An object, empty if it is absent."""
        value = self.given(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise bad_request(f"'{name}' must be an object.", param=name)
        return value

    def metadata(self) -> dict[str, str]:
        """At most 16 pairs of short texts."""
        pairs = self.mapping("metadata")
        fine = len(pairs) <= 16 and all(
            isinstance(value, str) and len(key) <= 64 and len(value) <= 512 for key, value in pairs.items()
        )
        if not fine:
            raise bad_request(
                "'metadata' holds at most 16 texts of 512 characters, their names at most 64.",
                param="metadata",
            )
        return pairs


def missing(name: str) -> Refusal:
    """A parameter that must be there is not."""
    return bad_request(f"'{name}' is required.", param=name, code="missing_required_parameter")


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a request. Raises Refusal."""
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
        # As deep as can be read is deeper than can be mended.
        value = mend_texts(value) if _SURROGATE.search(body) else value
    except (ValueError, RecursionError):
        raise bad_request("The body is no valid JSON.", code="invalid_json") from None
    if not isinstance(value, dict):
        raise bad_request("The body must be a JSON object.", code="invalid_json")
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)
