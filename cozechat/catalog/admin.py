"""Coze apps and assistants in the admin; key material goes in and never comes out."""

import hashlib
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from cozechat.catalog.configurations import LARGEST, read_configuration
from cozechat.catalog.kai_admin import KaiToolAdmin
from cozechat.catalog.models import Assistant, CozeApp
from cozechat.coze import oauth
from cozechat.coze.errors import CozeError

__all__ = ["AssistantAdmin", "CozeAppAdmin", "KaiToolAdmin"]


class WrittenOnly(forms.Textarea):
    """A text field that is always shown empty, also when the form comes back with an error."""

    def format_value(self, value: Any) -> str:
        return ""


IMPORTED = ("configuration_file", "configuration")


class CozeAppForm(forms.ModelForm):  # type: ignore[type-arg]
    """The private key is written, never shown; left empty, the stored one stays.

    Coze's own file fills in what nobody has typed here.
    """

    configuration_file = forms.FileField(
        label=_("configuration file"),
        required=False,
        help_text=_(
            "The JSON file that Coze hands out for a service app. It fills in what is not typed below."
        ),
    )
    configuration = forms.CharField(
        label=_("or its text"),
        required=False,
        widget=WrittenOnly(attrs={"rows": 6, "autocomplete": "off", "spellcheck": "false"}),
    )
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

    # Read first: the key may be in it.
    field_order = IMPORTED

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stored_key = self.instance.private_key
        self.initial.pop("private_key", None)
        self._imported: dict[str, str] = {}

    def clean_configuration(self) -> str:
        """What the file or its text says, by the names of the fields."""
        pasted, file = self.cleaned_data.get("configuration"), self.cleaned_data.get("configuration_file")
        if pasted and file:
            raise forms.ValidationError(_("Either the file or its text, not both."))
        if file and file.size > LARGEST:
            raise forms.ValidationError(_("This file is too large to be a configuration."))
        try:
            text = file.read().decode("utf-8-sig") if file else pasted
        except UnicodeDecodeError:
            raise forms.ValidationError(_("This file is no text.")) from None
        self._imported = read_configuration(text) if text else {}
        return ""

    def clean(self) -> dict[str, Any]:
        """Whatever somebody has typed wins over the file."""
        cleaned = super().clean() or self.cleaned_data
        for name, value in self._imported.items():
            typed = name in self.changed_data and cleaned.get(name)
            if name != "private_key" and not typed and name not in self.errors:
                cleaned[name] = value
        return cleaned

    def clean_private_key(self) -> str:
        """A key that can sign, or the stored one."""
        written = str(self.cleaned_data.get("private_key") or self._imported.get("private_key") or "")
        if not written and "configuration" in self.errors:
            return str(self._stored_key or "")
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
    readonly_fields = ("fingerprint",)

    @admin.display(boolean=True, description=_("key"))
    def has_key(self, app: CozeApp) -> bool:
        """Whether there is a private key: all that is told of it."""
        return app.source == CozeApp.Source.ENVIRONMENT or bool(app.private_key)

    @admin.display(description=_("fingerprint of the key"))
    def fingerprint(self, app: CozeApp) -> str:
        """Which key it is: SHA-256 of its public half, as `openssl rsa -pubout -outform DER | sha256sum` says."""
        try:
            key = oauth.parse_private_key(app.private_key or "")
        except (CozeError, ValueError):
            return "–"
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(public).hexdigest()

    def get_fields(self, request: HttpRequest, obj: CozeApp | None = None) -> Any:
        """No key field for the environment's app: its key is elsewhere."""
        fields = list(CozeAppForm.Meta.fields)
        if obj and obj.source == CozeApp.Source.ENVIRONMENT:
            fields.remove("private_key")
            return fields
        if obj:
            fields.insert(fields.index("private_key") + 1, "fingerprint")
        return [fields[0], *IMPORTED, *fields[1:]]

    def get_readonly_fields(self, request: HttpRequest, obj: CozeApp | None = None) -> Any:
        """What the environment says, the admin cannot unsay."""
        if obj and obj.source == CozeApp.Source.ENVIRONMENT:
            return [name for name in self.get_fields(request, obj) if name not in {"is_active", "name"}]
        return self.readonly_fields

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
