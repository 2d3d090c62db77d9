"""Sources of candidates, and the local search that climbs from what they bring."""
