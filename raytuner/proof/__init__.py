"""The statistics behind a verdict: who is compared, on which questions, and what that shows."""
