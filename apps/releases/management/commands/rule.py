from apps.releases.command_line.rule_exporting import ExportingSubcommands
from apps.releases.command_line.rule_importing import ImportingSubcommands


class Command(ExportingSubcommands, ImportingSubcommands):
    help = "Take cache rules to the caches in front of this site, and from other systems."
