"""A command line, called in a test."""


def call(main, capsys, *flags):
    """(exit code, stdout, stderr) of main(flags)."""
    code = 0
    try:
        main([str(flag) for flag in flags])
    except SystemExit as stop:
        code = stop.code
    return code, *capsys.readouterr()
