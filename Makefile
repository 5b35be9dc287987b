.PHONY: setup test browser docs chaos test-pythons lint demo clean

setup:
	./run_cluster.sh setup test

test: lint browser
	./run_cluster.sh exec pytest

# Chromium, for the tests of pages: installed where root can by apt-get, as in a container; else they are skipped.
browser:
	@if command -v chromedriver >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		(apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends \
			chromium chromium-driver) >/dev/null || echo "make: no Chromium from apt-get: tests in a browser are skipped"; \
	else echo "make: no Chromium (packages chromium, chromium-driver): tests in a browser are skipped"; fi

# The documentation as a site, in build/site.
docs: setup
	./run_cluster.sh exec mkdocs build --strict

# Faults thrown at real runs, in three rounds: some 25 minutes. Prints a table; CHAOS="--seed 1 --only commit" for a part.
chaos: setup
	PYTHONPATH=.:tests/helpers ./run_cluster.sh exec python tests/chaos/chaos.py $(CHAOS)

# The suite in a new environment for each Python 3.10 to 3.12 of this machine: some minutes and gigabytes for each.
test-pythons:
	tests/run_pythons.sh

lint: setup
	./run_cluster.sh exec ruff check .
	./run_cluster.sh exec ruff format --check .
	./run_cluster.sh exec mypy

demo:
	./run_cluster.sh demo

clean:
	rm -rf .venv build dist demo .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
