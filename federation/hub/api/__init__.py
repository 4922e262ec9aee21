"""HTTP of the hub: parse, one service call, shape the answer."""
