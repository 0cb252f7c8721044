"""The language: sources and diagnostics, surface syntax, types and sizes, the IR, the primitives.

Imports nothing else of dad.
"""
