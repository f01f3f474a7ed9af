"""Domains, conditions and constraints: the parts of a search space, and how studies spell them."""
