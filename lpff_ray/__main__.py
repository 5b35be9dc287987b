"""`python -m lpff_ray`."""

from lpff_ray.cli import main

main()
