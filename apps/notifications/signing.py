"""How a receiver knows that a webhook is ours: HMAC-SHA256 over the time and the body."""

import hashlib
import hmac

HEADER = "Assetsite-Signature"


def signature_header(secret: str, *, at: int, body: bytes) -> str:
    """Return `t=<seconds since 1970>,v1=<hex>`: the HMAC-SHA256, with the secret, of `<t>.<body>`."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"
