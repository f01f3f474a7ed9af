"""Language models: who is asked, how calls are made, paid and kept."""
