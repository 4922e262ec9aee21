"""Files of places and trips that people already have."""
