"""What an operator offers, read from the standards in which it says so: GBFS, TOMP, GTFS. Nothing
of a person is asked or sent."""
