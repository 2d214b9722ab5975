"""Top-up requests in the admin: granted or refused, once."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cozechat.usage import requesting
from cozechat.usage.admin.showing import ReadOnly, credits_of
from cozechat.usage.models import TopUpRequest
from cozechat.usage.money import short


class DecisionForm(forms.Form):
    """A word for the user; which button was pressed is the decision."""

    answer = forms.CharField(
        label=gettext_lazy("answer"),
        max_length=300,
        required=False,
        help_text=gettext_lazy("The user reads it."),
    )


@admin.register(TopUpRequest)
class TopUpRequestAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Who wishes for how much; the decision has a page of its own."""

    money = credits_of("amount", label=gettext_lazy("amount"))
    list_display = ("__str__", "owner", money, "note", "state", "created_at", "decided_at", "actor_name")
    list_filter = ("state", "created_at")
    list_select_related = ("owner",)
    search_fields = ("owner__username", "owner__email", "note")
    fields = ("owner", money, "note", "created_at", "state", "answer", "actor_name", "decided_at")
    readonly_fields = fields

    def get_urls(self) -> list[URLPattern]:
        """With the page for a decision."""
        view = self.admin_site.admin_view(self.decide)
        return [path("<int:pk>/decide/", view, name="usage_topuprequest_decide"), *super().get_urls()]

    def decide(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the form; grant or refuse once."""
        if not request.user.has_perm("usage.decide_topuprequest"):
            raise PermissionDenied
        found = get_object_or_404(TopUpRequest.objects.select_related("owner"), pk=pk)
        form = DecisionForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            self._decide(request, found=found, answer=form.cleaned_data["answer"])
            return redirect("admin:usage_topuprequest_change", pk)
        title = _("%(owner)s asks for %(amount)s credits")
        context = {
            **self.admin_site.each_context(request),
            "title": title % {"owner": found.owner or "–", "amount": short(found.amount)},
            "form": form,
            "opts": self.opts,
            "original": found,
        }
        return TemplateResponse(request, "admin/usage/topuprequest/decide.html", context)

    def _decide(self, request: HttpRequest, *, found: TopUpRequest, answer: str) -> None:
        act, text = (
            (requesting.grant, _("Granted: %(amount)s credits."))
            if "_grant" in request.POST
            else (requesting.refuse, _("Refused: %(amount)s credits."))
        )
        if act(found, answer=answer, actor=request.user, now=timezone.now()):
            said = text % {"amount": short(found.amount)}
            self.log_change(request, found, said)
            self.message_user(request, said, messages.SUCCESS)
        else:
            self.message_user(
                request, _("This request has been decided, or its owner is gone."), messages.WARNING
            )
