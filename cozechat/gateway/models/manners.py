"""How the gateway treats an assistant, where the defaults do not fit."""

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from cozechat.catalog.models import Assistant


class Manners(models.Model):
    """The stated policies of one assistant; without a row the defaults hold."""

    class SystemMessages(models.TextChoices):
        """What becomes of system messages, which Coze does not know."""

        PREPEND = "prepend", _("put before the first question")
        VARIABLE = "variable", _("passed in a variable")
        REJECT = "reject", _("refused")

    class OnDisconnect(models.TextChoices):
        """What happens when the client leaves before the end."""

        DRAIN = "drain", _("the answer is finished and charged")
        CANCEL = "cancel", _("the chat is cancelled at Coze, what was said is charged")

    assistant = models.OneToOneField(
        Assistant, on_delete=models.CASCADE, related_name="manners", verbose_name=_("assistant")
    )
    system_messages = models.CharField(
        _("system messages"), max_length=8, choices=SystemMessages.choices, default=SystemMessages.PREPEND
    )
    system_variable = models.CharField(
        _("variable of system messages"), max_length=100, blank=True, default="SYSTEM_PROMPT"
    )
    on_disconnect = models.CharField(
        _("when the client leaves"),
        max_length=6,
        choices=OnDisconnect.choices,
        default=OnDisconnect.DRAIN,
        help_text=_("A run cannot be cancelled at Coze: it is always finished."),
    )
    input_name = models.CharField(
        _("input parameter"),
        max_length=100,
        blank=True,
        help_text=_("Of a run. Empty: BOT_USER_INPUT for coze-workflow, input for the others."),
    )
    drops_empty = models.BooleanField(
        _("leaves empty parameters out"), default=True, help_text=_("Coze refuses some that are empty.")
    )
    usual_output = models.PositiveIntegerField(
        _("usual output tokens"),
        default=1024,
        validators=[MinValueValidator(1)],
        help_text=_("Set aside when a call does not say how much it wants at most."),
    )
    most_output = models.PositiveIntegerField(
        _("most output tokens"),
        default=8192,
        validators=[MinValueValidator(1)],
        help_text=_("Never is more set aside."),
    )

    class Meta:
        verbose_name = _("gateway settings of an assistant")
        verbose_name_plural = _("gateway settings of assistants")
        constraints = (
            models.CheckConstraint(
                condition=~models.Q(system_messages="variable") | ~models.Q(system_variable=""),
                name="system_messages_have_their_variable",
                violation_error_message=_("Name the variable that system messages are passed in."),
            ),
        )

    def __str__(self) -> str:
        return str(self.assistant)
