"""Legal pages: templates of `portal/legal/` filled from the settings, in a small Markdown subset."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

import re
from collections.abc import Mapping
from importlib import resources

from markupsafe import Markup, escape

from portal.i18n import Translator
from portal.settings import Settings

_INLINE = (
    (re.compile(r"\*\*(.+?)\*\*"), r"<b>\1</b>"),
    (re.compile(r"`(.+?)`"), r"<code>\1</code>"),
)


def legal_text(name: str, t: Translator, settings: Settings) -> tuple[str, Markup]:
    """Title and body of a legal page in the language of `t`."""
    raw = resources.files("portal.legal").joinpath(f"{name}.{t.language}.md").read_text("utf-8")
    filled = raw.format(
        operator_name=settings.operator_name,
        operator_address=settings.operator_address,
        operator_contact=settings.operator_contact,
        dpo_contact=settings.dpo_contact,
    )
    title = filled.split("\n", 1)[0].removeprefix("# ")
    return title, render(filled)


def guide(name: str, t: Translator, addresses: Mapping[str, str]) -> tuple[str, Markup]:
    """Title and body of a page of `portal/guides/`; `@NAME@` becomes the address of that name."""
    text = resources.files("portal.guides").joinpath(f"{name}.{t.language}.md").read_text("utf-8")
    for place, address in addresses.items():
        text = text.replace(f"@{place}@", address)
    return text.split("\n", 1)[0].removeprefix("# "), render(text)


def render(text: str) -> Markup:
    """Headings, paragraphs, lists, tables and code; everything else is escaped text."""
    out: list[str] = []
    for block in re.split(r"\n{2,}", text.strip()):
        lines = block.splitlines()
        if lines[0] == "```":
            code = escape("\n".join(lines[1:-1]))
            out.append(f'<pre class="source" tabindex="0"><code>{code}</code></pre>')
        elif lines[0].startswith("#"):
            level = len(lines[0]) - len(lines[0].lstrip("#"))
            out.append(f"<h{level}>{_inline(lines[0].lstrip('# '))}</h{level}>")
        elif lines[0].startswith("- "):
            items = "".join(f"<li>{_inline(line[2:])}</li>" for line in lines)
            out.append(f"<ul>{items}</ul>")
        elif lines[0].startswith("|"):
            head, _, *rows = [[c.strip() for c in line.strip("|").split("|")] for line in lines]
            heads = "".join(f'<th scope="col">{_inline(c)}</th>' for c in head)
            body = "".join(
                "<tr>"
                + "".join(
                    f'<td data-label="{escape(h)}">{_inline(c)}</td>'
                    for h, c in zip(head, row, strict=True)
                )
                + "</tr>"
                for row in rows
            )
            label = escape(head[0])
            out.append(
                f'<div class="wrap" tabindex="0" role="region" aria-label="{label}"><table>'
                f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
            )
        else:
            out.append(f"<p>{_inline(' '.join(lines))}</p>")
    return Markup("\n".join(out))  # noqa: S704 - every text went through escape() in _inline


def _inline(text: str) -> str:
    shown = str(escape(text))
    for pattern, form in _INLINE:
        shown = pattern.sub(form, shown)
    return shown
