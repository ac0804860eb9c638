from whitenoise.middleware import WhiteNoiseMiddleware


class DeliveryMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """Answers published assets on the public door; Django's own static files on the staff door."""
