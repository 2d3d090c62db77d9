"""Training: candidates are trained on images, series and graphs."""
