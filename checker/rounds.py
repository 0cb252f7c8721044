"""What recursive functions give, in the abstract evaluation of `activity`: a least fixpoint, found in rounds.

A round walks through each function once. Calls of one that is under way join their arguments and take what is known of
its result so far. Only the last round, which finds nothing new, reports.
"""
from __future__ import annotations

from collections.abc import Callable

from ..lang.surface import ast
from .flow import NOTHING, Closure, Function, Known, Operation, Partial, Root, Unknown, Value, widened

FUNCTIONS = (Closure, Known, Operation, Partial, Unknown)
MOST = 64
"""Rounds; more than any program has needed."""


class Rounds:
    def __init__(self) -> None:
        self.assumed: dict[ast.Node, tuple[tuple[Value, ...], Value]] = {}
        """Functions under way: the join of their arguments, and what is known of the result."""
        self.visited: dict[tuple[ast.Node, int], Function] = {}
        """Those that this round has walked through; closures by identity."""
        self.number = 0
        self.current = 0
        """Which round this is, 0 outside of recursion: what one round finds, the next may not reuse."""
        self.quiet = False
        self.order = 0
        """How many derivatives are being taken around here."""
        self.orders: dict[ast.Node, int] = {}
        """The same where the walk through a function began."""
        self.variables: dict[ast.Node, Root] = {}
        """Variables of derivatives, the same ones in every round."""

    def result(self, node: ast.Node, function: Function, args: tuple[Value, ...],
               run: Callable[[tuple[Value, ...]], Value], own_derivative: Callable[[], None]) -> Value:
        """What a function that may call itself gives. `own_derivative` is told when it is called to be differentiated
        while it is walked through.
        """
        outermost = not self.assumed
        before, found = self.assumed.get(node, (args, NOTHING))
        self.assumed[node] = (tuple(widened(a, b) for a, b in zip(before, args, strict=True)), found)
        if not outermost:
            if self.order > self.orders.get(node, self.order) and not any(isinstance(a, FUNCTIONS) for a in args):
                own_derivative()
            return self._walk(node, function, run)
        for last in (False, True):
            for _ in range(1 if last else MOST):
                self.number += 1
                self.current, self.quiet = self.number, not last
                assumed = dict(self.assumed)
                self.visited.clear()
                found = self._walk(node, function, run)
                if self.assumed == assumed:
                    break
        self.assumed.clear()
        self.variables.clear()
        self.current = 0
        return found

    def _walk(self, node: ast.Node, function: Function, run: Callable[[tuple[Value, ...]], Value]) -> Value:
        key = (node, id(function) if isinstance(function, Closure) else 0)
        if key not in self.visited:
            self.visited[key] = function  # kept alive, so that its identity stays its own
            self.orders[node] = self.order
            result = run(self.assumed[node][0])
            del self.orders[node]
            args, found = self.assumed[node]
            self.assumed[node] = (args, widened(found, result) if found is not NOTHING else result)
        return self.assumed[node][1]
