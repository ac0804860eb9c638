from apps.releases.command_line.channel_freezing import FreezingSubcommands
from apps.releases.command_line.channel_holding import HoldingSubcommands
from apps.releases.command_line.channel_making import MakingSubcommands
from apps.releases.command_line.channel_proposing import ProposingSubcommands
from apps.releases.command_line.channel_reading import ReadingChannelSubcommands
from apps.releases.command_line.channel_setting import SettingSubcommands


class Command(
    ReadingChannelSubcommands,
    MakingSubcommands,
    SettingSubcommands,
    ProposingSubcommands,
    FreezingSubcommands,
    HoldingSubcommands,
):
    help = "Make channels, show what they serve, set what they ask for, freeze them and put them on hold."
    reads = "releases.view_channel"
