"""Tables of this project, from result files."""
