"""What users ask for: `sample`, `search` and `transfer`."""
