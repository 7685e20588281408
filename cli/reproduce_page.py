"""The page of ``apical reproduce --html``: every row with its bound and reason, and the figures."""

from __future__ import annotations

from html import escape

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 2rem }
td, th { border-bottom: 1px solid #ddd; padding: .3rem .5rem; text-align: left }
td, th { vertical-align: top }
td.n { font-variant-numeric: tabular-nums; white-space: nowrap }
tr.out { background: #fdd }
.ok { color: #186a2f } .no { color: #b00020; font-weight: bold }
figure { display: inline-block; margin: .5rem; vertical-align: top; max-width: 100% }
figure img { max-width: 100% }
small { color: #555 }
"""


def page(name, executor, seeds, found, picture) -> str:
    """The page as text; it needs no other file.

    Parameters
    ----------
    name, executor : str
    seeds : sequence of int
    found : sequence of apical.golden.claims.seeds.Done
    picture : callable
        ``picture(figure)``: source of an image.
    """
    systems = list(dict.fromkeys(done.task.system for done in found))
    held = [row["passed"] for done in found for row in done.rows]
    parts = ["<!doctype html>", '<html lang="en"><meta charset="utf-8">',
             f"<title>Claims: {escape(name)}</title>", f"<style>{_STYLE}</style>",
             f"<h1>Claims of the papers: {escape(name)}</h1>",
             f"<p>{sum(held)} of {len(held)} checks hold, {executor} executor, seeds "
             f"{', '.join(map(str, seeds))}. Command: <code>apical reproduce</code>. A bound is a "
             "claim, or the worst of recorded seeds plus three standard deviations, or, where "
             "that is tighter, what the code says; each row says which.</p>",
             "<ul>", *(f'<li><a href="#{s}">{s}</a></li>' for s in systems), "</ul>"]
    for system in systems:
        mine = [done for done in found if done.task.system == system]
        parts += [f'<h2 id="{system}">{system}</h2>', *_table(mine, seeds)]
        for done in mine:
            parts += [f'<figure><img alt="{escape(figure.title)}" src="{picture(figure)}">'
                      "</figure>" for figure in done.figures]
    return "\n".join(parts) + "\n</html>\n"


def _table(found, seeds):
    yield ("<table><tr><th>check<th>bound<th>why<th>"
           + ("value" if len(seeds) == 1 else "values, those outside first") + "<th>holds</tr>")
    by_place = {}
    for done in found:
        for place, row in enumerate(done.rows):
            by_place.setdefault((row["group"], place), []).append(row)
    for rows in by_place.values():
        first, held = rows[0], sum(row["passed"] for row in rows)
        whole = held == len(rows)
        name = f"<b>{escape(first['name'])}</b>: " if first["name"] else ""
        ordered = sorted(rows, key=lambda row: row["passed"])
        values = "<br>".join(_value(row["value"]) for row in ordered[:3])
        more = f"<br><small>and {len(rows) - 3} more seeds</small>" if len(rows) > 3 else ""
        yield (f'<tr class="{"in" if whole else "out"}"><td>{name}{escape(first["check"])} '
               f'<small>{escape(first["source"])}</small>'
               f'<td class="n">{escape(first["tolerance"])}<td><small>{escape(first["reason"])}'
               f'</small><td class="n">{values}{more}<td class="{"ok" if whole else "no"}">'
               f"{'yes' if whole and len(rows) == 1 else f'{held} of {len(rows)}'}</tr>")
    yield "</table>"


def _value(value):
    return " ".join(f"{v:.4g}" for v in (value if isinstance(value, list | tuple) else (value,)))
