"""Django's settings, all of them from the environment; every default works on a fresh machine."""

import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from cozechat import env as environment
from cozechat import logs

BASE_DIR = Path(__file__).resolve().parent.parent
env = environment.load(BASE_DIR)

# Generated keys, the emulator's memory: nothing in here belongs into version control.
VAR_DIR = Path(env.text("VAR_DIR") or BASE_DIR / "var")

DEBUG: bool = env.bool("DEBUG", default=False)
SECRET_KEY = env.text("SECRET_KEY") or environment.kept_secret(VAR_DIR / "secret_key")
SECRET_KEY_FALLBACKS = env.texts("SECRET_KEY_FALLBACKS")
TOKEN_ENCRYPTION_KEYS = env.texts("TOKEN_ENCRYPTION_KEYS") or [
    environment.kept_secret(VAR_DIR / "token_encryption_key", make=Fernet.generate_key().decode())
]
HOST = env.text("HOST", "127.0.0.1")
PORT = env.int("PORT", default=8000)
ALLOWED_HOSTS = env.texts("ALLOWED_HOSTS") or ["localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = env.texts("CSRF_TRUSTED_ORIGINS")

# --- Coze ---------------------------------------------------------------------------------------------
COZE_API_BASE = env.text("COZE_API_BASE").rstrip("/")
COZE_CLIENT_ID = env.text("COZE_CLIENT_ID")
COZE_PUBLIC_KEY_ID = env.text("COZE_PUBLIC_KEY_ID")
COZE_PRIVATE_KEY = env.text("COZE_PRIVATE_KEY")
# The pair that is to take over: used at once where Coze refuses the other.
COZE_PUBLIC_KEY_ID_NEXT = env.text("COZE_PUBLIC_KEY_ID_NEXT")
COZE_PRIVATE_KEY_NEXT = env.text("COZE_PRIVATE_KEY_NEXT")
# A personal access token instead of an OAuth app, to try things out: for one person alone.
COZE_ACCESS_TOKEN = env.text("COZE_ACCESS_TOKEN")
COZE_WORKFLOW_ID = env.text("COZE_WORKFLOW_ID")
COZE_APP_ID = env.text("COZE_APP_ID")
COZE_BOT_ID = env.text("COZE_BOT_ID")
COZE_JWT_AUDIENCE = env.text("COZE_JWT_AUDIENCE")
COZE_TOKEN_TTL = env.int("COZE_TOKEN_TTL", default=3600)
COZE_TOKEN_MARGIN = 300
COZE_SEND_SESSION_NAME_IN_BODY: bool = env.bool("COZE_SEND_SESSION_NAME_IN_BODY", default=True)
COZE_SEND_ASSERTION_IN_BODY: bool = env.bool("COZE_SEND_ASSERTION_IN_BODY", default=False)
# Who may tell us of events: each one of a list, so that a token can be changed while the old one still counts.
COZE_WEBHOOK_TOKENS = env.texts("COZE_WEBHOOK_TOKEN")
COZE_CALLBACK_VERIFY_TOKENS = env.texts("COZE_CALLBACK_VERIFY_TOKEN")
# A chat fails after so much silence, and after so much of being kept waiting with nothing but signs of life.
COZE_SILENCE_SECONDS = env.seconds("COZE_SILENCE_SECONDS", default=60.0, least=1)
COZE_CONTENT_SECONDS = env.seconds("COZE_CONTENT_SECONDS", default=120.0, least=1)
# Connections of one process to one Coze app: for calls, and for answers; how long one is waited for, and made.
COZE_POOL_SIZE = env.whole("COZE_POOL_SIZE", default=100, least=1, most=10_000)
COZE_STREAM_POOL_SIZE = env.whole("COZE_STREAM_POOL_SIZE", default=200, least=1, most=10_000)
COZE_POOL_TIMEOUT = env.seconds("COZE_POOL_TIMEOUT", default=5.0, most=60)
COZE_CONNECT_TIMEOUT = env.seconds("COZE_CONNECT_TIMEOUT", default=2.5, most=60)
COZE_EMULATOR_PORT = env.int("COZE_EMULATOR_PORT", default=9090)
# With nothing said about Coze at all, the built-in emulator stands in for it.
COZE_EMULATED = not any(
    (
        COZE_API_BASE,
        COZE_CLIENT_ID,
        COZE_PUBLIC_KEY_ID,
        COZE_PRIVATE_KEY,
        COZE_ACCESS_TOKEN,
        COZE_WORKFLOW_ID,
        COZE_APP_ID,
        COZE_BOT_ID,
    )
)
COZE_EMULATOR_DIR = VAR_DIR / "emulator"

# --- KAI: tools over MCP ------------------------------------------------------------------------------
# With nothing said about it beside the emulator, a demo server with coffee tools stands in.
KAI_MCP_URL = env.text("KAI_MCP_URL")
KAI_API_KEY = env.text("KAI_API_KEY")

# --- Limits of one turn -------------------------------------------------------------------------------
# Characters of a question; of sixty thousand the longest still fit into a frame.
TURN_CONTENT_LIMIT = env.whole("TURN_CONTENT_LIMIT", default=32_768, least=1, most=60_000)
# Files beside a question: how large one may be (the server takes no body above 20 MB), how many a bot is given at once,
# which endings are taken, how much one person may keep.
ATTACHMENT_BYTES = env.whole("ATTACHMENT_MB", default=10, least=1, most=19) * 1024 * 1024
ATTACHMENTS_AT_ONCE = env.whole("ATTACHMENTS_AT_ONCE", default=8, least=0, most=20)
ATTACHMENT_ROOM_BYTES = env.whole("ATTACHMENT_ROOM_MB", default=500, least=1) * 1024 * 1024
ATTACHMENT_TYPES = tuple(
    each.strip(" .").lower()
    for each in env.text(
        "ATTACHMENT_TYPES",
        "png,jpg,jpeg,gif,webp,pdf,docx,xlsx,pptx,txt,md,csv,tsv,json,xml,yaml,yml,log,html,css,js,ts,py,java,c,cpp,h,go,rs,sql,sh",
    ).split(",")
    if each.strip(" .")
)
TURN_SECONDS = 600
TURN_ANSWER_LIMIT = 4 * 1024 * 1024
# How a long run is looked up: five minutes in all.
TURN_POLL_SECONDS = env.seconds("TURN_POLL_SECONDS", default=2.0, least=0.1, most=300)
TURN_POLLS = env.whole("TURN_POLLS", default=150, least=1, most=100_000)
# Answers of one user at the same time: all users share Coze's streams.
TURNS_AT_ONCE = env.whole("TURNS_AT_ONCE", default=8, least=1, most=10_000)
# Questions of one user: so many at once, refilled at so many a minute; so many a day. 0: no limit.
TURNS_PER_MINUTE = env.whole("TURNS_PER_MINUTE", default=60)
TURNS_BURST = env.whole("TURNS_BURST", default=10, least=1, most=10_000)
TURNS_PER_DAY = env.whole("TURNS_PER_DAY", default=0)
# For how long a first question that its owner asks again is answered from that owner's own earlier turn. 0: never.
ANSWER_CACHE_SECONDS = env.whole("ANSWER_CACHE_SECONDS", default=0, most=86_400)
# Requests of one user to /api/, in the same way.
API_PER_MINUTE = env.whole("API_PER_MINUTE", default=300)
API_BURST = env.whole("API_BURST", default=60, least=1, most=10_000)
DRAIN_SECONDS = 20

# --- Links to snapshots of conversations --------------------------------------------------------------
# Whether they can be opened without an account, and for how many days at most they work (0: no limit).
SHARE_PUBLIC: bool = env.bool("SHARE_PUBLIC", default=True)
SHARE_MAX_DAYS = env.int("SHARE_MAX_DAYS", default=0)

# --- The gateway --------------------------------------------------------------------------------------
# Pictures travel inside of bodies; the server itself refuses more than 20 MiB.
GATEWAY_MAX_BODY = 16 * 1024 * 1024
# How a long run is looked up: five minutes in all.
GATEWAY_POLL_SECONDS = 2.0
GATEWAY_POLLS = 150
# A status is committed when Coze has begun to answer, or has been silent for so long.
GATEWAY_PEEK_SECONDS = 15.0
GATEWAY_HEARTBEAT_SECONDS = 15.0
# Chats that one process finishes though their clients have left: all, and those of one owner's keys.
GATEWAY_DRAINS = 100
GATEWAY_DRAINS_OF_OWNER = 20
# How long an end user who owns nothing keeps a row.
GATEWAY_END_USER_DAYS = 90

# What opens /diagnostics/ to machines; without it only staff are let in.
DIAGNOSTICS_TOKEN = env.text("DIAGNOSTICS_TOKEN")
# Whether questions on the chat page are paid for, where a price applies. Off: they are written down, and cost nothing.
CHARGE_CHAT: bool = env.bool("CHARGE_CHAT", default=False)

ALLOW_SIGNUP: bool = env.bool("ALLOW_SIGNUP", default=True)
EMAIL_VERIFICATION = env.text("EMAIL_VERIFICATION", "optional")

# --- Visitors -----------------------------------------------------------------------------------------
# Talking without an account: by default where an account that nobody confirms would do as well. A personal access token
# serves one person alone.
ALLOW_VISITORS: bool = env.bool(
    "ALLOW_VISITORS",
    default=ALLOW_SIGNUP and EMAIL_VERIFICATION != "mandatory" and not COZE_ACCESS_TOKEN,
)
# New visitors of one address (IPv6: of one /64) in any hour.
VISITORS_PER_HOUR = env.whole("VISITORS_PER_HOUR", default=60, least=1)
# How long a visitor stays after its tab has said that it closes, and after its tab was heard last.
VISIT_GRACE_SECONDS = 600
VISIT_IDLE_SECONDS = 24 * 3600
# Sites that may show the chat in a frame: https://www.example.com
WIDGET_ORIGINS = env.texts("WIDGET_ORIGINS")
# Hosts whose pictures answers may show: images.example.com, *.example.com. Others are links.
REMOTE_IMAGE_HOSTS = env.texts("REMOTE_IMAGE_HOSTS")
# How long an access token lives that a page gets for Coze's Web Chat SDK; 0: none is given out.
WEB_SDK_TOKEN_SECONDS = env.whole("WEB_SDK_TOKEN_SECONDS", default=900, most=86_399)
WEB_SDK_TOKENS_PER_MINUTE = 10

# --- The audit trail ----------------------------------------------------------------------------------
# How long an event is kept at least; the database refuses to delete it before.
AUDIT_DAYS = env.int("AUDIT_DAYS", default=365)
# Whether a superuser may see the site as somebody else does, for half an hour and without acting.
ALLOW_IMPERSONATION: bool = env.bool("ALLOW_IMPERSONATION", default=False)

# --- The application ----------------------------------------------------------------------------------
INSTALLED_APPS = [
    "daphne",
    "cozechat",
    "cozechat.webhooks",
    "cozechat.monitoring",
    "conversations",
    "cozechat.gateway",
    "accounts",
    "cozechat.usage",
    "cozechat.catalog",
    "cozechat.audit",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "cozechat.audit.apps.AuditedAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "django.forms",  # its templates, for FORM_RENDERER
]

MIDDLEWARE = [
    # Programs that bring events or call /v1/ get nothing that is made for browsers.
    "cozechat.webhooks.entrance.Entrance",
    "cozechat.gateway.entrance.Entrance",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.visitors.VisitorMiddleware",
    "cozechat.access.note_asker",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "cozechat.audit.circumstances.middleware",
    "accounts.seeing.gate.middleware",
]

ROOT_URLCONF = "cozechat.urls"
ASGI_APPLICATION = "cozechat.asgi.application"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "cozechat.context.site",
                "accounts.preferences.context",
            ],
        },
    },
]

# --- Data ---------------------------------------------------------------------------------------------
DATABASES: dict[str, dict[str, Any]] = {
    "default": environment.tuned(
        env.db_url("DATABASE_URL", default="sqlite:///" + str(BASE_DIR / "db.sqlite3")), var_dir=VAR_DIR
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.text("REDIS_URL")
CACHES: dict[str, dict[str, Any]]
CHANNEL_LAYERS: dict[str, dict[str, Any]]
if REDIS_URL:
    CACHES = {
        "default": {
            "BACKEND": "cozechat.patience.PatientCache",
            "LOCATION": REDIS_URL,
            "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
        }
    }
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {
                # A Redis that hangs must not hold up hints for longer than this.
                "hosts": [{"address": REDIS_URL, "socket_timeout": 3, "socket_connect_timeout": 2}],
                # Redis delivers to all of its databases alike: only processes of this very site hear each other.
                "prefix": "cozechat-" + environment.short_digest(SECRET_KEY, urlsplit(REDIS_URL).path),
            },
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# --- Accounts -----------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
# It is a ModelBackend itself; a second one would check every wrong password twice.
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = EMAIL_VERIFICATION
# With optional verification `True` would still answer "already registered" at sign-up.
ACCOUNT_PREVENT_ENUMERATION = "strict"
ACCOUNT_USERNAME_VALIDATORS = "accounts.forms.USERNAME_VALIDATORS"
ACCOUNT_USERNAME_BLACKLIST = [
    "admin", "administrator", "root", "staff", "support", "system", "coze", "cozechat",
    "visitor", "anonymous",
]  # fmt: skip
ACCOUNT_PRESERVE_USERNAME_CASING = True
ACCOUNT_MAX_EMAIL_ADDRESSES = 3
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_CONFIRM_EMAIL_ON_GET = False  # mail scanners follow links
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[CozeChat] "
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0)
MFA_ADAPTER = "accounts.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "CozeChat"
MFA_TOTP_TOLERANCE = 1
MFA_ALLOW_UNVERIFIED_EMAIL = True

DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "CozeChat <noreply@localhost>")
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))

# --- Language, time -----------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
TIME_ZONE = env.text("TIME_ZONE", "UTC")
USE_TZ = True
SITE_NAME = _("CozeChat")

# --- Static files -------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# Until `collectstatic` has run (script/setup does it) files are served from where they lie.
_COLLECTED = not DEBUG and ("collectstatic" in sys.argv or (STATIC_ROOT / "staticfiles.json").is_file())
WHITENOISE_USE_FINDERS = not _COLLECTED
WHITENOISE_AUTOREFRESH = not _COLLECTED
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "cozechat.storage.HashedStaticFiles"
        if _COLLECTED
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# --- Security -----------------------------------------------------------------------------------------
HTTPS: bool = env.bool("HTTPS", default=False)
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = True
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        # Pictures that are about to be sent, and those of a tab without a cookie, are blobs of the page's own.
        "img-src": [SELF, "data:", "blob:", *(f"https://{host}" for host in REMOTE_IMAGE_HOSTS)],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# --- Logs ---------------------------------------------------------------------------------------------
LOGGING = logs.configuration(
    level=env.text("LOG_LEVEL", "INFO"),
    form=env.text("LOG_FORMAT") or logs.form_for_readers(debug=DEBUG),
    access=env.bool("ACCESS_LOG", default=True),
)

# Numbers that cannot be used; the checks refuse them.
MISFIT_SETTINGS = env.misfits
