"""What several experiments share: pairs of domains, encoders, features, scores."""
