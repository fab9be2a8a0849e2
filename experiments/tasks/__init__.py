"""What several experiments share: pairs of domains, features, scores."""
