"""Form fields for secrets, and for the address of Coze."""

from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

_PRESETS = (("https://api.coze.cn", "扣子 · China"), ("https://api.coze.com", "Coze · international"))
_QUIET = {"autocomplete": "off", "spellcheck": "false"}


class WrittenOnly(forms.Textarea):
    """A text field that is always shown empty, also when the form comes back with an error."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"class": "vLargeTextField", **_QUIET, **(attrs or {})})

    def format_value(self, value: Any) -> str:
        return ""


class WrittenOnlyLine(forms.TextInput):
    """The same for what stands on one line."""

    def __init__(self) -> None:
        super().__init__({"class": "vTextField", **_QUIET})

    def format_value(self, value: Any) -> str:
        return ""


class CozeAddress(forms.TextInput):
    """An address, with Coze's two at hand: the browser lists them, any other may be typed."""

    def __init__(self) -> None:
        super().__init__({"class": "vTextField", "list": "coze-addresses", "inputmode": "url"})

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        field = super().render(name, value, attrs, renderer)
        options = format_html_join("", '<option value="{}" label="{}"></option>', _PRESETS)
        return format_html('{}<datalist id="coze-addresses">{}</datalist>', field, options)
