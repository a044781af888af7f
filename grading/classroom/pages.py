"""What every page is written as that people open: it loads nothing and runs nothing, wherever it lies."""

from html import escape

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; }}
td, th {{ padding: .3rem .6rem; border-bottom: 1px solid #8886; text-align: left; vertical-align: top; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
{style}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""


def document(title: str, *parts: str, style: str) -> str:
    """A whole page.

    Args:
        title: text, as it is to be read.
        parts: of its body, as HTML in which nothing of a stranger is active.
        style: CSS of its own, beside what all pages have.
    """
    return PAGE.format(policy=POLICY, title=escape(title), style=style, body="\n".join(filter(None, parts)))
