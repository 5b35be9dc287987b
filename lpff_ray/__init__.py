"""lpff_ray."""
