"""Identity by OpenID Connect: what a login tells is *relayed*, with level and time."""
