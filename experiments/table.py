"""Tables from result files: python -m experiments.table NAME."""

from experiments.tables import command

if __name__ == '__main__':
    command.main()
