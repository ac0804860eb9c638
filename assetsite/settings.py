"""Settings: one file, read from the environment. docs/settings.md lists what may be set."""

from pathlib import Path
from urllib.parse import urlsplit

import environ

from assetsite.environment import (
    data_folder,
    kept_secret,
    mailers,
    parse_bind,
    parse_channel_hosts,
    parse_key,
    parse_networks,
    parse_preview_domain,
    parse_public_urls,
    signing_key,
    storage_backend,
)
from assetsite.log_filters import is_no_answer_to_a_probe

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

DATA_DIR = data_folder(env.str("DATA_DIR", default=str(BASE_DIR / "data")))
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or kept_secret(DATA_DIR / "secret.key")

# What pointers and publications are signed with (apps.releases.history.signing);
# without it, DATA_DIR/signing.key
SIGNING_KEY = signing_key(env.str("SIGNING_KEY", default=""), secret_key=env.str("SECRET_KEY", default=""))
SIGNING_TRUSTED_KEYS = [
    parse_key(key, variable="SIGNING_TRUSTED_KEYS") for key in env.list("SIGNING_TRUSTED_KEYS", default=[])
]

# The two doors
PUBLIC_BIND = env.str("PUBLIC_BIND", default="127.0.0.1:8000")
STAFF_BIND = env.str("STAFF_BIND", default="127.0.0.1:8001")
WEB_CONCURRENCY = env.int("WEB_CONCURRENCY", default=3)
PINNED_HOSTS = parse_channel_hosts(env.str("CHANNEL_HOSTS", default=""))  # whatever is written down
CHANNEL_HOSTS = PINNED_HOSTS or parse_channel_hosts("production=localhost,127.0.0.1,[::1]")
PREVIEW_DOMAIN, PREVIEW_URL = parse_preview_domain(
    env.str("PREVIEW_DOMAIN", default="preview.localhost"), public=parse_bind(PUBLIC_BIND)
)
GUNICORN_WORKER = env.str("GUNICORN_WORKER", default="delivery")  # or threads
BODY_CACHE_BYTES = env.int("BODY_CACHE_BYTES", default=32 << 20)  # in each worker
NODE_CACHE_BYTES = env.int("NODE_CACHE_BYTES", default=10 << 30)  # of what was fetched from a bucket
ACCESS_LOG = env.str("ACCESS_LOG", default="")  # a file, or - for standard output
FORWARDED_ALLOW_IPS = env.str("FORWARDED_ALLOW_IPS", default="")
STAFF_URL = env.str("STAFF_URL", default=f"http://localhost:{parse_bind(STAFF_BIND).port or 8001}")

# Hosts are told apart by door: assetsite.doors checks the staff door's, apps.delivery the public one's.
STAFF_HOSTS = ["localhost", "127.0.0.1", "[::1]", *filter(None, [urlsplit(STAFF_URL).hostname])]
ALLOWED_HOSTS = ["*"]
CSRF_TRUSTED_ORIGINS = [STAFF_URL]

INSTALLED_APPS = [
    "assetsite",
    "apps.observability",
    "apps.delivery",
    "apps.imports",
    "apps.notifications",
    "apps.releases",
    "apps.assets",
    "apps.caching",
    "apps.jobs",
    "apps.accounts",
    "apps.audit",
    "django_tasks_db",
    "axes",
    "assetsite.staff_pages.StaffPagesConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "assetsite.doors.DoorMiddleware",
    "apps.delivery.middleware.DeliveryMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "assetsite.storable_text.StorableTextMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "assetsite.reader_time.ReaderTimeMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

# A request whose door is not known is a visitor's: the staff URLs have to be asked for (assetsite.doors).
ROOT_URLCONF = "assetsite.urls.public"
STAFF_URLCONF = "assetsite.urls.staff"
WSGI_APPLICATION = "assetsite.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.csp",
            ],
        },
    },
]

# Data
DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'assetsite.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # Writers queue at BEGIN instead of failing half-way; a commit is on disk when it returns.
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16384;",
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 3)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Telling people: mail is sent where there is a server for it, and webhooks go to public addresses
MAILERS = mailers(env.str("EMAIL_URL", default=""))
SENDS_MAIL = bool(env.str("EMAIL_URL", default=""))
EMAIL_FROM = env.str("EMAIL_FROM", default=f"assetsite@{urlsplit(STAFF_URL).hostname or 'localhost'}")
NOTIFICATIONS_KEPT_DAYS = env.int("NOTIFICATIONS_KEPT_DAYS", default=90)
UNNEEDED_KEPT_DAYS = env.int("UNNEEDED_KEPT_DAYS", default=7)
WEBHOOK_NETWORKS = parse_networks(env.str("WEBHOOK_NETWORKS", default=""))
PUBLIC_URLS = parse_public_urls(env.str("PUBLIC_URLS", default=""))  # where visitors get each channel
PURGE_URLS = env.str("PURGE_URLS", default="")  # read by apps.caching.purging: it may hold secrets

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "blobs": storage_backend(env.str("STORAGE_URL", default=""), default_folder=DATA_DIR / "storage"),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default"]}}

# People
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False  # it would greet in every command
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

SESSION_COOKIE_NAME = "assetsite_session"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = STAFF_URL.startswith("https:")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
}

# Django's and the admin's own static files, on the staff door
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "assetsite" / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.str("TIME_ZONE", default="UTC")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s",
        },
        "plain": {"format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s"},
    },
    "filters": {
        "without_probes": {"()": "django.utils.log.CallbackFilter", "callback": is_no_answer_to_a_probe},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": env.str("LOG_FORMAT", default="plain"),
        },
    },
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        # Django gives its own logger a level, past which the root's would not count.
        "django": {"level": env.str("LOG_LEVEL", default="INFO")},
        "django.request": {"filters": ["without_probes"]},
        # Two lines for each job say less than the job's own row.
        "django.tasks": {"level": "WARNING"},
    },
}
