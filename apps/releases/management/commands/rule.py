from apps.releases.command_line.rule_exporting import ExportingSubcommands


class Command(ExportingSubcommands):
    help = "Take cache rules to the caches in front of this site, and from them."
