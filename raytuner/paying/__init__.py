"""The driver's gate of paid calls: rate limits, money set aside, equal calls made once."""
