"""Studies that people evaluate: what they enter, and what they rate."""
