"""A study's record before the verdict: who meets on held-out questions, and what they prove."""
