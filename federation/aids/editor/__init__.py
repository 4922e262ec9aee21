"""The form a funder writes a rule with: what it can say, its rule text both ways, its words.

`compile_rule` and `read_rule` are each other's inverse on what the form can say; a rule that it
cannot say is refused with the place and the reason. Pure.
"""

from federation.aids.editor.compiling import compile_rule
from federation.aids.editor.reading import read_rule
from federation.aids.editor.rule_form import RuleForm

__all__ = ["RuleForm", "compile_rule", "read_rule"]
