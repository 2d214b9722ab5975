"""The page in the admin that tries one Coze app: what `check_coze` does, for whoever may change the app."""

from asgiref.sync import async_to_sync
from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from cozechat.catalog.models import CozeApp
from cozechat.monitoring.diagnosing import diagnose

_STEPS = {
    "configuration": gettext_lazy("Configuration"),
    "people": gettext_lazy("One person alone"),
    "token": gettext_lazy("A token"),
    "other key": gettext_lazy("The other key"),
    "conversation": gettext_lazy("A conversation"),
    "turn": gettext_lazy("A question and its answer"),
}


class TestForm(forms.Form):
    """How far to go."""

    turn = forms.BooleanField(
        label=gettext_lazy("Ask one question as well"),
        required=False,
        help_text=gettext_lazy("It costs at Coze what an answer costs. Without it nothing is spent."),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def test_coze_app(request: HttpRequest, pk: int) -> HttpResponse:
    """The button, and after it was pressed each step: how it went, how long it took, what to mend."""
    if not request.user.has_perm("catalog.change_cozeapp"):
        raise PermissionDenied
    app = get_object_or_404(CozeApp, pk=pk)
    form, diagnosis = TestForm(request.POST if request.method == "POST" else None), None
    if request.method == "POST" and form.is_valid():
        diagnosis = async_to_sync(diagnose)(app, turn=form.cleaned_data["turn"])
    findings = diagnosis.findings if diagnosis else []
    context = {
        **admin.site.each_context(request),
        "title": _("Test %(app)s") % {"app": app},
        "opts": CozeApp._meta,
        "original": app,
        "app": app,
        "form": form,
        "diagnosis": diagnosis,
        "findings": [(_STEPS.get(finding.step, finding.step), finding) for finding in findings],
        "seconds": sum(finding.seconds for finding in findings),
    }
    return TemplateResponse(request, "admin/catalog/cozeapp/test.html", context)
