"""Results: the studies of conf/results.yaml are run, what they gave is recorded, and the claims are decided by it."""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Do what is asked for; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["claims"], help="claims: what every study claims, and by what it is decided")
    parser.parse_args()

    from atelier.compose.verb import register_resolvers
    from atelier.results.told import print_claims

    register_resolvers(ROOT)
    return 0 if print_claims(ROOT / "conf") else 1


if __name__ == "__main__":
    sys.exit(main())
