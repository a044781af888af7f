"""Full-size training of the named systems: what the notebooks do in a minute, at the size of the reports."""
