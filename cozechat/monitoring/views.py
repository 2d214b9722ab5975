"""What machines and staff ask for."""

import asyncio
import time
from dataclasses import dataclass, field

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.views.decorators.http import require_safe

from cozechat import database
from cozechat.catalog.models import CozeApp
from cozechat.monitoring.diagnosing import Diagnosis, diagnose
from cozechat.monitoring.guard import guarded
from cozechat.monitoring.pulse import pulse

# A diagnosis asks Coze for tokens: whoever asks again within so many seconds gets the same one.
KEPT_SECONDS = 4.0


async def health(request: HttpRequest) -> HttpResponseBase:
    """`/health`: 200 while this process serves, else 503."""
    found = await pulse.health()
    response = JsonResponse(found.as_json(), status=200 if found.is_serving else 503)
    response.headers["Cache-Control"] = "no-store"
    return response


@dataclass
class _Kept:
    """The last diagnoses, and the lock under which one asks while the others wait."""

    loop: asyncio.AbstractEventLoop | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    taken: float = float("-inf")
    diagnoses: list[Diagnosis] = field(default_factory=list)


_kept = _Kept()


@require_safe
@guarded
async def diagnose_coze(request: HttpRequest) -> HttpResponseBase:
    """`/diagnostics/coze`: every active app, tried now."""
    diagnoses = await _diagnoses()
    ok = bool(diagnoses) and all(diagnosis.ok for diagnosis in diagnoses)
    return JsonResponse({"ok": ok, "apps": [diagnosis.as_json() for diagnosis in diagnoses]})


async def _diagnoses() -> list[Diagnosis]:
    global _kept  # noqa: PLW0603 - a lock belongs to one loop
    if _kept.loop is not asyncio.get_running_loop():
        _kept = _Kept(loop=asyncio.get_running_loop())
    async with _kept.lock:
        if time.monotonic() - _kept.taken > KEPT_SECONDS:
            apps = await database.run(lambda: list(CozeApp.objects.filter(is_active=True).order_by("pk")))
            _kept.diagnoses = [await diagnose(app) for app in apps]
            _kept.taken = time.monotonic()
        return _kept.diagnoses
