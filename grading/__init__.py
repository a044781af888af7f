"""What instructors and maintainers run: python -m grading --help."""
