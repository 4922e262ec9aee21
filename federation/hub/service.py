"""Applications: ask, answer, decide, know. The only way in for a proof package.

```
request()  → a signed OpenID4VP request, single nonce, ten minutes      requesting.py
respond()  → verified, then one transaction                             intake.py
decide()   → by a person; the rule may only accept                      deciding.py
application(), withdraw(), … → for the holder key that presented        holding.py
```
"""

from federation.hub.deciding import Decisions
from federation.hub.holding import HolderActs
from federation.hub.intake import Intake

__all__ = ["ApplicationService"]


class ApplicationService(Intake, Decisions, HolderActs):
    """Takes in proof packages and keeps applications. Technical trouble is never a refusal."""
