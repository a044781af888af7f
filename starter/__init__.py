"""Your half of the course: fill the blanks of these modules, and check them from a notebook or a shell."""
