"""Proof and generation: what a maintainer's commands do. It knows `content` and `judge`, and not the classroom."""
