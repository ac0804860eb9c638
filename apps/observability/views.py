from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from apps.delivery.node import current_node
from apps.observability.database import DatabaseProbe
from apps.observability.health import readiness
from apps.releases.history.signing import trusted_keys

_database = DatabaseProbe()


@cache_control(no_store=True)  # its 405 too
@csrf_exempt  # it takes no POST at all, and says so with 405
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer, which says that the process does: 200, `ok`."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@cache_control(no_store=True)
@csrf_exempt
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Say as JSON what this process serves: 200 if it can serve visitors, 503 if not."""
    node = current_node()
    node.follow()
    health = readiness(node, _database)
    status = 200 if health.is_ready else 503
    return JsonResponse(dict(health.report), status=status)


@cache_control(no_store=True)
@csrf_exempt
@require_safe
def keys(request: HttpRequest) -> HttpResponse:
    """Say as JSON with which public keys pointers and publications are verified, the one in use first."""
    found = [{"key": key.id, "ed25519": key.text, "pem": key.pem} for key in trusted_keys().values()]
    return JsonResponse({"keys": found})
