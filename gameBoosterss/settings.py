"""Every setting of the marketplace; ``.env.example`` describes each variable that is read here."""

import base64
from datetime import timedelta
from pathlib import Path

from gameBoosterss.env import Environment, SettingError
from gameBoosterss.logs import configuration
from gameBoosterss.private import private_file

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
if not DEBUG and any(key == DEVELOPMENT_KEY or len(key) < 50 for key in SECRET_KEY_FALLBACKS):
    raise SettingError(
        "SECRET_KEY_FALLBACKS",
        "has the key of development, or one shorter than 50 characters, while DEBUG is off",
        "Leave it out: whoever knows it could sign sessions and hints.",
    )
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS")
if not DEBUG and not ALLOWED_HOSTS:
    raise SettingError("ALLOWED_HOSTS", "is not set while DEBUG is off", "For example: boost.example.org")
CSRF_TRUSTED_ORIGINS = env.names("CSRF_TRUSTED_ORIGINS")

# -- Account data of games. The first key seals, all of them open.
DEVELOPMENT_ACCOUNT_KEY = base64.urlsafe_b64encode(b"insecure key of the development!").decode()
ACCOUNT_KEYS = env.sealing_keys("ACCOUNT_KEYS") or ({"development": DEVELOPMENT_ACCOUNT_KEY} if DEBUG else {})
if not DEBUG and (not ACCOUNT_KEYS or DEVELOPMENT_ACCOUNT_KEY in ACCOUNT_KEYS.values()):
    raise SettingError(
        "ACCOUNT_KEYS",
        "is not set, or has the key of development, while DEBUG is off",
        "Make one: python -c \"from cryptography.fernet import Fernet as F; print('a:' + F.generate_key().decode())\".",
    )
ACCOUNT_DAYS = env.number("ACCOUNT_DAYS", default=7)  # after the end of an order, until vault_erase erases
ADDRESS_DAYS = env.number("ADDRESS_DAYS", default=90)  # of who read it, and of failed log-ins: the same command

# -- Apps. The order is that of the floors, ground floor last.
INSTALLED_APPS = [
    "daphne",  # first: it takes over runserver
    "accounts.apps.StaffSiteConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "axes",
    "rules.apps.AutodiscoverRulesConfig",
    "dashboards",
    "games.league_of_legends",
    "wallet",
    "vault",
    "orders",
    "accounts.apps.AccountsConfig",
    "realtime.apps.RealtimeConfig",
]

MIDDLEWARE = [
    "gameBoosterss.headers.for_every_answer",
    "gameBoosterss.headers.kept_by_nobody",
    "django.middleware.security.SecurityMiddleware",
    "gameBoosterss.files.StaticFiles",
    "csp.middleware.CSPMiddleware",
    "realtime.text.TextMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "realtime.credentials.CredentialsMiddleware",
    "realtime.actor.ActorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
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
    if ":memory:" not in str(DATABASE["NAME"]):
        private_file(Path(DATABASE["NAME"]))
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
    "TOKEN_PATHS": ["/api/"],  # no page and no admin site
    "TRUSTED_PROXIES": env.networks("TRUSTED_PROXIES"),
    "VISIBILITY": env.choice("REALTIME_VISIBILITY", ("masked", "open"), default="masked"),
}

# -- People.
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: it stops whoever tried too often
    "rules.permissions.ObjectPermissionBackend",
    "django.contrib.auth.backends.ModelBackend",
]
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

# -- Failed log-ins count for a name *and* an address: nobody locks another person out from elsewhere.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = env.number("LOGIN_TRIES", default=5, least=1)
AXES_COOLOFF_TIME = timedelta(minutes=env.number("LOGIN_COOLOFF_MINUTES", default=15, least=1))
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # who tries meanwhile does not wait longer
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "accounts.address.address_of"
AXES_LOCKOUT_CALLABLE = "accounts.lockout.locked_out"
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "password", "csrfmiddlewaretoken"]

# -- The line to the browser. HTTPS=0 is for a trial on http://localhost.
HTTPS = env.flag("HTTPS", default=not DEBUG)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
if HTTPS:  # browsers take such a name from this host alone, over HTTPS: no other subdomain can put a session there
    SESSION_COOKIE_NAME = "__Host-sessionid"
SECURE_HSTS_SECONDS = env.number("HSTS_SECONDS", default=31_536_000) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.flag("HSTS_SUBDOMAINS", default=True)
SECURE_HSTS_PRELOAD = env.flag("HSTS_PRELOAD", default=False)
SECURE_REFERRER_POLICY = SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
# Preloading puts a domain into browsers for months: its owner decides, and no check shall ask for it.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
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
