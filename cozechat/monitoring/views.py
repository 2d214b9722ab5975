"""What machines and staff ask for, other than the page."""

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from cozechat import database
from cozechat.catalog.models import CozeApp
from cozechat.monitoring.board import readings
from cozechat.monitoring.diagnosing import Diagnosis, diagnose
from cozechat.monitoring.guard import guarded
from cozechat.monitoring.kept import Kept
from cozechat.monitoring.metrics import CONTENT_TYPE, exposition, sums_of_ever
from cozechat.monitoring.tooling import diagnose_kai

# A diagnosis asks Coze for tokens: whoever asks again within so many seconds gets the same one.
KEPT_SECONDS = 4.0


async def _diagnoses() -> list[Diagnosis]:
    apps = await database.run(lambda: list(CozeApp.objects.filter(is_active=True).order_by("pk")))
    return [await diagnose(app) for app in apps]


_coze = Kept(_diagnoses, seconds=KEPT_SECONDS)
_kai = Kept(diagnose_kai, seconds=KEPT_SECONDS)


@require_safe
@guarded
async def show_coze(request: HttpRequest) -> HttpResponseBase:
    """`/diagnostics/coze`: every active app, tried now."""
    diagnoses = await _coze.get()
    ok = bool(diagnoses) and all(diagnosis.ok for diagnosis in diagnoses)
    return JsonResponse({"ok": ok, "apps": [diagnosis.as_json() for diagnosis in diagnoses]})


@require_safe
@guarded
async def show_kai(request: HttpRequest) -> HttpResponseBase:
    """`/diagnostics/kai`: the tool server, tried now."""
    return JsonResponse((await _kai.get()).as_json())


@require_safe
@guarded
async def metrics(request: HttpRequest) -> HttpResponseBase:
    """`/metrics`: what is counted in all processes, for Prometheus."""
    return HttpResponse(await database.run(_exposed), content_type=CONTENT_TYPE)


def _exposed() -> str:
    return exposition(sums_of_ever(), now=readings.now_at(timezone.now()))
