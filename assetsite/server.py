"""gunicorn's worker for this site: it knows which of the listeners is the staff's."""

from apps.delivery.worker import DeliveryWorker, SocketName
from assetsite import settings
from assetsite.environment import parse_bind
from assetsite.staff_socket import StaffSocket


class Worker(DeliveryWorker):
    """Serves both doors."""

    staff = StaffSocket.between(
        staff=parse_bind(settings.STAFF_BIND), public=parse_bind(settings.PUBLIC_BIND)
    )

    def is_staff(self, socket_name: SocketName) -> bool:
        return self.staff.is_own_name(socket_name)
