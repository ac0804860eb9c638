"""How the staff's pages say what is scheduled."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.releases.channels.schedule_life import when
from apps.releases.models import Schedule

register = template.Library()

_ICONS = {
    Schedule.State.WAITING: "◷",
    Schedule.State.DONE: "✓",
    Schedule.State.LATE: "✓",
    Schedule.State.FAILED: "✕",
    Schedule.State.CANCELLED: "⊘",
}
_COLOURS = {
    Schedule.State.FAILED: "rejected",
    Schedule.State.DONE: "published",
    Schedule.State.LATE: "published",
}


@register.simple_tag
def schedule_state(schedule: Schedule) -> SafeString:
    """Show the state of a schedule as icon and word."""
    state = Schedule.State(schedule.state)
    return format_html(
        '<span class="state state-{}"><span aria-hidden="true">{}</span> {}</span>',
        _COLOURS.get(state, "withdrawn"),
        _ICONS[state],
        schedule.get_state_display(),
    )


register.filter("when", when)
