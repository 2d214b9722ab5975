"""What a person may write about a conversation."""

from typing import Any

from django import forms

from conversations.models import COMMENT_LENGTH, TITLE_LENGTH, Feedback
from conversations.text import clean


class TextField(forms.CharField):
    """A text that has to be one: from JSON a list or a number may come, which must not become its spelling."""

    def to_python(self, value: Any) -> Any:
        if value is not None and not isinstance(value, str):
            raise forms.ValidationError(self.error_messages["required"], code="invalid")
        return super().to_python(value)


class ChoiceForm(forms.Form):
    """Which version of a turn is to be shown."""

    turn = forms.UUIDField()

    def __init__(self, data: Any = None) -> None:
        super().__init__(data if data is not None else {})


class RenameForm(forms.Form):
    """A conversation's title."""

    title = TextField(max_length=TITLE_LENGTH)

    def __init__(self, data: Any = None, *, required: bool = True) -> None:
        super().__init__(data if data is not None else {})
        self.fields["title"].required = required

    def clean_title(self) -> str:
        """Without control characters; blank is no title."""
        title = clean(str(self.cleaned_data["title"])).strip()
        if not title and self.fields["title"].required:
            raise forms.ValidationError(self.fields["title"].error_messages["required"])
        return title


class FeedbackForm(forms.Form):
    """What a reader thinks of an answer."""

    rating = forms.ChoiceField(choices=[(each.value, "") for each in Feedback.Rating if each.value])
    reasons = forms.MultipleChoiceField(choices=Feedback.Reason.choices, required=False)
    comment = TextField(max_length=COMMENT_LENGTH, required=False)

    def clean_reasons(self) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(self.cleaned_data["reasons"]))

    def clean_comment(self) -> str:
        """Without control characters."""
        return clean(str(self.cleaned_data["comment"] or "")).strip()
