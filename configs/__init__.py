"""YAML presets; they only fill constructor arguments."""
