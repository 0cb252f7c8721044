"""What Futhark calls the same mistakes: by code, the words that its messages have for it.

`dad explain` prints them for people who come from there, and tests written for Futhark, whose `error: regex` fits its
words, find them.
"""
# ruff: noqa: E501 - lists of phrases
from __future__ import annotations

import re

SYNTAX = ("syntax error", "unexpected token", "parse error", "lexical error")
TYPES = ("Types do not match", "Cannot unify", "Cannot match", "Couldn't match expected type with actual type",
         "expected and actual type differ", "has unexpected type", "type mismatch")
UNKNOWN = ("Unknown variable", "Unknown identifier", "Undefined", "not in scope")
DUPLICATE = ("Duplicate definition", "DuplicateDefinition", "previously defined", "already defined", "more than once")
SIZES = ("Dimensions do not match", "Sizes do not match", "do not match", *TYPES, "size mismatch", "refers to size",
         "rigid size", "ambiguous size")
KINDS = (*TYPES, "overloaded", "must be one of", "does not support equality", "ordering is not defined", "numeric type",
         "is not a sum type", "functional type", "constraint")
FUNCTIONS = ("functional", "function type", "higher-order", "must be of order zero", "is not of order 0",
             "may contain functions", "must be zero-order", "function may not be in an array", "returned from if",
             "returned from loop", "lifted")
APPLY = ("Cannot apply function", "Cannot apply", "too many arguments", "not a function", *TYPES)
MODULES = ("Module type", "does not match", "does not define", "Missing value", "Missing type", "Missing module",
           "Unknown module", "module ascription", "expected and actual", "must be abstract", "parametric module",
           "Cannot apply non-parametric module", "functor", "cannot be parametric", *TYPES)
LIFTED = ("Non-lifted type abbreviations may not contain functions.", "non-lifted", "might contain functions",
          "size-lifted", "Module type requires", "but module defines")

WORDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("E001", "E002", "E003", "E004", "E005", "E008", "E009", "E010", "E011", "E012", "E013", "E014", "E015",
                     "E016", "E017", "E018", "E019", "E023"), SYNTAX),
    "E020": ("Unknown attribute", "attribute"),
    "E024": ("literal out of bounds",),
    "E101": UNKNOWN, "E102": ("Unknown type", *UNKNOWN), "E103": (*UNKNOWN, "Unknown size"),
    "E104": DUPLICATE, "E105": DUPLICATE, "E106": (*UNKNOWN, "Unknown type", "cyclic"),
    "E107": (*UNKNOWN, "Unknown type", "Unknown module"), "E108": ("import",),
    "E109": ("type constructor arguments", "requires arguments", "applied to", "type argument", "Too many arguments",
             "Too few arguments", "size argument"),
    "E110": ("Unknown module", *UNKNOWN), "E111": MODULES, "E112": ("Unknown module type", *UNKNOWN),
    "E113": ("Cannot refine", "is not an abstract type", "Unknown type", "include", *MODULES),
    "E114": ("Missing", "requires", "val ", "type ", "not used constructively", "size parameters", "uniqueness", *LIFTED, *MODULES),
    "E116": (*LIFTED, *FUNCTIONS), "E117": ("existential", "might contain values of varying size", *LIFTED, *TYPES),
    "E191": ("Import cycle", "cyclic import"), "E192": ("Could not read file", "outside"),
    "E193": ("Could not find import", "Could not read file", "does not exist", "Unknown import"),
    "E201": (*TYPES, "unify record type", "Record fields do not match", "Occurs check", "existential", "rigidly bound",
             "Ambiguous"),
    "E202": KINDS, "E203": KINDS, "E204": ("literal out of bounds", "out of bounds for inferred type"),
    "E205": TYPES, "E206": TYPES,
    "E207": ("Unknown field", "Attempt to access field", "has no field", "unify record type", "missing field", *TYPES),
    "E209": DUPLICATE, "E210": (*TYPES, "Cannot index", "is not an array"),
    "E211": (*TYPES, "too many indices", "Cannot index"), "E212": KINDS,
    "E213": ("Occurs check: cannot instantiate", "infinite type", *TYPES),
    "E214": ("Type is ambiguous", "ambiguous type", "cannot infer type", "type annotation needed"),
    "E208": (*TYPES, "Attempt to access field", "not a record", "unify record type", "Type is ambiguous"),
    "E215": (*KINDS, "rigidly bound type parameter", "polymorphic"), "E216": (*LIFTED, *FUNCTIONS),
    "E217": ("Hole of type",), "E218": TYPES, "E219": (*TYPES, "Loop body does not have expected type", "loop"),
    "E220": KINDS,
    "E221": ("Entry point functions may not be polymorphic", "Entry point functions may not be higher-order",
             "Entry point", *FUNCTIONS),
    "E222": ("Unknown type", "cyclic type", "recursive type", "cycle"),
    "E223": ("rigidly bound type parameter", "would escape its scope", "polymorphic", "unify with a type parameter", *TYPES),
    "E231": ("recursive", *UNKNOWN), "E232": ("recursive", *UNKNOWN), "E233": FUNCTIONS,
    "E241": ("Type is ambiguous", "ambiguous type", "sum type"),
    "E242": ("constructor", "Unshared constructors", "Differing constructors", "unknown constructor", "sum type", *TYPES),
    "E243": ("constructor", "Differing constructor arity", "payload", "sum type", *TYPES),
    "E301": SIZES,
    "E302": ("existentially sized type", "existential", "Causality check", "causality", "unknown size", "irregular array",
             "would escape its scope", "rigid size", *SIZES),
    "E303": ("Ambiguous size", "anonymous size", "cannot determine size", *SIZES),
    "E304": ("size expression", "Dimension declaration is not of type i64", "not a valid size", "non-integer", *SIZES),
    "E305": ("out of bounds",),
    "E306": ("Size parameter must be used", "Size parameter not used", "unused size", "existential", "Causality check",
             "ambiguous size", "refers to size", "anonymous size"),
    "E308": ("negative", *SIZES), "E309": ("stride",),
    "E401": APPLY, "E402": APPLY, "E403": APPLY, "E404": APPLY, "E407": APPLY,
    "E405": ("Pattern does not match", "tuple pattern", "record pattern", *TYPES),
    "E406": ("refutable pattern", "Unmatched cases", "not exhaustive"),
    "E408": ("Unmatched cases in match expression", "Missing cases", "not exhaustive", "Match not exhaustive"),
    "E508": SYNTAX, "E691": FUNCTIONS, "E695": FUNCTIONS,
    "R101": ("Error: Index [i] out of bounds for array of shape [n]",),
    "R102": ("Error: Slice [i:j] out of bounds for array of shape [n]", "Error: Index out of bounds", "invalid slice"),
    "R103": ("Error: Value of (core language) shape cannot match shape of type", "Error: arrays of different sizes",
             "Error: Function return value does not match shape", "Error: differing array sizes", "shape mismatch",
             "size mismatch", "Assertion failed"),
    "R104": ("Error: division by zero",),
    "R105": ("Error: Range is invalid", "Error: negative size", "Error: Slice out of bounds", "invalid range"),
    "R106": ("Error: Assertion is false",),
    "A103": ("Error: Entry point arguments have invalid sizes", "Error: invalid size of input", "cannot match shape"),
    "A101": ("Error: invalid input",), "A102": ("Error: invalid input",),
    "W110": ("Unmatched", "Inaccessible case", "redundant"),
}


def in_its_words(code: str, message: str) -> str:
    """What Futhark says where Dad says `message` at run time, with the values in it; empty where it is not known."""
    found = re.search(r"index (-?\d+) is out of bounds for axis \d+ of `.*` with size (\d+)", message)
    return f"Error: Index [{found[1]}] out of bounds for array of shape [{found[2]}]." if found and code == "R101" else ""
