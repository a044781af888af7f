"""Complete code that every lab uses: data, networks, training, plots, checks. Nothing here is a blank."""
