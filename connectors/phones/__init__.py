"""Apps people already have on their phones: OwnTracks, Overland, Traccar Client, GPSLogger."""
