"""What every floor uses: errors, seeds, options, checkpoints, safe reading of foreign files."""
