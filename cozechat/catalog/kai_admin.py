"""KAI tools in the admin: what the server offers, what may be invoked, and a form to try it."""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from asgiref.sync import async_to_sync
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cozechat.catalog import tools
from cozechat.catalog.models import KaiTool
from cozechat.kai import Kai
from cozechat.kai.errors import KaiError

R = TypeVar("R")
_PAYLOAD_LIMIT = 16 * 1024


class NoServer(Exception):
    """This site has no tool server."""


class TryForm(forms.Form):
    """What a tool is to be invoked with."""

    payload = forms.JSONField(
        label=gettext_lazy("payload"),
        initial=dict,
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text=gettext_lazy("One JSON object. The tool is really invoked."),
    )

    def clean_payload(self) -> dict[str, Any]:
        """An object of a size that makes sense."""
        payload = self.cleaned_data["payload"]
        if payload is None:
            return {}
        if not isinstance(payload, dict) or len(json.dumps(payload)) > _PAYLOAD_LIMIT:
            raise forms.ValidationError(_("Write one JSON object of at most 16 KiB."))
        return payload


@dataclass(frozen=True, slots=True)
class Tried:
    """How a try went."""

    text: str
    seconds: float
    failed: bool = False


@admin.register(KaiTool)
class KaiToolAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Whoever may change a tool may also try it and ask the server for its tools."""

    list_display = ("name", "title", "allowed", "timeout_seconds", "seen_at")
    list_filter = ("allowed",)
    search_fields = ("name", "title")
    readonly_fields = ("name", "description", "written_schema", "seen_at")
    fields = ("name", "title", "allowed", "timeout_seconds", "description", "written_schema", "seen_at")
    change_list_template = "admin/catalog/kaitool/change_list.html"
    change_form_template = "admin/catalog/kaitool/change_form.html"
    actions = ("allow", "forbid")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tools come from their server."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """Refreshing and trying."""
        own = [
            path("refresh/", self.admin_site.admin_view(self.refresh), name="catalog_kaitool_refresh"),
            path("<int:pk>/try/", self.admin_site.admin_view(self.try_out), name="catalog_kaitool_try"),
        ]
        return own + super().get_urls()

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The list, with the button for whoever may press it."""
        more = {**(extra_context or {}), "may_refresh": self.has_change_permission(request)}
        return super().changelist_view(request, more)

    @admin.display(description=gettext_lazy("schema of its payload"))
    def written_schema(self, tool: KaiTool) -> str:
        """The schema as JSON."""
        return format_html("<pre>{}</pre>", json.dumps(tool.schema, ensure_ascii=False, indent=2))

    @admin.action(description=gettext_lazy("Allow the chosen tools"), permissions=["change"])
    def allow(self, request: HttpRequest, chosen: Any) -> None:
        """Assistants may have them invoked from now on."""
        self._told(request, chosen.update(allowed=True))

    @admin.action(description=gettext_lazy("Forbid the chosen tools"), permissions=["change"])
    def forbid(self, request: HttpRequest, chosen: Any) -> None:
        """Assistants may not have them invoked any more."""
        self._told(request, chosen.update(allowed=False))

    def _told(self, request: HttpRequest, count: int) -> None:
        text = ngettext("%(count)d tool was changed.", "%(count)d tools were changed.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    def refresh(self, request: HttpRequest) -> HttpResponse:
        """Ask the server what it offers."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_change_permission(request):
            raise PermissionDenied
        try:
            if tools.is_demo():
                tools.allow_demo_tools()
            count = tools.store_tools(_with_kai(lambda kai: kai.list_tools(fresh=True)))
            text = ngettext("The server offers %(count)d tool.", "The server offers %(count)d tools.", count)
            self.message_user(request, text % {"count": count}, messages.SUCCESS)
        except NoServer:
            self.message_user(request, _("No tool server is set up (KAI_MCP_URL)."), messages.WARNING)
        except KaiError as error:
            self.message_user(request, f"{error.kind}: {error.message}", messages.ERROR)
        return HttpResponseRedirect(reverse("admin:catalog_kaitool_changelist"))

    def try_out(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The form, and what came of it."""
        tool = self.get_object(request, str(pk))
        if tool is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(pk))  # type: ignore[attr-defined,no-any-return]
        if not self.has_change_permission(request, tool):
            raise PermissionDenied
        form, tried = TryForm(request.POST or None), None
        if request.method == "POST" and form.is_valid():
            tried = _try(tool, form.cleaned_data["payload"])
        context = {
            **self.admin_site.each_context(request),
            "title": _("Try %(tool)s") % {"tool": tool.name},
            "opts": self.opts,
            "original": tool,
            "form": form,
            "tried": tried,
            "schema": self.written_schema(tool),
        }
        return TemplateResponse(request, "admin/catalog/kaitool/try.html", context)


def _try(tool: KaiTool, payload: dict[str, Any]) -> Tried:
    began = time.monotonic()
    try:
        text = _with_kai(lambda kai: kai.invoke_tool(tool.name, payload, timeout=tool.timeout_seconds))
        return Tried(text, time.monotonic() - began)
    except KaiError as error:
        return Tried(f"{error.kind}: {error.message}", time.monotonic() - began, failed=True)
    except NoServer:
        return Tried(_("No tool server is set up (KAI_MCP_URL)."), 0.0, failed=True)


def _with_kai(act: Callable[[Kai], Awaitable[R]]) -> R:
    """Do something with a client of its own: a view has no event loop that lasts."""

    async def whole() -> R:
        where = tools.address()
        if where is None:
            raise NoServer
        kai = Kai(where.url, key=where.key)
        try:
            return await act(kai)
        finally:
            await kai.aclose()

    return async_to_sync(whole)()
