"""Graph-network spaces."""
