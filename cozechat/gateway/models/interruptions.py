"""Runs that wait for an answer: who may give it."""

from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from cozechat.catalog.models import CozeApp


class InterruptionQuerySet(models.QuerySet["Interruption"]):
    """The way to interruptions leads through the end user whose run it is."""

    def of(self, end_user: str) -> Self:
        """This end user's; anybody else's do not exist. The name is unique among all keys and owners."""
        return self.filter(end_user=end_user)


class Interruption(models.Model):
    """One event of one run that somebody's answer resumes."""

    end_user = models.CharField(_("end user (digest)"), max_length=64)
    app = models.ForeignKey(CozeApp, on_delete=models.CASCADE, related_name="+", verbose_name=_("Coze app"))
    workflow_id = models.CharField(_("workflow id"), max_length=64)
    event_id = models.CharField(max_length=200)
    kind = models.IntegerField()
    execute_id = models.CharField(_("execution id"), max_length=64, blank=True)
    expires_at = models.DateTimeField(_("expires"), db_index=True)

    objects = InterruptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("interruption")
        verbose_name_plural = _("interruptions")
        constraints = (
            models.UniqueConstraint(
                fields=["end_user", "app", "event_id"], name="one_interruption_an_event_and_end_user"
            ),
        )

    def __str__(self) -> str:
        return self.event_id
