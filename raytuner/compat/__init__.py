"""The tuners of others by their own names: LlamaIndex's and AutoGen's, drop-in."""
