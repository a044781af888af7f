"""The reference answers, written by hand: the single source of starter/*.py. Learners never get this folder."""
