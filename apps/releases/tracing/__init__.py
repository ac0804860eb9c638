"""Why an address answers as it does: which rule and condition, whose decision, since when. Only reads."""
