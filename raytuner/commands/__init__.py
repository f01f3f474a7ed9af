"""The commands beside `check`, `run` and `status`, one module each."""
