"""How it is said: diagnostics of what is promised and does not hold, and notes of what is worth knowing."""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ..lang.diagnostics.report import Diagnostic, Label
from ..lang.source import Span
from .lattice import Grade, better, join, published
from .promises import inside
from .prove import TOO_LARGE, TOO_MANY
from .report import Branch, Graded, Obligation, Promise, Report, Step, changed

if TYPE_CHECKING:
    from .refute import Witness

Asked = Mapping[str, Sequence[tuple[str, tuple[str, ...], Span]]]
Refute = Callable[[Graded, Promise, Branch], "Witness | None"]
Narrow = Callable[[Graded, Promise, bool], Sequence[str]]

MEANING: dict[Grade, str] = {
    "jump": "may jump", "cont": "is continuous, but its slope may be infinite", "lip": "is continuous, with kinks",
    "flat": "changes only in jumps", "opaque": "is computed by a function of which nothing is known"}


def said(report: Report, asked: Asked, refute: Refute | None = None, narrow: Narrow | None = None,
         noted: Refute | None = None) -> Report:
    """The report with its diagnostics; `asked` has grade, parameters and place of what each definition promises.

    `refute` looks for a point at which a branch is missed, `noted` does so for notes; without it none is shown.
    `narrow` looks for a parameter that need only be positive for a promise to hold.
    """
    functions: dict[str, Graded] = {}
    errors: list[Diagnostic] = []
    notes: list[Diagnostic] = []
    seen: set[object] = set()
    for name, graded in report.functions.items():
        promises = [*(kept(graded, *one) for one in asked.get(name, ())), *graded.promises]
        found: dict[int, Branch] = {}
        missing: list[Promise] = []  # what is passed on by who demands it too is said once
        for k, promise in enumerate(promises):
            if promise.holds or promise.waits or any(inside(p.span, call) for p in missing for call in promise.calls):
                continue
            key = (promise.span and (promise.span.source.name, promise.span.start), promise.kind, promise.wanted,
                   promise.by, promise.function)
            if key in seen:
                continue
            seen.add(key)
            missing.append(promise)
            diagnostic, blame = missed(graded, promise, refute, found)
            promises[k] = changed(promise, code=diagnostic.code, blame=blame)
            diagnostic = passed_on(diagnostic, promise)
            positive = narrow(graded, promise, diagnostic.code[0] == "D") \
                if narrow is not None and promise.kind == "promise" else ()
            if positive:
                d = diagnostic
                diagnostic = Diagnostic(d.code, d.message, d.labels, d.notes, declared(positive, d.help))
            errors.append(diagnostic)
        errors += too_large(graded, refute)
        branches = tuple(found.get(id(b), b) for b in graded.branches)
        whole = changed(graded, promises=tuple(promises), branches=branches)
        functions[name] = whole
        notes += notes_of(whole, seen, noted)
    return Report(functions, tuple(errors), tuple(notes))


def too_large(graded: Graded, refute: Refute | None) -> Iterator[Diagnostic]:
    """Branches behind `approx` that jump by more than it says."""
    for b in graded.branches:
        if b.allowed != "approx" or b.proved or refute is None or b.span is None:
            continue
        promise = Promise(b.span, "promise", "cont", b.roots, {}, False, function=graded.function)
        witness = refute(graded, promise, b)
        if witness is not None and witness.order == 0 and witness.jump > b.tolerance:
            label = f"the condition depends on {listed([name_of(r) for r in b.roots])}"
            yield Diagnostic(
                "S102", f"this branch jumps by {witness.jump:.6g}, and `approx({b.tolerance:g})` allows less",
                (Label(b.span, label, True),), (f"for example at {place(witness)}",),
                "make the arms agree better where the condition changes, or allow as much as they differ by")


def kept(graded: Graded, wanted: Grade, params: tuple[str, ...], span: Span) -> Promise:
    """What a definition promises of its result, and whether it is so."""
    roots = tuple(r.name for r in graded.roots if not params or any(belongs(r.name, p) for p in params))
    found = {root: graded.grades[root] for root in roots if root in graded.grades}
    holds = all(better(grade, wanted) for grade in found.values()) and not graded.unknown
    chains = {root: graded.chains[root] for root in found if root in graded.chains}
    return Promise(span, "promise", wanted, roots, found, holds, graded.name, "", chains, graded.branches,
                   graded.obligations, graded.function)


def belongs(root: str, param: str) -> bool:
    return root == param or root.startswith(param + ".")


# ---------------------------------------------------------------- promises that do not hold


def missed(graded: Graded, promise: Promise, refute: Refute | None, found: dict[int, Branch]
           ) -> tuple[Diagnostic, Branch | None]:
    """The error of a promise or demand that does not hold, and the branch that it shows."""
    if graded.unknown:
        return Diagnostic("S105", f"what `{graded.name}` promises cannot be checked by itself: {graded.unknown}",
                          labels(promise.span, "promised here", graded.span, ""),
                          help="give its parameters types, or promise it of a definition that uses it"), None
    failing = {root: grade for root, grade in promise.found.items() if not better(grade, promise.wanted)}
    worst = "none"
    for grade in failing.values():
        worst = join(worst, grade)
    root = next(root for root, grade in failing.items() if grade == worst or len(failing) == 1 or worst == "jump")
    names = listed([name_of(r) for r in failing])
    chain = promise.chains[root].chain() if root in promise.chains else ()
    culprit = next((step for step in chain if not better(step.grade, promise.wanted)), None)
    if worst == "jump":  # what is to blame jumps, or is constant in between
        culprit = next((step for step in chain if step.grade in ("jump", "flat")), culprit)
    branch = next((b for b in promise.branches or graded.branches if culprit is not None and b.raw is culprit.span
                   and not better(b.grade if b.proved or b.kind != "if" else "jump", promise.wanted)), None)
    domain = next((o for o in promise.obligations or graded.obligations
                   if culprit is not None and o.raw is culprit.span), None)
    if branch is None and domain is None:  # in loops the state is to blame, which a branch has spoilt
        branch = next((b for b in promise.branches or graded.branches if not b.proved and not b.allowed
                       and not better(b.grade, promise.wanted) and any(r in failing for r in b.roots)), None)
    whose = {"promise": f"`{graded.name}`", "demand": f"`{promise.what}` of `{promise.by}`",
             "expression": f"`{promise.what}`" if promise.what else "this expression"}[promise.kind]
    needs = f"but `{promise.by}` needs {promise.wanted}" if promise.kind == "demand" else \
        f"but {promise.wanted} is promised"
    subject = "the function that is given" if promise.kind == "demand" else whose
    if domain is not None and branch is None:
        return of_domain(promise, domain, names, subject, needs, chain), None
    if branch is not None:
        if refute is not None and branch.site is not None and branch.witness is None:
            witness = refute(graded, promise, branch)
            if witness is not None:
                branch = found[id(branch)] = changed(branch, witness=witness)
        return of_branch(promise, branch, names, subject, needs, chain, worst), branch
    place = promise.span
    if culprit is not None:  # of what happens in the library, where the program calls it
        place = next((step.span for step in chain[chain.index(culprit):]
                      if step.span is not None and not step.span.source.shipped), place)
    bad = culprit is not None and place is not promise.span
    text = f"this is {published(culprit.grade)} in {names}" if culprit is not None and bad else ""
    notes = list(path(chain, names))
    help = "`dad check --explain` shows how it comes about; write a smooth formula there, or promise less"
    if worst == "opaque":
        code, what = "S104", f"nothing is known of how {subject} depends on {names}, {needs}"
        if culprit is not None and culprit.what in graded.searches:
            notes.insert(0, f"why: `{culprit.what}` searches; its derivative is that of the place it has found, but "
                            f"with other {names} it may stop earlier, or find another place")
            help = 'if there is one such place, and it is not flat, give it a name and say so: `assume C1(x) "one ' \
                'minimum, and it is not flat"`'
        elif culprit is not None and culprit.what.isidentifier():
            grade = promise.wanted if promise.wanted != "none" else "smooth"
            help = f"say how smooth `{culprit.what}` is where it is declared, as in `(g: f64 -> f64 @ {grade})`: who " \
                "uses this has to pass a function that is"
    elif worst in ("jump", "flat"):
        code, what = "S102", f"{subject} {MEANING[worst]} in {names}, {needs}"
    else:
        code, what = "S101", f"{subject} is only {published(worst)} in {names}, {needs}"
    return Diagnostic(code, what, labels(place, text, promise.span, asked_by(promise)), tuple(notes), help), None


def passed_on(d: Diagnostic, promise: Promise) -> Diagnostic:
    """With the call from which a function is passed on to who needs it to be smooth."""
    if not promise.calls:
        return d
    label = Label(promise.calls[0], f"from here it is passed on to `{promise.by}`")
    return Diagnostic(d.code, d.message, (*d.labels, label), d.notes, d.help)


def asked_by(promise: Promise) -> str:
    if promise.kind == "demand":
        return f"`{promise.by}` needs {promise.wanted} of it"
    return f"{promise.wanted} is promised here"


def name_of(root: str) -> str:
    return f"`{root}`"


def listed(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names))
    if len(unique) > 4:
        return f"{', '.join(unique[:3])} and {len(unique) - 3} more"
    return ", ".join(unique[:-1]) + " and " + unique[-1] if len(unique) > 1 else unique[0] if unique else "nothing"


def labels(span: Span | None, text: str, other: Span | None, other_text: str) -> tuple[Label, ...]:
    found = [Label(span, text, primary=True)] if span is not None else []
    if other is not None and other != span:
        found.append(Label(other, other_text, primary=not found))
    return tuple(found)


SIGNS = {"add": "`+`", "sub": "`-`", "mul": "`*`", "div": "`/`", "neg": "`-`", "pow": "`**`", "mod": "`%`"}


def path(chain: Sequence[Step], names: str) -> Iterator[str]:
    """How a root gets to where it matters, in one line."""
    parts: list[str] = []
    for step in chain:
        what = SIGNS.get(step.what, step.what)
        if step.span is None or step.span.source.shipped:
            parts.append(what if not parts else "")
        else:
            parts.append(f"{what} (line {step.span.line})" if parts else what)
    shown = [p for k, p in enumerate(parts) if p and p != (parts[k - 1] if k else None)]
    if len(shown) > 1:
        yield "how it gets there: " + " → ".join(shown[:8])


def of_domain(promise: Promise, domain: Obligation, names: str, subject: str, needs: str, chain: Sequence[Step]
              ) -> Diagnostic:
    argument = f"`{domain.argument}`" if domain.argument not in IN_WORDS else domain.argument
    if domain.severity == "edge":
        what = f"`{domain.what}` has an infinite slope where {argument} is at the end of its domain, {needs}"
        code = "D202"
    else:
        what = f"`{domain.what}` needs {argument} to be {domain.needs}, which is not shown, {needs}"
        code = "D201"
    return Diagnostic(code, what, labels(domain.span, f"depends on {names}; {domain.known}", promise.span,
                                         asked_by(promise)), tuple(path(chain, names)), domain.fix or None)


IN_WORDS = ("its argument", "the slope of its equation")
"""What obligations call a formula that is too long to be shown, or not known."""

EFFECTS = {"jump": "effect: the gradient does not see this jump; a search along a line can stall there",
           "kink": "effect: the gradient is one-sided at the kink, and changes suddenly beside it",
           "bend": "effect: the gradient is continuous, but second derivatives change suddenly there; Newton's steps "
                   "can go back and forth across it",
           "unknown": "effect: if the value jumps there, the gradient does not see it"}


def of_branch(promise: Promise, branch: Branch, names: str, subject: str, needs: str, chain: Sequence[Step],
              worst: Grade) -> Diagnostic:
    notes: list[str] = []
    witness = branch.witness
    jumps = branch.kind in ("index", "step", "while") or (witness is not None and witness.order == 0)
    cancels = better(worst, "cont") and not branch.proved
    """Whether it jumps, and what is made of it does not."""
    effect = witness.effect if witness is not None and cancels else None
    if cancels:
        jumps = False
        code, what = "S101", f"{subject} is only {worst} in {names}, {needs}"
        notes.append(f"its jumps cancel: what is made of it is {worst}, and no more is shown")
    elif branch.proved:
        code = "S101"
        what = f"{subject} is only {worst} in {names}, {needs}"
        if branch.kind == "kink":
            notes.append(f"the kink: {branch.boundary}")
        else:
            notes.append(f"proved {branch.grade} across {branch.boundary or 'the boundary'}, not more: {branch.why}")
    elif jumps:
        code = "S102"
        what = f"{subject} is discontinuous in {names}, {needs}"
    elif witness is not None:
        code = "S101"
        what = f"{subject} has a {derivative(witness.order)} in {names} that jumps, {needs}"
    else:
        code = "S103"
        what = f"it is not shown that {subject} is {promise.wanted} in {names}, {needs}"
    if not branch.proved and not cancels:
        if branch.difference and branch.boundary:
            notes.append(f"across {branch.boundary} the arms differ by {branch.difference}")
        elif branch.why and (witness is None or branch.kind != "if"):
            notes.append(f"why: {branch.why}")
    if witness is not None and cancels:
        if effect is not None:
            notes.append(f"for example at {place(witness)}: the {derivative(effect[0])} jumps by {effect[1]:.6g}")
    elif witness is not None:
        notes.append(f"for example at {example(witness)}")
    order = 2 if branch.grade[0] == "C" and branch.grade != "cont" else 1
    if cancels:
        order = effect[0] if effect is not None else 1
    elif witness is not None:
        order = witness.order
    notes.append(EFFECTS["jump" if jumps else "unknown" if not branch.proved and witness is None and not cancels
                         else "kink" if order < 2 else "bend"])
    notes += path(chain, names)
    step = "jumps by a full turn" if full_turn(branch) else "steps from number to number"
    told = {"kink": "a kink", "index": "the element taken depends on " + names, "step": step,
            "while": "how often it runs depends on " + names}
    label = told.get(branch.kind, f"the condition depends on {listed([name_of(r) for r in branch.roots])}")
    return Diagnostic(code, what, labels(branch.span, label, promise.span, asked_by(promise)), tuple(notes),
                      otherwise(promise, worst) + "write a smooth formula" if cancels else
                      fix(branch, promise, witness))


def place(witness: Witness) -> str:
    """Where it is, `x = 1, y = 2`, and what is held there."""
    held = {name: value for name, value in witness.others.items()
            if isinstance(value, float | list) and not str(name).startswith("_")}
    at = [", ".join(f"{k} = {brief(v)}" for k, v in values.items()) for values in (witness.roots, held)]
    return ", with ".join(part for part in at if part)


def example(witness: Witness) -> str:
    of = "the value" if witness.order == 0 else f"the {derivative(witness.order)}"
    return f"{place(witness)}: {of} jumps by {witness.jump:.6g}"


def full_turn(branch: Branch) -> bool:
    return branch.kind == "step" and branch.condition.startswith("atan2")


def derivative(order: int) -> str:
    return {0: "value", 1: "slope", 2: "second derivative", 3: "third derivative"}.get(order, f"derivative {order}")


def declared(positive: Sequence[str], otherwise: str | None) -> str:
    """The advice to say what is positive, which was found to be enough."""
    what = f"{listed([f'`{p}: f64{{>0}}`' for p in positive])}: then this holds"
    return f"if {listed([name_of(p) for p in positive])} {'is' if len(positive) == 1 else 'are'} always positive, " \
        f"declare {what}" + (f"; otherwise {otherwise}" if otherwise else "")


def brief(value: object) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(brief, value)) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


WEAKER = {"newton": "`lbfgs`", "newton_with": "`lbfgs_with`"}
"""Searches of the library for functions that are C1, in place of those that need C2."""


def otherwise(promise: Promise, grade: Grade) -> str:
    """What to do with a function that has this grade, other than to make it smoother."""
    if promise.kind != "demand":
        return f"promise `@ {grade}`, or "
    if promise.by in WEAKER and better(grade, "C1"):
        return f"take {WEAKER[promise.by]}, which needs C1 alone, or "
    return ""


def fix(branch: Branch, promise: Promise, witness: Witness | None) -> str:
    """What to write instead."""
    reason = "`@ allow(jump, \"why\")` behind the expression, if the gradient may miss it"
    if full_turn(branch):
        return "compare directions without angles: `1 - cos (a - b)`, or products of their components; " \
            f"or say that the second argument is positive, if it is; or {reason}"
    if branch.kind == "step":
        return f"write the formula without the step, or hold its argument fixed with `stop_grad`; or {reason}"
    if branch.kind == "index":
        return f"interpolate between neighbouring elements; or hold the index fixed with `stop_grad`; or {reason}"
    if branch.kind == "while":
        return "run a fixed number of iterations with `for`, or solve the equation with `fixpoint`"
    if branch.kind == "kink":
        return SUBSTITUTES.get(next((k for k in SUBSTITUTES if f"`{k}`" in branch.why), ""),
                               otherwise(promise, branch.grade) + "write a smooth formula in its place")
    if branch.proved or (witness is not None and witness.order > 0):
        grade = branch.grade if branch.proved else "lip" if witness is not None and witness.order == 1 else "C1"
        return otherwise(promise, grade) + "write a smooth formula for both arms"
    if witness is not None and 0 < witness.jump < ROUNDING:
        tolerance = f"1e-{math.floor(-math.log10(witness.jump))}"
        return f"if the condition is there for the sake of rounding, say so: `(if …) @ approx({tolerance})`; " \
            "otherwise make the arms equal where it changes"
    if branch.why in (TOO_MANY, TOO_LARGE) and witness is None:
        grade = promise.wanted if promise.wanted != "none" else "smooth"
        return "take it apart into definitions with fewer branches each, or blend the arms: " \
            "`let w = sigmoid ((x - k) / width) in w * a + (1 - w) * b`; if it holds, give the value a name and say " \
            f"so: `assume {grade}(y) \"why\"`; or {reason}"
    return "make the arms equal where the condition changes, or blend them: " \
        f"`let w = sigmoid ((x - k) / width) in w * a + (1 - w) * b`; or {reason}"


ROUNDING = 1e-6
"""A jump that is smaller is likely to be a switch between two formulas for one function."""

SUBSTITUTES = {
    "abs": "`sqrt (u * u + w * w)` in place of `abs u` is smooth, and as large away from 0",
    "max": "`b + softplus (a - b)` in place of `max a b` is smooth",
    "min": "`b - softplus (b - a)` in place of `min a b` is smooth",
    "sqrt": "add a small positive number under the root: `sqrt (s + w * w)` is smooth",
    "maximum": "`log (sum (map exp xs))` in place of `maximum xs` is smooth",
}


# ---------------------------------------------------------------- notes


def notes_of(graded: Graded, seen: set[object], refute: Refute | None = None) -> Iterator[Diagnostic]:
    """What `--notes` says of a definition: its branches and domains, each place once."""
    for b in graded.branches:
        if b.span is None or (b.span.source.name, b.span.start, b.kind) in seen or b.kind == "step":
            continue
        if b.proved and gone(graded, b.roots, b.grade) and (b.kind == "kink" or not b.raw or b.raw.source.shipped):
            continue
        seen.add((b.span.source.name, b.span.start, b.kind))
        names = listed([name_of(r) for r in b.roots])
        notes = []
        if b.kind == "kink":
            what = f"continuous in {names}, with a kink where {b.boundary}"
            notes.append("fine where lip is enough; its slope jumps at the kink")
        elif b.proved:
            what = f"this branch on {names} is {b.grade} (proved)"
            if b.boundary:
                notes.append(f"across {b.boundary}: {b.why}")
            if gone(graded, b.roots, b.grade):
                notes.append("what is made of it is smoother: there it does not matter")
        elif b.allowed:
            what = f"this branch on {names} may jump, which is accepted (`{b.allowed}`)"
        else:
            what = f"this branch on {names} is not known to be continuous" if b.kind == "if" else \
                f"{names} may jump here: {b.why}"
            witness = b.witness
            if refute is not None and witness is None and b.site is not None:
                witness = refute(graded, Promise(b.span, "promise", "C1", b.roots, {}, False), b)
            if witness is not None:
                if b.kind == "if":
                    what = f"this branch on {names} jumps" if witness.order == 0 else \
                        f"this branch on {names} has a {derivative(witness.order)} that jumps"
                notes.append(f"for example at {example(witness)}")
            if b.difference and b.boundary:
                notes.append(f"across {b.boundary} the arms differ by {b.difference}")
            elif b.kind == "if" and b.why:
                notes.append(f"why: {b.why}")
        yield Diagnostic("S110", what, (Label(b.span, b.condition, True),), tuple(notes), None, "note")
    for o in graded.obligations:
        if o.span is None or (o.span.source.name, o.span.start, o.what) in seen:
            continue
        if o.severity == "edge" and (gone(graded, o.roots, "cont") or any(
                b.kind == "kink" and b.raw is o.raw for b in graded.branches)):
            continue
        seen.add((o.span.source.name, o.span.start, o.what))
        names = listed([name_of(r) for r in o.roots])
        argument = f"`{o.argument}`" if o.argument not in IN_WORDS else o.argument
        if o.severity == "edge":
            what = f"`{o.what}` has an infinite slope where {argument} is at the end of its domain"
        else:
            what = f"`{o.what}` needs {argument} to be {o.needs}, which is not shown"
        yield Diagnostic("D202" if o.severity == "edge" else "D201", what,
                         (Label(o.span, f"depends on {names}; {o.known}", True),), (), o.fix or None, "note")


def gone(graded: Graded, roots: Sequence[str], grade: Grade) -> bool:
    """Whether a definition is smoother in these than a place in it: its kinks are squared away, or cancel."""
    found = [graded.grades[r] for r in roots if r in graded.grades]
    return bool(found) and len(found) == len(roots) and all(g != grade and better(g, grade) for g in found)
