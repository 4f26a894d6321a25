"""Django, as far as Channels needs it: no database, no sessions, and the channel layer with its default capacity of 100."""

import os

from redis.asyncio import UnixDomainSocketConnection

SECRET_KEY = "needed by Django, used for nothing here"
INSTALLED_APPS = ["daphne", "channels"]
ALLOWED_HOSTS = ["127.0.0.1"]
ASGI_APPLICATION = "asgi.application"
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            "hosts": [{"connection_class": UnixDomainSocketConnection, "path": os.environ["SAYSO_PEERS_REDIS"]}],
        },
    },
}
