"""Django, as far as Channels needs it: no database, no sessions, and the channel layer with its default capacity of 100."""

import os

from redis.asyncio import UnixDomainSocketConnection

# A URL, or the path of a Unix socket.
REDIS = os.environ["SAYSO_PEERS_REDIS"]
HOST = {"address": REDIS} if "://" in REDIS else {"connection_class": UnixDomainSocketConnection, "path": REDIS}

SECRET_KEY = "needed by Django, used for nothing here"
INSTALLED_APPS = ["daphne", "channels"]
ALLOWED_HOSTS = ["127.0.0.1"]
ASGI_APPLICATION = "asgi.application"
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            # The client's default is the 5 s that Channels waits for a message: whoever receives none would be disconnected.
            "hosts": [{**HOST, "socket_timeout": None}],
        },
    },
}
