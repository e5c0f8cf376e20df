"""Every setting of the marketplace; ``.env.example`` describes each variable that is read here."""

from pathlib import Path

from gameBoosterss.env import Environment, SettingError
from gameBoosterss.logs import configuration

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()

# -- Where it runs. ./dev sets DEBUG; everywhere else it is off unless asked for.
DEBUG = env.flag("DEBUG", default=False)
DEVELOPMENT_KEY = "insecure-development-key-which-production-refuses-to-start-with"
SECRET_KEY = env.text("SECRET_KEY", default=DEVELOPMENT_KEY)
if not DEBUG and (SECRET_KEY == DEVELOPMENT_KEY or len(SECRET_KEY) < 50):
    raise SettingError(
        "SECRET_KEY",
        "is not set, or shorter than 50 characters, while DEBUG is off",
        'Make one: python -c "import secrets; print(secrets.token_urlsafe(64))". For development use ./dev.',
    )
SECRET_KEY_FALLBACKS = env.names("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS")
if not DEBUG and not ALLOWED_HOSTS:
    raise SettingError("ALLOWED_HOSTS", "is not set while DEBUG is off", "For example: boost.example.org")
CSRF_TRUSTED_ORIGINS = env.names("CSRF_TRUSTED_ORIGINS")

# -- Apps. The order is that of the floors, ground floor last.
INSTALLED_APPS = [
    "daphne",  # first: it takes over runserver
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "rules.apps.AutodiscoverRulesConfig",
    "dashboards",
    "games.league_of_legends",
    "wallet",
    "orders",
    "accounts",
    "realtime.apps.RealtimeConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "gameBoosterss.files.StaticFiles",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "realtime.bearer.BearerMiddleware",
    "realtime.actor.ActorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "gameBoosterss.urls"
ASGI_APPLICATION = "gameBoosterss.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# -- Database.
DATABASES = {
    "default": env.database("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'var' / 'db.sqlite3'}" if DEBUG else "")
}
DATABASE = DATABASES["default"]
if DATABASE["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE: 734 of 800 transactions that read before they write fail without it, none with it.
    DATABASE["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    DATABASE["CONN_HEALTH_CHECKS"] = True
    # Under ASGI a connection belongs to a thread of a small pool: keep it, but not for ever.
    DATABASE["CONN_MAX_AGE"] = env.number("DATABASE_MAX_AGE", default=60)
    pool = env.number("DATABASE_POOL", default=0)
    if pool:  # psycopg's own pool; Django wants CONN_MAX_AGE 0 with it
        DATABASE["CONN_MAX_AGE"] = 0
        DATABASE.setdefault("OPTIONS", {})["pool"] = {"min_size": 1, "max_size": pool, "timeout": 10}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# -- The channel layer carries hints between processes; the database is the truth.
REDIS_URL = env.redis()
CHANNEL_LAYER = env.choice("CHANNEL_LAYER", ("pubsub", "core"), default="pubsub")
LAYERS = {
    "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
    "core": "channels_redis.core.RedisChannelLayer",
}
CHANNEL_LAYERS: dict[str, dict[str, object]] = (
    {
        "default": {
            "BACKEND": LAYERS[CHANNEL_LAYER],
            # The core layer's blocking read takes 5 s, and so does redis-py's patience: it would drop idle sockets.
            "CONFIG": {
                "hosts": [{"address": REDIS_URL, "socket_timeout": None}],
                "prefix": env.text("CHANNEL_PREFIX", default="asgi"),
            },
        }
    }
    if REDIS_URL
    else {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
)
REALTIME: dict[str, object] = {
    "BROKER": "realtime.brokers.channel_layer.ChannelLayerBroker"
    if REDIS_URL
    else "realtime.brokers.memory.MemoryBroker",
    "LIMITS": "loopback" if env.choice("REALTIME_LIMITS", ("on", "loopback"), default="on") == "loopback" else {},
    "TOKEN_KEYS": env.keys("TOKEN_KEYS"),
    "TRUSTED_PROXIES": env.networks("TRUSTED_PROXIES"),
    "VISIBILITY": env.choice("REALTIME_VISIBILITY", ("masked", "open"), default="masked"),
}

# -- People.
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["rules.permissions.ObjectPermissionBackend", "django.contrib.auth.backends.ModelBackend"]
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = LOGIN_URL
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# -- The line to the browser. HTTPS=0 is for a trial on http://localhost.
HTTPS = env.flag("HTTPS", default=not DEBUG)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = env.number("HSTS_SECONDS", default=31_536_000) if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
# No inline script and no inline style: what somebody writes into a note can be neither.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],  # Pico draws its arrows and ticks so
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
if env.flag("TRUST_PROXY", default=False):  # only behind a proxy that overwrites the header
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# -- Files. WhiteNoise serves collected files; in DEBUG Django's finders do.
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "gameBoosterss.storage.HashedFiles"
    },
}

# -- Words and time.
LANGUAGE_CODE = "en"
USE_I18N = True
TIME_ZONE = "UTC"
USE_TZ = True

# -- Logs.
LOG_LEVEL = env.choice("LOG_LEVEL", ("DEBUG", "INFO", "ERROR"), default="INFO")
LOGGING = configuration(folder=Path(env.text("LOG_DIR", default=str(BASE_DIR / "var" / "log"))), level=LOG_LEVEL)
