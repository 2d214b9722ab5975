"""Feedback: what a reader thinks of an answer, and whether Coze knows it."""

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

# What Coze takes.
COMMENT_LENGTH = 250


class FeedbackQuerySet(models.QuerySet["Feedback"]):
    """The way to feedback leads through whoever gave it."""

    def owned_by(self, user: Any) -> Self:
        """What this user gave, in conversations that are not deleted."""
        return self.filter(owner_id=user.pk, turn__conversation__deleted_at=None)

    def untold(self, now: datetime) -> Self:
        """What Coze has yet to be told, and may be told now, the oldest first."""
        return self.filter(told_at=None, tell_at__lte=now).order_by("tell_at")


class Feedback(models.Model):
    """A thumb up or down for one answer, with reasons. One that was taken back stays until Coze knows that, too."""

    class Rating(models.TextChoices):
        """Coze's words, and none for one that was taken back."""

        LIKE = "like", _("good")
        UNLIKE = "unlike", _("not good")
        NONE = "", _("taken back")

    class Reason(models.TextChoices):
        """What can be said with one press."""

        CORRECT = "correct", _("Correct")
        CLEAR = "clear", _("Easy to follow")
        COMPLETE = "complete", _("Complete")
        WRONG = "wrong", _("Not correct")
        OFF_TOPIC = "off_topic", _("Not what I asked")
        INCOMPLETE = "incomplete", _("Incomplete")
        UNCLEAR = "unclear", _("Hard to follow")
        UNSAFE = "unsafe", _("Harmful")

    turn = models.OneToOneField(
        "conversations.Turn", on_delete=models.CASCADE, related_name="feedback", verbose_name=_("turn")
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("owner")
    )
    rating = models.CharField(_("rating"), max_length=8, choices=Rating.choices, blank=True)
    reasons = models.JSONField(_("reasons"), default=list, blank=True)
    comment = models.CharField(_("comment"), max_length=COMMENT_LENGTH, blank=True)
    changed_at = models.DateTimeField(_("changed"))
    told_at = models.DateTimeField(_("told to Coze"), null=True)
    # When Coze is told (again), and how often that has failed.
    tell_at = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveSmallIntegerField(_("failed attempts"), default=0, editable=False)

    objects = FeedbackQuerySet.as_manager()

    class Meta:
        verbose_name = _("feedback")
        verbose_name_plural = _("feedback")
        ordering = ("-changed_at",)
        indexes = (
            models.Index(fields=["tell_at"], name="feedback_to_tell", condition=models.Q(told_at=None)),
        )

    def __str__(self) -> str:
        return f"{self.rating or '–'} {self.turn_id}"

    def described(self) -> dict[str, Any] | None:
        """As its reader sees it; None once it was taken back."""
        if not self.rating:
            return None
        return {"rating": self.rating, "reasons": self.reasons, "comment": self.comment}
