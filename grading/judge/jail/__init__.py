"""A jail for strangers' Python on Linux: `outside` starts a process in it, `inside` shuts each of its children in.

Two walls. The outer one is bubblewrap's: a process that serves many questions sees the interpreter, its libraries and
one folder, and neither a home nor a network. The inner one is raised by every child of that process around itself,
before it runs a stranger's first line: no trace of the others is in reach, and none of its own outlives it.
"""
