from apps.releases.command_line.channel_holding import HoldingSubcommands
from apps.releases.command_line.channel_reading import ReadingChannelSubcommands
from apps.releases.command_line.channel_setting import SettingSubcommands


class Command(ReadingChannelSubcommands, SettingSubcommands, HoldingSubcommands):
    help = "Show what channels serve, set what they ask for, and put them on hold."
