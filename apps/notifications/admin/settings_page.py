from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from apps.accounts.models import User
from apps.accounts.services import set_time_zone
from apps.accounts.staff_pages import actor_of, page_of, render
from apps.notifications.admin.forms import SettingsForm
from apps.notifications.kinds import WHO_IS_TOLD
from apps.notifications.selectors import told
from apps.notifications.services.preferences import muted_by, set_muted


def settings_page(request: HttpRequest) -> HttpResponse:
    """Show what a person is told and was told, and their time zone; on POST save what they chose."""
    person, zone = actor_of(request), ZoneInfo(settings.TIME_ZONE).key
    if request.method != "POST":
        chosen = {"time_zone": person.time_zone or "", "told": sorted(set(WHO_IS_TOLD) - muted_by(person))}
        return _show(request, person, SettingsForm(initial=chosen, site_zone=zone))
    form = SettingsForm(request.POST, site_zone=zone)
    if not form.is_valid():
        return _show(request, person, form, status=400)
    _save(person, form.cleaned_data["time_zone"], set(form.cleaned_data["told"]))
    messages.success(request, "Saved. It can be changed again at any time.")
    return HttpResponseRedirect(request.get_full_path())


@transaction.atomic
def _save(person: User, time_zone: str, wanted: set[str]) -> None:
    if time_zone != (person.time_zone or ""):
        set_time_zone(user=person, name=time_zone, actor=person)
    set_muted(person=person, kinds=set(WHO_IS_TOLD) - wanted, actor=person)


def _show(request: HttpRequest, person: User, form: SettingsForm, *, status: int = 200) -> HttpResponse:
    return render(
        request,
        "notifications/settings.html",
        title="My settings",
        status=status,
        form=form,
        has_mail=settings.SENDS_MAIL,
        page=page_of(request, told(person)),
    )
