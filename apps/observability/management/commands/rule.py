from apps.caching.command_line.reading import ReadingSubcommands
from apps.caching.command_line.writing import WritingSubcommands
from apps.observability.command_line import MeasuredSubcommands
from apps.releases.command_line.rule_drift import DriftSubcommands
from apps.releases.command_line.rule_examples import ExamplesSubcommands
from apps.releases.command_line.rule_exporting import ExportingSubcommands
from apps.releases.command_line.rule_importing import ImportingSubcommands
from apps.releases.command_line.rule_releasing import ReleasingSubcommands


class Command(
    ReadingSubcommands,
    WritingSubcommands,
    ReleasingSubcommands,
    ExamplesSubcommands,
    DriftSubcommands,
    MeasuredSubcommands,
    ExportingSubcommands,
    ImportingSubcommands,
):
    help = "Read, check, try, measure and write cache rules, and take them to other systems, and from them."
    reads = "caching.view_cacherule"
