"""The commands of `dad`, a module to each, with `main(args) -> status`; they are imported when they are called.

    options.py  what stands on a command line    output.py  what is printed, and where
    check.py explain.py build.py run.py show.py test.py

Status: 0 fine, 1 diagnostics, 2 wrong use, 3 a mistake in Dad itself.
"""
