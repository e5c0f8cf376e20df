"""Whether this process can serve: ``GET /healthz``, and ``python -m gameBoosterss.health`` inside the container."""

import os
import sys
from http.client import HTTPConnection

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@require_safe
@never_cache
def health(request: HttpRequest) -> JsonResponse:
    """200 when the database answers, 503 when it does not; no detail for strangers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "unavailable", "database": "unreachable"}, status=503)
    return JsonResponse({"status": "ok", "database": "ok"})


def probe(port: int = 8000) -> int:
    """Ask the server of this machine; 0 when it is healthy.

    The request names the first allowed host and HTTPS: otherwise production would refuse or redirect it.
    """
    host = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0].strip().lstrip(".")
    line = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        line.request("GET", "/healthz", headers={"Host": host, "X-Forwarded-Proto": "https"})
        return 0 if line.getresponse().status == 200 else 1
    except OSError as error:
        print(f"No answer: {error}", file=sys.stderr)
        return 1
    finally:
        line.close()


if __name__ == "__main__":
    sys.exit(probe())
