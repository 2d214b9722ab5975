"""Django's cache in Redis, with patience: while Redis is away each process remembers for itself, and nobody notices.

What is kept there are attempts to log in and the like: otherwise a Redis that is away would keep everybody out.
"""

import logging
import time
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis import RedisError

logger = logging.getLogger(__name__)
# How long a Redis that did not answer is not asked again (seconds).
REST = 5.0


class PatientCache(RedisCache):
    """The methods that are used here; each asks Redis, or what this process remembers."""

    # Django makes one object a thread; what they know of Redis is one thing.
    _rests_until = 0.0

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._meanwhile = LocMemCache("meanwhile", {})

    def _ask(self, method: str, *args: Any, **kwargs: Any) -> Any:
        if time.monotonic() >= PatientCache._rests_until:
            try:
                return getattr(super(), method)(*args, **kwargs)
            except (RedisError, OSError) as error:
                PatientCache._rests_until = time.monotonic() + REST
                logger.warning("the cache is this process's alone: %s", type(error).__name__)
        return getattr(self._meanwhile, method)(*args, **kwargs)

    def add(self, *args: Any, **kwargs: Any) -> Any:
        """Store what is not there yet."""
        return self._ask("add", *args, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """What is stored."""
        return self._ask("get", *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> Any:
        """Store."""
        return self._ask("set", *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        """Forget."""
        return self._ask("delete", *args, **kwargs)
