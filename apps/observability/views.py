from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.delivery.node import current_node
from apps.observability.health import readiness


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer, which says that the process does: 200, `ok`."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Say as JSON what this process serves: 200 if it can serve visitors, 503 if not."""
    node = current_node()
    node.follow()
    health = readiness(node)
    return JsonResponse(dict(health.report), status=200 if health.is_ready else 503)
