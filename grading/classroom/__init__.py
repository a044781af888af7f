"""A class from release to grades: what an instructor's commands do. It knows `content` and `judge`."""
