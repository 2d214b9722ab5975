"""Coze apps and assistants in the admin; key material goes in and never comes out."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from cozechat.catalog.kai_admin import KaiToolAdmin
from cozechat.catalog.models import Assistant, CozeApp
from cozechat.coze import oauth
from cozechat.coze.errors import CozeError

__all__ = ["AssistantAdmin", "CozeAppAdmin", "KaiToolAdmin"]


class WrittenOnly(forms.Textarea):
    """A text field that is always shown empty, also when the form comes back with an error."""

    def format_value(self, value: Any) -> str:
        return ""


class CozeAppForm(forms.ModelForm):  # type: ignore[type-arg]
    """The private key is written, never shown; left empty, the stored one stays."""

    private_key = forms.CharField(
        label=_("private key"),
        required=False,
        strip=True,
        widget=WrittenOnly(attrs={"rows": 6, "autocomplete": "off", "spellcheck": "false"}),
        help_text=_(
            "PEM text. It is encrypted and never shown again; leave it empty to keep the stored one."
        ),
    )

    class Meta:
        model = CozeApp
        fields = (
            "name", "base_url", "client_id", "public_key_id", "private_key", "audience", "token_ttl",
            "send_session_name_in_body", "is_active",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stored_key = self.instance.private_key
        self.initial.pop("private_key", None)

    def clean_private_key(self) -> str:
        """A key that can sign, or the stored one."""
        written = str(self.cleaned_data.get("private_key") or "")
        if not written:
            if not self._stored_key:
                # Also a stored one that cannot be decrypted any more: saving would lose it for good.
                raise forms.ValidationError(_("A new app needs its private key."))
            return str(self._stored_key)
        try:
            oauth.parse_private_key(written)
        except (CozeError, ValueError) as error:
            raise forms.ValidationError(
                _("This key cannot be read: %(reason)s") % {"reason": error}
            ) from error
        return written


@admin.register(CozeApp)
class CozeAppAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Credentials. The environment's row is shown, and changed in the environment."""

    form = CozeAppForm
    list_display = ("name", "source", "base_url", "client_id", "has_key", "is_active")
    list_filter = ("source", "is_active")

    @admin.display(boolean=True, description=_("key"))
    def has_key(self, app: CozeApp) -> bool:
        """Whether there is a private key: all that is told of it."""
        return app.source == CozeApp.Source.ENVIRONMENT or bool(app.private_key)

    def get_fields(self, request: HttpRequest, obj: CozeApp | None = None) -> Any:
        """No key field for the environment's app: its key is elsewhere."""
        fields = list(CozeAppForm.Meta.fields)
        if obj and obj.source == CozeApp.Source.ENVIRONMENT:
            fields.remove("private_key")
        return fields

    def get_readonly_fields(self, request: HttpRequest, obj: CozeApp | None = None) -> Any:
        """What the environment says, the admin cannot unsay."""
        if obj and obj.source == CozeApp.Source.ENVIRONMENT:
            return [name for name in self.get_fields(request, obj) if name not in {"is_active", "name"}]
        return ()

    def has_delete_permission(self, request: HttpRequest, obj: CozeApp | None = None) -> bool:
        """The environment's app would come back by itself."""
        if obj and obj.source == CozeApp.Source.ENVIRONMENT:
            return False
        return super().has_delete_permission(request, obj)


class AssistantForm(forms.ModelForm):  # type: ignore[type-arg]
    """An assistant; its questions to try are a list of texts."""

    def clean_suggestions(self) -> list[str]:
        """Nothing, or a list of texts: anything else would break the page of everybody."""
        written = self.cleaned_data.get("suggestions") or []
        if not isinstance(written, list) or not all(isinstance(item, str) for item in written):
            raise forms.ValidationError(_('Write a list of texts: ["…", "…"]'))
        return written


@admin.register(Assistant)
class AssistantAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What people can pick."""

    form = AssistantForm
    list_display = (
        "name", "kind", "gateway_name", "app", "workflow_id", "bot_id", "position", "is_active",
    )  # fmt: skip
    list_filter = ("kind", "app", "is_active")
    search_fields = ("name", "gateway_name", "workflow_id", "bot_id")
