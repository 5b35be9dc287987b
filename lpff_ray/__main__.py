"""`python -m lpff_ray`."""

from lpff_ray.cli.main import main

main()
