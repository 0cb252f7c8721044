"""The formatter: a program's text in the one style that Dad has.

    concrete.py   text to a tree that keeps every token, by the parser's own tables
    trivia.py     comments and line breaks, attached to tokens
    layout*.py    trees to documents: one rule to a rule of the grammar
    document.py   documents to text that fits a width
    safety.py     whether two texts are the same program with the same comments
    formatted.py  the stages strung together: the only module that others need
"""
