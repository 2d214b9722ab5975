"""The pages in the admin on which one key of a Coze app takes over from another."""

from typing import Any

from asgiref.sync import async_to_sync
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cozechat.catalog import keys
from cozechat.catalog.advice import advice_for
from cozechat.catalog.configurations import read_key
from cozechat.catalog.environment import credentials_of
from cozechat.catalog.fields import WrittenOnly
from cozechat.catalog.models import CozeApp
from cozechat.coze import oauth
from cozechat.coze.credentials import KeyPair
from cozechat.coze.errors import CozeError


class NextKeyForm(forms.Form):
    """The pair that is to take over: typed, or in the file that Coze hands out."""

    public_key_id = forms.CharField(
        label=gettext_lazy("public key id"),
        required=False,
        max_length=128,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy(
            "The fingerprint (kid) that Coze shows for the key you have just added there."
        ),
    )
    private_key = forms.CharField(
        label=gettext_lazy("private key"),
        required=False,
        widget=WrittenOnly(attrs={"rows": 6}),
        help_text=gettext_lazy(
            "PEM text, or the whole JSON file that Coze hands out. It is encrypted and never shown again."
        ),
    )

    def __init__(self, *args: Any, app: CozeApp, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._app = app

    def clean(self) -> dict[str, Any]:
        """A pair that can sign and is not the one in use; what is typed wins over the file."""
        cleaned = super().clean() or self.cleaned_data
        written = str(cleaned.get("private_key") or "")
        if written.lstrip("\ufeff \n").startswith("{"):
            kid, written = read_key(written, client_id=self._app.client_id)
            cleaned["public_key_id"] = cleaned.get("public_key_id") or kid
        cleaned["private_key"] = written
        self._check(cleaned.get("public_key_id") or "", written)
        return cleaned

    def _check(self, kid: str, private_key: str) -> None:
        if not kid:
            self.add_error(
                "public_key_id", _("Coze shows it beside the key: without it nobody knows which one signs.")
            )
        elif kid == self._app.public_key_id:
            self.add_error("public_key_id", _("This is the key in use."))
        try:
            oauth.parse_private_key(private_key)
        except (CozeError, ValueError) as error:
            self.add_error("private_key", _("This key cannot be read: %(reason)s") % {"reason": error})

    def pair(self) -> KeyPair:
        """What was entered."""
        return KeyPair(self.cleaned_data["public_key_id"], self.cleaned_data["private_key"])


class KeyPages(admin.ModelAdmin):  # type: ignore[type-arg]
    """The page of an app's keys in the admin: whoever may view the app sees it, whoever may change it acts."""

    def get_urls(self) -> list[URLPattern]:
        """One page, and an address for each act."""
        own = [
            path("<int:pk>/keys/", self.admin_site.admin_view(self.keys_page), name="catalog_cozeapp_keys")
        ]
        own += [
            path(
                f"<int:pk>/keys/{act}/",
                self.admin_site.admin_view(getattr(self, f"{act}_key")),
                name=f"catalog_cozeapp_{act}_key",
            )
            for act in ("test", "promote", "remove")
        ]
        return own + super().get_urls()

    def keys_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Which keys there are, and the form for the next one."""
        app = self._app(request, pk)
        form = NextKeyForm(request.POST if request.method == "POST" else None, app=app)
        if request.method == "POST":
            self._may_act(request, app)
            if form.is_valid():
                keys.add_other(app, form.pair())
                self.log_change(
                    request, app, [{"added": {"name": "key", "object": form.pair().public_key_id}}]
                )
                self.message_user(
                    request, _("The next key is kept. Test it before you use it."), messages.SUCCESS
                )
                return self._back(app)
        return TemplateResponse(request, "admin/catalog/cozeapp/keys.html", self._context(request, app, form))

    def test_key(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Buy a token with exactly one of the keys."""
        app, other = self._posted(request, pk), request.POST.get("key") == "other"
        if not isinstance(app, CozeApp):
            return app
        if self._works(request, app, other=other):
            self.message_user(request, _("Coze takes this key."), messages.SUCCESS)
        return self._back(app)

    def promote_key(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The other key becomes the one in use, if Coze takes it."""
        app = self._posted(request, pk)
        if not isinstance(app, CozeApp):
            return app
        if self._is_own(app) and self._works(request, app, other=True):
            try:
                keys.use_other(app, public_key_id=request.POST.get("public_key_id", ""))
            except keys.KeyChanged:
                self.message_user(
                    request, _("Somebody has changed the keys meanwhile. Look again."), messages.WARNING
                )
            else:
                self.log_change(request, app, [{"changed": {"fields": ["key in use"]}}])
                self.message_user(
                    request, _("This key is in use now. Nobody notices anything of it."), messages.SUCCESS
                )
        return self._back(app)

    def remove_key(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Forget the other key."""
        app = self._posted(request, pk)
        if not isinstance(app, CozeApp):
            return app
        kid = request.POST.get("public_key_id", "")
        if self._is_own(app) and keys.remove_other(app, public_key_id=kid):
            self.log_change(request, app, [{"deleted": {"name": "key", "object": kid}}])
            self.message_user(request, _("The key is removed here."), messages.SUCCESS)
        return self._back(app)

    def _works(self, request: HttpRequest, app: CozeApp, *, other: bool) -> bool:
        """Whether Coze takes the key; says so if it does not."""
        key = keys.key_of(app, other=other)
        if key is None:
            self.message_user(request, _("There is no such key."), messages.WARNING)
            return False
        try:
            async_to_sync(keys.try_key)(credentials_of(app), key)
        except CozeError as error:
            self.message_user(request, f"{error} → {advice_for(error)}", messages.ERROR)
            return False
        if not other and app.key_refused_at:
            keys.note(app, refusal="")
        return True

    def _app(self, request: HttpRequest, pk: int) -> CozeApp:
        app = self.get_object(request, str(pk))
        if not isinstance(app, CozeApp) or not self.has_view_or_change_permission(request, app):
            # Not there and not for you answer alike.
            raise PermissionDenied
        return app

    def _posted(self, request: HttpRequest, pk: int) -> CozeApp | HttpResponse:
        """The app that somebody wants to act on, who may."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        app = self._app(request, pk)
        self._may_act(request, app)
        return app

    def _may_act(self, request: HttpRequest, app: CozeApp) -> None:
        if not self.has_change_permission(request, app):
            raise PermissionDenied

    @staticmethod
    def _is_own(app: CozeApp) -> bool:
        """Whether the keys are in this row; the environment's are changed there."""
        return app.source == CozeApp.Source.ADMIN

    @staticmethod
    def _back(app: CozeApp) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:catalog_cozeapp_keys", args=[app.pk]))

    def _context(self, request: HttpRequest, app: CozeApp, form: NextKeyForm) -> dict[str, Any]:
        credentials = credentials_of(app)
        other = credentials.other_key
        return {
            **self.admin_site.each_context(request),
            "title": _("Keys of %(app)s") % {"app": app},
            "opts": self.opts,
            "original": app,
            "app": app,
            "form": form,
            "is_own": self._is_own(app),
            "is_personal": bool(credentials.personal_token),
            "may_act": self.has_change_permission(request, app),
            "current": {
                "kid": credentials.public_key_id,
                "fingerprint": keys.fingerprint(credentials.private_key),
            },
            "other": other
            and {"kid": other.public_key_id, "fingerprint": keys.fingerprint(other.private_key)},
            "step": 1 if other is None else 4 if app.other_is_former else 2,
        }
