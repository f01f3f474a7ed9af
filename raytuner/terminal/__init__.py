"""What a terminal shows: progress, plans, tables and results."""
