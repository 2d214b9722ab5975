"""Coze apps (credentials) and assistants (what a person picks)."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator, URLValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from cozechat.catalog.inputs import TEXTS, Input, Type, known
from cozechat.coze.credentials import Credentials, KeyPair
from cozechat.encryption import EncryptedTextField


class CozeApp(models.Model):
    """One set of Coze credentials with its host (a 渠道).

    The row whose source is the environment holds no key: its credentials stand in the settings, or are the
    emulator's, and are read from there each time.
    """

    class Source(models.TextChoices):
        """Where the credentials come from."""

        ENVIRONMENT = "environment", _("environment")
        ADMIN = "admin", _("admin")

    name = models.CharField(_("name"), max_length=100, unique=True)
    source = models.CharField(
        _("source"), max_length=12, choices=Source.choices, default=Source.ADMIN, editable=False
    )
    base_url = models.CharField(
        _("base URL"),
        max_length=200,
        blank=True,
        validators=[URLValidator(schemes=["http", "https"])],
        help_text=_("https://api.coze.cn or https://api.coze.com"),
    )
    client_id = models.CharField(_("client id"), max_length=64, blank=True)
    public_key_id = models.CharField(_("public key id"), max_length=128, blank=True)
    private_key = EncryptedTextField(_("private key"), blank=True, default="")
    # The pair that is to take over, or the one that had to go: of the same OAuth app, and used where Coze refuses the
    # other. It stands in the row because credentials are needed where the database cannot be asked.
    other_public_key_id = models.CharField(
        _("other public key id"), max_length=128, blank=True, default="", editable=False
    )
    other_private_key = EncryptedTextField(_("other private key"), blank=True, default="", editable=False)
    other_is_former = models.BooleanField(_("the other key is the former one"), default=False, editable=False)
    key_refusal = models.CharField(
        _("why the key in use was refused"), max_length=300, blank=True, default="", editable=False
    )
    key_refused_at = models.DateTimeField(_("refused"), null=True, blank=True, editable=False)
    personal_token = EncryptedTextField(_("personal access token"), blank=True, default="")
    audience = models.CharField(
        _("JWT audience"), max_length=200, blank=True, help_text=_("Empty: the base URL's host.")
    )
    token_ttl = models.PositiveIntegerField(_("token life in seconds"), default=3600)
    send_session_name_in_body = models.BooleanField(_("session_name in every payload"), default=True)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("Coze app")
        verbose_name_plural = _("Coze apps")
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(
                fields=["source"], condition=models.Q(source="environment"), name="one_environment_app"
            ),
            models.CheckConstraint(
                condition=models.Q(personal_token="") | models.Q(private_key="", other_private_key=""),
                name="app_has_a_key_or_a_personal_token",
                violation_error_message=_(
                    "An app signs in with its key or with a personal access token, not both."
                ),
            ),
            models.CheckConstraint(
                condition=models.Q(token_ttl__gte=60, token_ttl__lte=86_399), name="token_ttl_that_coze_takes"
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def other_key(self) -> KeyPair | None:
        """The second pair, if there is one that can be read."""
        if not self.other_public_key_id or not self.other_private_key:
            return None
        return KeyPair(self.other_public_key_id, self.other_private_key)

    def stored_credentials(self) -> Credentials:
        """The credentials that this row itself holds."""
        return Credentials(
            base_url=self.base_url.rstrip("/"),
            client_id=self.client_id,
            public_key_id=self.public_key_id,
            private_key=self.private_key or "",
            audience=self.audience or None,
            send_session_name_in_body=self.send_session_name_in_body,
            assertion_in_body=settings.COZE_SEND_ASSERTION_IN_BODY,
            other_key=self.other_key,
            personal_token=self.personal_token or "",
        )


class AssistantQuerySet(models.QuerySet["Assistant"]):
    """Questions to the list of assistants."""

    def active(self) -> "AssistantQuerySet":
        """Those that are switched on, with their apps, in the order of the list."""
        return (
            self.filter(is_active=True, app__is_active=True).select_related("app").order_by("position", "pk")
        )

    def offered(self) -> "AssistantQuerySet":
        """Those that a person can pick now."""
        return self.active()

    def talkative(self) -> "AssistantQuerySet":
        """Those that a conversation can be had with, the first being the default."""
        return self.active().filter(kind__in=Assistant.TALKATIVE)


class Assistant(models.Model):
    """What a person picks and a gateway `model` means."""

    class Kind(models.TextChoices):
        """How Coze is asked."""

        CHAT_WORKFLOW = "chat_workflow", _("chat workflow")
        BOT = "bot", _("bot")
        WORKFLOW_RUN = "workflow_run", _("workflow run")
        LONG_WORKFLOW_RUN = "long_workflow_run", _("long workflow run")

    # Kinds that a conversation can be had with, and those that remember nothing of the run before.
    TALKATIVE = (Kind.CHAT_WORKFLOW, Kind.BOT)
    RUNS = (Kind.WORKFLOW_RUN, Kind.LONG_WORKFLOW_RUN)

    app = models.ForeignKey(
        CozeApp, on_delete=models.PROTECT, related_name="assistants", verbose_name=_("Coze app")
    )
    name = models.CharField(_("name"), max_length=100)
    description = models.CharField(_("description"), max_length=300, blank=True)
    suggestions = models.JSONField(_("questions to try"), default=list, blank=True)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices, default=Kind.CHAT_WORKFLOW)
    gateway_name = models.CharField(
        _("gateway name"),
        max_length=100,
        blank=True,
        validators=[RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9._/-]*\Z")],
        help_text=_("What API clients write as the model; empty: no plain name leads here."),
    )
    workflow_id = models.CharField(
        _("workflow id"), max_length=32, blank=True, help_text=_("Everything but a bot has one.")
    )
    coze_app_id = models.CharField(
        _("Coze app id"), max_length=32, blank=True, help_text=_("Or a bot id, not both.")
    )
    bot_id = models.CharField(_("bot id"), max_length=32, blank=True)
    inputs = models.JSONField(_("inputs of a run"), default=list, blank=True, db_default=[])
    is_streamed = models.BooleanField(
        _("streamed"),
        default=True,
        db_default=True,
        help_text=_(
            "A workflow run shows its nodes and words as they come. Off: its result is waited for, "
            "at most 90 seconds."
        ),
    )
    position = models.PositiveIntegerField(_("position"), default=100)
    is_active = models.BooleanField(_("active"), default=True)

    objects = AssistantQuerySet.as_manager()

    class Meta:
        verbose_name = _("assistant")
        verbose_name_plural = _("assistants")
        ordering = ("position", "pk")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(kind="chat_workflow")
                & ~models.Q(workflow_id="")
                & (models.Q(coze_app_id="") ^ models.Q(bot_id=""))
                | models.Q(kind="bot", workflow_id="", coze_app_id="") & ~models.Q(bot_id="")
                | models.Q(kind__in=["workflow_run", "long_workflow_run"])
                & ~models.Q(workflow_id="")
                & (models.Q(coze_app_id="") | models.Q(bot_id="")),
                name="assistant_has_the_ids_of_its_kind",
                violation_error_message=_(
                    "A chat workflow needs its id and either an app id or a bot id, a bot its bot id alone, "
                    "a run its workflow id and at most one of the others."
                ),
            ),
            models.UniqueConstraint(
                fields=["gateway_name"],
                condition=~models.Q(gateway_name=""),
                name="one_assistant_a_gateway_name",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def can_be_asked(self) -> bool:
        """Whether neither it nor its app is switched off."""
        return self.is_active and self.app.is_active

    @property
    def is_run(self) -> bool:
        """Whether each question to it begins something of its own."""
        return self.kind in self.RUNS

    @property
    def wanted(self) -> tuple[Input, ...]:
        """What a run is given; words alone where nothing is declared."""
        if not self.is_run:
            return ()
        return known(self.inputs) or (Input(name="input", type=Type.LONG_TEXT, is_required=True),)

    @property
    def takes_words(self) -> bool:
        """Whether a message is all that it needs: then there is no form."""
        return not self.is_run or (len(self.wanted) == 1 and self.wanted[0].type in TEXTS)

    @property
    def file_input(self) -> str:
        """Of a chat workflow: the input of its start node that a person's file goes into; "" where it takes none."""
        is_chatflow = self.kind == self.Kind.CHAT_WORKFLOW
        files = [each.name for each in known(self.inputs) if each.type == Type.FILE] if is_chatflow else []
        return files[0] if files else ""

    @property
    def files_at_most(self) -> int:
        """How many files a question to it may have."""
        if self.kind == self.Kind.BOT:
            return int(settings.ATTACHMENTS_AT_ONCE)
        return 1 if self.file_input else 0


class KaiToolQuerySet(models.QuerySet["KaiTool"]):
    """Questions to the list of tools."""

    def allowed(self) -> "KaiToolQuerySet":
        """Those that assistants may have invoked."""
        return self.filter(allowed=True)


class KaiTool(models.Model):
    """A tool of the KAI server: whether assistants may have it invoked, and how long it may take.

    What the server says of a tool changes nothing of that: a tool that it adds is not allowed until somebody
    allows it here.
    """

    name = models.CharField(_("name"), max_length=128, unique=True)
    allowed = models.BooleanField(
        _("allowed"), default=False, help_text=_("Assistants may have it invoked for whoever talks to them.")
    )
    timeout_seconds = models.FloatField(
        _("time limit in seconds"),
        default=30,
        validators=[MinValueValidator(0.1), MaxValueValidator(300)],
    )
    title = models.CharField(_("title"), max_length=200, blank=True, help_text=_("What people read."))
    description = models.TextField(_("description"), blank=True, editable=False)
    schema = models.JSONField(_("schema of its payload"), default=dict, blank=True, editable=False)
    seen_at = models.DateTimeField(_("last offered"), null=True, blank=True, editable=False)

    objects = KaiToolQuerySet.as_manager()

    class Meta:
        verbose_name = _("KAI tool")
        verbose_name_plural = _("KAI tools")
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(timeout_seconds__gte=0.1, timeout_seconds__lte=300),
                name="a_tool_has_a_time_limit",
            ),
        )

    def __str__(self) -> str:
        return self.title or self.name
