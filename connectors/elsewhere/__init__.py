"""An account that somebody holds at a mobility service, or in another home, read at their wish."""
