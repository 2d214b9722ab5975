"""The admin site: whatever is registered with it records who looks and who acts.

Looking is written down before anything is shown, and what cannot be written down is not shown. A change is written in
the transaction that makes it. An action is written down before it begins, for some take their time or have
transactions of their own.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.utils import unquote
from django.core.exceptions import BadRequest
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from cozechat.audit.models import Verb
from cozechat.audit.recording import MOST_AT_ONCE, record, record_each
from cozechat.audit.subjects import kind_of, objects_of, subject_of

View = Callable[..., HttpResponseBase]


class Audited:
    """What every `ModelAdmin` here is made of besides itself: its changes and actions are recorded."""

    model: type[Model]

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """In the transaction that adds."""
        _record_change(Verb.MADE, obj, message=message)
        return super().log_addition(request, obj, message)  # type: ignore[misc]

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """In the transaction that changes; the fields are named, their values are not."""
        _record_change(Verb.CHANGED, obj, message=message)
        return super().log_change(request, obj, message)  # type: ignore[misc]

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Before the rows go."""
        objects = [(str(row.pk), subject_of(row)) for row in queryset]
        record_each(Verb.DELETED, objects=objects, kind=kind_of(self.model), is_staff_act=True)
        return super().log_deletions(request, queryset)  # type: ignore[misc]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Each says that it was called before it begins."""
        actions: dict[str, Any] = super().get_actions(request)  # type: ignore[misc]
        return {
            name: (_recorded_action(act, name=key), key, label) for name, (act, key, label) in actions.items()
        }


def _record_change(verb: Verb, row: Any, *, message: Any) -> None:
    named = {"kind": kind_of(row), "object_id": str(row.pk), "detail": _said(message)}
    record(verb, subject_id=subject_of(row), is_staff_act=True, **named)


def _said(message: Any) -> str:
    """The fields that a form changed, or the sentence that an act of ours wrote."""
    if isinstance(message, str):
        return message
    parts = [next(iter(part.items())) for part in message if part]
    return "; ".join(
        ", ".join(map(str, what.get("fields", ()))) or str(what.get("name", "")) for _how, what in parts
    )


def _recorded_action(act: Callable[..., Any], *, name: str) -> Callable[..., Any]:
    @wraps(act)
    def recorded(model_admin: Any, request: HttpRequest, chosen: QuerySet[Any]) -> Any:
        objects = objects_of(chosen, most=MOST_AT_ONCE)
        kind = kind_of(model_admin.model)
        record_each(Verb.ACTED, objects=objects, kind=kind, detail=name, is_staff_act=True)
        return act(model_admin, request, chosen)

    return recorded


class AuditedSite(AdminSite):
    """Django's site with these two differences."""

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """With `Audited` in front of whatever class is registered, a third party's as well."""
        base = admin_class or ModelAdmin
        super().register(
            model_or_iterable,
            type(base.__name__, (Audited, base), {"__module__": base.__module__}),
            **options,
        )

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """With the view's looking recorded."""
        return super().admin_view(_recorded_view(view), cacheable)


def _recorded_view(view: View) -> View:
    @wraps(view)
    def recorded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "%00" in request.META.get("QUERY_STRING", ""):
            # PostgreSQL answers such a text with an error instead of "nothing found".
            raise BadRequest
        response = view(request, *args, **kwargs)
        model_admin = getattr(view, "__self__", None)
        # A redirect shows nothing; templates are rendered only after this.
        if isinstance(model_admin, ModelAdmin) and response.status_code == 200:
            _record_look(model_admin, request, named=(*kwargs.values(), *args))
        return response

    return recorded


def _record_look(model_admin: Any, request: HttpRequest, *, named: Sequence[Any]) -> None:
    kind = kind_of(model_admin.model)
    # The page that Django shows at these addresses is part of the detail: history/, delete/, adjust/ …
    page = request.path.rstrip("/").rpartition("/")[2]
    row = model_admin.get_object(request, unquote(str(named[0]))) if named else None
    if row is None and page == "add":
        return
    if row is None:
        verb = Verb.SEARCHED if request.GET.get("q") else Verb.LISTED
        record(verb, subject_id=None, kind=kind, detail=_filters(request), is_staff_act=True)
        return
    looked = {"kind": kind, "object_id": str(row.pk), "detail": "" if page == "change" else page}
    record(Verb.OPENED, subject_id=subject_of(row), is_staff_act=True, **looked)


def _filters(request: HttpRequest) -> str:
    """Which filters were set, without what they were set to."""
    return ", ".join(sorted(key for key in request.GET if key.isascii() and key.isprintable()))
