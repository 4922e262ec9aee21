"""Walking and rewriting the nodes of a rule."""

from collections.abc import Callable, Iterable

from federation.aids.publicodes.amounts import Duration, InUnit, Rounded, Simplified, Table, Tranche
from federation.aids.publicodes.conditions import (
    AllOf,
    AnyOf,
    If,
    IsNotApplicable,
    IsUndefined,
    Op,
    Variations,
)
from federation.aids.publicodes.nodes import Defaulted, Node, Ref, Situated


def children(node: Node) -> Iterable[Node]:
    if isinstance(node, Op):
        return (node.left, node.right)
    if isinstance(node, AllOf | AnyOf):
        return node.items
    if isinstance(node, If):
        extra = () if node.parameter is None else (node.parameter,)
        return (node.test, node.yes, node.no, *extra)
    if isinstance(node, Variations):
        return tuple(n for branch in node.branches for n in branch)
    if isinstance(node, IsUndefined | IsNotApplicable | InUnit | Simplified | Defaulted | Situated):
        return (node.inner,)
    if isinstance(node, Rounded):
        return (node.inner, node.digits)
    if isinstance(node, Table):
        ends = [t.ceiling for t in node.tranches if t.ceiling is not None]
        return (node.base, node.factor, *ends, *(t.gives for t in node.tranches))
    if isinstance(node, Duration):
        return (node.since, node.until)
    return ()


def walk(node: Node) -> Iterable[Node]:
    """All nodes of one rule's body, references included but not followed."""
    seen: set[int] = set()
    stack = [node]
    while stack:
        current = stack.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        stack.extend(children(current))


def transform(node: Node, change: Callable[[Node], Node]) -> Node:
    """Rewrite references in place, once each."""
    done: dict[int, Node] = {}

    def visit(current: Node) -> Node:
        if isinstance(current, Ref):
            return change(current)
        if id(current) in done:
            return done[id(current)]
        done[id(current)] = current
        if isinstance(current, Op):
            current.left, current.right = visit(current.left), visit(current.right)
        elif isinstance(current, AllOf | AnyOf):
            current.items = tuple(visit(item) for item in current.items)
        elif isinstance(current, If):
            current.test = visit(current.test)
            current.yes, current.no = visit(current.yes), visit(current.no)
            if current.parameter is not None:
                current.parameter = visit(current.parameter)
        elif isinstance(current, Variations):
            current.branches = tuple((visit(a), visit(b)) for a, b in current.branches)
        elif isinstance(
            current,
            IsUndefined | IsNotApplicable | InUnit | Simplified | Defaulted | Situated,
        ):
            current.inner = visit(current.inner)
        elif isinstance(current, Rounded):
            current.inner, current.digits = visit(current.inner), visit(current.digits)
        elif isinstance(current, Table):
            current.base, current.factor = visit(current.base), visit(current.factor)
            current.tranches = tuple(
                Tranche(None if t.ceiling is None else visit(t.ceiling), visit(t.gives))
                for t in current.tranches
            )
        elif isinstance(current, Duration):
            current.since, current.until = visit(current.since), visit(current.until)
        return current

    return visit(node)
