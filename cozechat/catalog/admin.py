"""Coze apps and assistants in the admin; key material goes in and never comes out."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from cozechat.catalog import keys
from cozechat.catalog.configurations import LARGEST, read_configuration
from cozechat.catalog.environment import personal_token_of
from cozechat.catalog.fields import CozeAddress, WrittenOnly, WrittenOnlyLine
from cozechat.catalog.inputs import BadDeclaration, declared
from cozechat.catalog.kai_admin import KaiToolAdmin
from cozechat.catalog.key_pages import KeyPages
from cozechat.catalog.models import Assistant, CozeApp
from cozechat.coze import oauth
from cozechat.coze.errors import CozeError

__all__ = ["AssistantAdmin", "CozeAppAdmin", "KaiToolAdmin"]


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
        widget=WrittenOnly(attrs={"rows": 6}),
    )
    private_key = forms.CharField(
        label=_("private key"),
        required=False,
        strip=True,
        widget=WrittenOnly(attrs={"rows": 6}),
        help_text=_(
            "PEM text. It is encrypted and never shown again; leave it empty to keep the stored one."
        ),
    )

    personal_token = forms.CharField(
        label=_("or a personal access token"),
        required=False,
        strip=True,
        widget=WrittenOnlyLine(),
        help_text=_(
            "pat_… or sat_…, to try things out: it cannot tell users apart, and so it serves one person alone. "
            "It takes the place of client id and key, and a key takes its place."
        ),
    )

    class Meta:
        model = CozeApp
        fields = (
            "name", "base_url", "client_id", "public_key_id", "private_key", "personal_token", "audience", "token_ttl",
            "send_session_name_in_body", "is_active",
        )  # fmt: skip
        widgets = {"base_url": CozeAddress()}

    # Read first: the key may be in it.
    field_order = IMPORTED

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stored_key, self._stored_token = self.instance.private_key, self.instance.personal_token
        for secret in ("private_key", "personal_token"):
            self.initial.pop(secret, None)
        if self.instance.source == CozeApp.Source.ENVIRONMENT:
            # Its key is elsewhere, and nobody asks for one here.
            for name in ("private_key", "personal_token", *IMPORTED):
                self.fields.pop(name, None)
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
        if "private_key" in self.fields:
            self._choose(cleaned)
        return cleaned

    def _choose(self, cleaned: dict[str, Any]) -> None:
        """A key or a personal token: what is written now takes the place of the other."""
        if {"private_key", "public_key_id", "personal_token"} & set(self.changed_data):
            self.instance.key_refusal, self.instance.key_refused_at = "", None
        if cleaned.get("personal_token"):
            cleaned["private_key"] = cleaned["client_id"] = cleaned["public_key_id"] = ""
            # Also on the row itself: Django leaves alone what is empty and was not sent.
            self.instance.private_key = self.instance.other_public_key_id = (
                self.instance.other_private_key
            ) = ""
        elif cleaned.get("private_key"):
            cleaned["personal_token"] = self.instance.personal_token = ""
            for name in ("client_id", "public_key_id"):
                if not cleaned.get(name) and name not in self.errors:
                    self.add_error(name, _("An app that signs in with a key needs this as well."))

    def clean_personal_token(self) -> str:
        """A token that looks like one, on a site to which nobody else comes; or the stored one."""
        written = str(self.cleaned_data.get("personal_token") or "")
        if not written:
            return "" if self._written_key() else str(self._stored_token or "")
        if self._written_key():
            raise forms.ValidationError(_("Either a key or a personal access token, not both."))
        if not written.startswith(("pat_", "sat_")) or len(written) < 16 or not written.isascii():
            raise forms.ValidationError(_("A personal access token begins with pat_ or sat_."))
        if settings.ALLOW_SIGNUP or getattr(settings, "ALLOW_VISITORS", False):
            raise forms.ValidationError(
                _(
                    "It serves one person, but others may come: set ALLOW_SIGNUP=off and ALLOW_VISITORS=off first."
                )
            )
        return written

    def _written_key(self) -> str:
        return str(self.cleaned_data.get("private_key") or self._imported.get("private_key") or "")

    def clean_private_key(self) -> str:
        """A key that can sign, or the stored one."""
        written = self._written_key()
        if not written and ("configuration" in self.errors or self._has_token()):
            return "" if self._has_token() else str(self._stored_key or "")
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

    def _has_token(self) -> bool:
        """Whether a personal token was written, or is stored; it comes later in the form than the key."""
        return bool(self.data.get("personal_token", "").strip() or self._stored_token)


@admin.register(CozeApp)
class CozeAppAdmin(KeyPages):
    """Credentials. The environment's row is shown, and changed in the environment."""

    form = CozeAppForm
    list_display = ("name", "source", "base_url", "client_id", "signs_in_with", "is_active")
    list_filter = ("source", "is_active")
    readonly_fields = ("fingerprint",)

    @admin.display(description=_("signs in with"))
    def signs_in_with(self, app: CozeApp) -> str:
        """A key or a personal token, and what is wrong with it: all that is told of them."""
        if personal_token_of(app):
            return str(_("a personal access token"))
        if app.key_refused_at:
            return str(_("⚠ its other key: the key in use is refused"))
        if app.source == CozeApp.Source.ENVIRONMENT or app.private_key:
            return str(_("two keys") if app.other_public_key_id else _("a key"))
        return "–"

    @admin.display(description=_("fingerprint of the key"))
    def fingerprint(self, app: CozeApp) -> str:
        """Which key it is; it never comes out."""
        return keys.fingerprint(app.private_key or "")

    def get_fields(self, request: HttpRequest, obj: CozeApp | None = None) -> Any:
        """No key field for the environment's app: its key is elsewhere."""
        fields = list(CozeAppForm.Meta.fields)
        if obj and obj.source == CozeApp.Source.ENVIRONMENT:
            return [name for name in fields if name not in {"private_key", "personal_token"}]
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
    """An assistant; its questions to try are a list of texts, its inputs a list of objects."""

    class Meta:
        model = Assistant
        fields = (
            "app", "name", "description", "suggestions", "kind", "gateway_name", "workflow_id", "coze_app_id",
            "bot_id", "inputs", "is_streamed", "position", "is_active",
        )  # fmt: skip
        help_texts = {
            "inputs": _(
                "What a form asks for, as a list of objects with name, type (text, long_text, number, integer, boolean, "
                "choice, list, object, file) and, where it helps, label, help, required, default and choices: "
                '[{"name": "city", "label": "City", "type": "text", "required": true}]. '
                "Empty: the message is sent as “input”. Of a chat workflow: one input of type file, which people's files "
                "go into."
            )
        }

    def clean_suggestions(self) -> list[str]:
        """Nothing, or a list of texts: anything else would break the page of everybody."""
        written = self.cleaned_data.get("suggestions") or []
        if not isinstance(written, list) or not all(isinstance(item, str) for item in written):
            raise forms.ValidationError(_('Write a list of texts: ["…", "…"]'))
        return written

    def clean_inputs(self) -> list[dict[str, Any]]:
        """Nothing, or what a form can be made of."""
        written = self.cleaned_data.get("inputs") or []
        try:
            declared(written)
        except BadDeclaration as error:
            raise forms.ValidationError(str(error)) from error
        return list(written)

    def clean(self) -> dict[str, Any]:
        """Only runs have inputs: what a chat is given are words, and a chat workflow one file where it takes one."""
        cleaned = super().clean() or self.cleaned_data
        listed, kind = cleaned.get("inputs"), cleaned.get("kind")
        takes_file = kind == Assistant.Kind.CHAT_WORKFLOW and [row["type"] for row in listed or []] == [
            "file"
        ]
        if listed and kind not in Assistant.RUNS and not takes_file:
            self.add_error("inputs", _("Only workflow runs have inputs; a chat workflow may have one file."))
        return cleaned


@admin.register(Assistant)
class AssistantAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What people can pick."""

    form = AssistantForm
    list_display = (
        "name", "kind", "gateway_name", "app", "workflow_id", "bot_id", "position", "is_active",
    )  # fmt: skip
    list_filter = ("kind", "app", "is_active")
    search_fields = ("name", "gateway_name", "workflow_id", "bot_id")
