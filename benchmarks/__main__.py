"""Run every benchmark."""

from benchmarks import bulk

if __name__ == "__main__":
    bulk.main()
