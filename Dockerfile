# The marketplace on Daphne. Not built by ./dev test: no Docker engine runs there; tests/test_deployment_files.py reads it.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LOG_DIR=/app/logs

WORKDIR /app

# First what changes seldom: the packages, each by its hash.
COPY requirements.txt ./
COPY requirements/app.lock requirements/app.lock
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt

COPY . .

# Collecting needs no secret and no database: DEBUG is off, so the values only have to be there. They are random, and
# in no layer of the image.
RUN SECRET_KEY=$(python -c "import secrets; print(secrets.token_urlsafe(64))") \
        ACCOUNT_KEYS=build:$(python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())") \
        ALLOWED_HOSTS=localhost DATABASE_URL=sqlite://:memory: \
        python manage.py collectstatic --noinput --verbosity 0 \
    && useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin booster \
    && mkdir -p /app/logs \
    && chown -R booster: /app/logs \
    && rm -rf /app/logs/*

USER booster
VOLUME /app/logs
EXPOSE 8000

HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 \
    CMD ["python", "-m", "gameBoosterss.health"]

CMD ["daphne", "-b", "0.0.0.0", "-p", "8000", "gameBoosterss.asgi:application"]
