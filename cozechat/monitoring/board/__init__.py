"""The monitoring page: what the tallies and the living processes say, in tiles, plots and tables."""
