"""A native interpreter of the documented subset of Publicodes (see README.md of `federation/aids`).

`Engine(rules)` compiles once and is immutable: threads share it. `evaluate` gives one of three
states (a value, not applicable, undefined), exactly the missing answers, and a trace that reads as
sentences. Unknown keys and mechanisms are refused at import with their place; every evaluation is
bounded in steps and depth.

`compiler` reads a model into `nodes`, `conditions` and `amounts`; `checks` refuses what a whole
model may not do; `engine` asks it.

Semantics (three states, lazy operators, order of chained mechanisms, replacement order, nullable
parents) follow publicodes 1.10.3, © Publicodes contributors, MIT licence; the code is our own.
"""

from federation.aids.publicodes.compiler import MECHANISMS
from federation.aids.publicodes.engine import Engine, Session
from federation.aids.publicodes.values import (
    UNDEFINED,
    Evaluation,
    RuleInfo,
    Step,
    Undefined,
    Value,
)

__all__ = [
    "MECHANISMS",
    "UNDEFINED",
    "Engine",
    "Evaluation",
    "RuleInfo",
    "Session",
    "Step",
    "Undefined",
    "Value",
]
