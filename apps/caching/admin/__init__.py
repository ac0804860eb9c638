from apps.caching.admin.rules import CacheRuleAdmin

__all__ = ["CacheRuleAdmin"]
