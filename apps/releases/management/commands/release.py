from apps.releases.command_line.checking import CheckingSubcommands
from apps.releases.command_line.comparing import ComparingSubcommands
from apps.releases.command_line.conversation import ConversationSubcommands
from apps.releases.command_line.drafting import DraftingSubcommands
from apps.releases.command_line.drills import DrillSubcommands
from apps.releases.command_line.history import HistorySubcommands
from apps.releases.command_line.previewing import PreviewingSubcommands
from apps.releases.command_line.publishing import PublishingSubcommands
from apps.releases.command_line.reading import ReadingSubcommands
from apps.releases.command_line.receipts import ReceiptSubcommands
from apps.releases.command_line.replaying import ReplayingSubcommands
from apps.releases.command_line.reviewing import ReviewingSubcommands
from apps.releases.command_line.scheduling import SchedulingSubcommands


class Command(
    ReadingSubcommands,
    ComparingSubcommands,
    DraftingSubcommands,
    ReviewingSubcommands,
    CheckingSubcommands,
    ConversationSubcommands,
    ReplayingSubcommands,
    PreviewingSubcommands,
    PublishingSubcommands,
    SchedulingSubcommands,
    HistorySubcommands,
    ReceiptSubcommands,
    DrillSubcommands,
):
    help = "List, review, publish and roll back releases."
    reads = "releases.view_release"
