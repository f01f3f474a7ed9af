"""What objectives and the tuner say to each other about cost, calls, artifacts and texts."""
