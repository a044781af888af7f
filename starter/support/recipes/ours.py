"""Systems of no report, in full size on real images: where a lab has none of its own, and what the reports left out."""

RECIPES = {}
